//! Whatever stands in a stream becomes a job or a dead letter with a reason; nothing is lost, and nothing holds up the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use advosync::queue::{Claimed, Consumer, Finish, Finished, Flow, Lane, Outcome};

use crate::harness::{run, runtime};
use crate::redis::Redis;

/// The most entries of an input.
const MOST: usize = 20;
const LEASE: Duration = Duration::from_mins(1);

/// An input is entries with an empty line between them; of an entry, each line is a field, its name before the first `=`.
#[test]
fn an_entry_is_a_job_or_a_dead_letter() {
    let runtime = runtime();
    let mut redis = runtime.block_on(Redis::start());
    run("stream_entry", 500, |input| {
        let entries = entries(input);
        if entries.is_empty() {
            return;
        }
        runtime.block_on(async {
            empty(&mut redis).await;
            let mut adding = redis::pipe();
            for fields in &entries {
                adding.cmd("XADD").arg("jobs:vmh").arg("*").arg(fields).ignore();
            }
            let () = adding.query_async(&mut redis.raw).await.unwrap();
            let mut consumer = Consumer::new(&redis.queue, Flow::Vmh, "worker-1", LEASE);
            let (mut ran, mut left) = (BTreeSet::new(), entries.len());
            let mut looks = 0;
            while left > 0 {
                looks += 1;
                // Each look ends one entry at least, but for the first, which finds no group of readers.
                assert!(looks <= MOST + 1, "{left} entries are left, and nothing becomes of them");
                let claimed = consumer.next(100, 0).await.unwrap();
                for claimed in claimed {
                    ran.insert(check(&claimed));
                    finish(&redis, claimed).await;
                }
                left = redis.ask(&["XLEN", "jobs:vmh"]).await;
            }
            let letters = redis.queue.dead_letters(Flow::Vmh, MOST).await.unwrap();
            // What waits for the same key is one job in the end.
            let jobs: Vec<_> = entries.iter().filter_map(|entry| job(entry)).collect();
            assert_eq!(letters.len(), entries.len() - jobs.len(), "dead letters, of {} entries", entries.len());
            assert_eq!(ran, jobs.into_iter().collect(), "the keys of what ran");
            for letter in letters {
                assert_eq!(letter.code.as_deref(), Some("malformed"), "{letter:?}");
                assert!(letter.error.is_some_and(|why| why.len() > 10));
            }
            let left: Vec<String> = redis.ask(&["KEYS", "*lock*"]).await;
            assert!(left.is_empty(), "{left:?} is still held");
        });
    });
}

/// As a worker before this one would leave it: the queue is set up, and empty.
async fn empty(redis: &mut Redis) {
    redis.ask::<()>(&["FLUSHDB"]).await;
    redis.queue.prepare(chrono::Utc::now()).await.unwrap();
}

/// Answers its key.
fn check(claimed: &Claimed) -> String {
    let job = &claimed.job;
    assert!(!job.key.is_empty() && !job.topic.to_string().trim().is_empty(), "{job:?}");
    assert_eq!(job.lane, Lane::First);
    job.key.clone()
}

/// The key of an entry that is a job: text, a topic, a key, and a count of attempts where it has one.
fn job(entry: &[(Vec<u8>, Vec<u8>)]) -> Option<String> {
    let text: Option<Vec<_>> = entry
        .iter()
        .map(|(name, value)| Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?)))
        .collect();
    let text = text.filter(|fields| fields.len() <= 1_000)?;
    let last = |wanted: &str| text.iter().rfind(|(name, _)| *name == wanted).map(|(_, value)| *value);
    let counts = text.iter().filter(|(name, _)| *name == "attempt").all(|(_, value)| value.parse::<u32>().is_ok());
    let topic = last("topic").filter(|topic| !topic.trim().is_empty());
    last("key").filter(|key| !key.is_empty() && counts && topic.is_some()).map(str::to_owned)
}

async fn finish(redis: &Redis, claimed: Claimed) {
    let outcome = Outcome::Done { result: "unchanged".to_owned(), detail: None };
    let ended_at = chrono::Utc::now();
    let finished = redis.queue.finish(&[Finish { claimed, outcome, worker: "worker-1".to_owned(), ended_at }]).await;
    assert_eq!(finished.unwrap(), [Finished::Moved]);
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// An entry without any field is none that Redis takes.
fn entries(input: &[u8]) -> Vec<Fields> {
    let lines = input.split(|byte| *byte == b'\n').collect::<Vec<_>>();
    let entries = lines.split(|line| line.is_empty()).filter(|entry| !entry.is_empty()).take(MOST);
    entries.map(|entry| entry.iter().map(|line| field(line)).collect()).collect()
}

fn field(line: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let end = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
    (line[..end].to_vec(), line.get(end + 1..).unwrap_or_default().to_vec())
}
