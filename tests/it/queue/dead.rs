//! Dead letters (Q8): what is kept of every attempt, every way of replaying and discarding, and that nothing else takes
//! them away.

use std::collections::BTreeSet;
use std::time::Duration;

use advosync::queue::{AttemptError, DeadLetter, Fault, Flow, Outcome, RecordAction, Selection};

use super::*;
use crate::support::redis::Redis;
use crate::support::worker::Site;

/// The keys that the runbook passes, for the flow `vmh` and the mapping `beteiligte`.
const KEYS: [&str; 9] = [
    "jobs:vmh:dead",
    "jobs:vmh",
    "jobs:vmh:sweep",
    "jobs:vmh:dead:open",
    "jobs:vmh:dead:resolved",
    "vmh:beteiligte:create_pending",
    "vmh:beteiligte:update_pending",
    "vmh:beteiligte:delete_pending",
    "vmh:beteiligte:sync_check_pending",
];
/// At most so many letters go back with one call of a person.
const AT_ONCE: usize = 5_000;

fn entities() -> Vec<String> {
    vec!["beteiligte".to_owned()]
}

fn dead(code: &str) -> Outcome {
    Outcome::Dead { error: Fault::new(code, format!("{code} broke for good")) }
}

fn retry(code: &str, after: Duration) -> Outcome {
    Outcome::Retry { after, error: Fault::new(code, format!("{code} broke")) }
}

/// Buries these keys one after the other; the letters' ids.
async fn bury(queue: &Queue, action: RecordAction, keys: &[&str]) -> Vec<String> {
    let mut worker = consumer(queue, "w", LONG);
    let mut ids = Vec::new();
    for key in keys {
        enqueue(queue, action, &[key]).await;
        let claimed = one(&mut worker).await;
        end(queue, "w", claimed, dead("x")).await;
        ids.push(queue.dead_letters(Flow::Vmh, 1).await.unwrap().remove(0).id);
    }
    ids
}

/// Writes letters by hand, thousands at once: `key` is a format for their number.
fn write_letters(redis: &Redis, count: usize, key: &str) {
    let script = "for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '*', 'topic', 'vmh.beteiligte.update', 'key', \
                  string.format(ARGV[2], i), 'lane', 'first') end return redis.call('XLEN', KEYS[1])";
    redis.cli(&["EVAL", script, "1", "jobs:vmh:dead", &count.to_string(), key]);
}

/// As a person at redis-cli, with all keys or with the two that must be there.
fn replay(redis: &Redis, keys: &[&str], words: &[&str]) -> String {
    let count = keys.len().to_string();
    redis.cli(&[&["FCALL", "advosync_replay", &count][..], keys, words].concat())
}

fn length(redis: &Redis, key: &str) -> usize {
    redis.cli(&["XLEN", key]).parse().unwrap()
}

async fn letters(queue: &Queue) -> Vec<DeadLetter> {
    queue.dead_letters(Flow::Vmh, 100_000).await.unwrap()
}

async fn promote(queue: &Queue) {
    while queue.tend(Flow::Vmh).await.unwrap().promoted == 0 {}
}

#[tokio::test]
async fn every_attempt_is_kept_on_all_ways_to_the_grave() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let traced = async |action, trace: &str| {
        let keys = ["a".to_owned()];
        let batch = Batch { traceparent: Some(trace), ..Batch::new(topic(action), Lane::First, &keys, "test") };
        queue.enqueue(&batch).await.unwrap();
    };
    let traces = [1, 2].map(|n| format!("00-{n:032x}-{n:016x}-01"));
    let (mut first, mut second) = (consumer(&queue, "w1", LONG), consumer(&queue, "w2", LONG));
    traced(RecordAction::Update, &traces[0]).await;
    // a failed attempt waits for its time and comes back
    let claimed = one(&mut first).await;
    end(&queue, "w1", claimed, retry("one", Duration::ZERO)).await;
    promote(&queue).await;
    // what is no failure adds nothing and takes nothing away: an upstream that is down, a quiet time, a process that stops
    let later = Outcome::Later { after: Duration::ZERO, reason: "it is down".into() };
    let hold = Outcome::Hold { after: Duration::ZERO, reason: "quiet".into() };
    for outcome in [later, hold] {
        let claimed = one(&mut first).await;
        end(&queue, "w1", claimed, outcome).await;
        promote(&queue).await;
    }
    let claimed = one(&mut first).await;
    end(&queue, "w1", claimed, Outcome::Back).await;
    // parked behind another job of its record
    enqueue(&queue, RecordAction::Create, &["a"]).await;
    let waiting = one(&mut first).await;
    assert_eq!(waiting.job.topic, topic(RecordAction::Update));
    end(&queue, "w1", waiting, retry("two", Duration::from_hours(1))).await;
    // absorbed by a newer job with a trace of its own
    let create = one(&mut second).await;
    assert_eq!((create.job.topic.clone(), create.job.attempt()), (topic(RecordAction::Create), 3));
    traced(RecordAction::Update, &traces[1]).await;
    none(&mut first).await;
    assert_eq!(redis.cli(&["HLEN", "jobs:vmh:parked"]), "1");
    end(&queue, "w2", create, retry("three", Duration::from_hours(1))).await;
    let last = one(&mut first).await;
    assert_eq!((last.job.topic.clone(), last.job.attempt()), (topic(RecordAction::Update), 4));
    let before = chrono::Utc::now();
    end(&queue, "w1", last, dead("four")).await;

    let letter = letters(&queue).await.remove(0);
    let told: Vec<(u32, &str, &str, Option<&str>)> = letter
        .errors
        .iter()
        .map(|it: &AttemptError| (it.attempt, it.code.as_str(), it.worker.as_str(), it.trace.as_deref()))
        .collect();
    let (old, new) = (Some(traces[0].as_str()), Some(traces[1].as_str()));
    assert_eq!(told, [(1, "one", "w1", old), (2, "two", "w1", old), (3, "three", "w2", None), (4, "four", "w1", new)]);
    assert!(letter.errors.is_sorted_by_key(|it| it.at) && letter.errors[3].at >= before);
    assert_eq!(letter.errors[0].error, "one broke");
    assert_eq!((letter.code.as_deref(), letter.error.as_deref()), (Some("four"), Some("four broke for good")));
    assert_eq!((letter.fields["worker"].as_str(), letter.fields["attempt"].as_str()), ("w1", "4"));
    assert!(!letter.fields.contains_key("reason"), "it waits for nothing any more");
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_buried_with_its_attempts() {
    let site = Site::start().await;
    let lock = "sync_lock:beteiligte:a";
    // an attempt failed once; since then its workers have died, three times with nothing beside it
    site.redis.cli(&["HSET", "jobs:vmh:suspects", lock, r#"{"losses":5,"alone":3}"#]);
    let before = r#"[{"attempt":1,"at":"2026-01-01T00:00:00Z","code":"x","error":"it broke","worker":"gone"}]"#;
    let job = ["topic", "vmh.beteiligte.update", "key", "a", "attempt", "1", "errors", before];
    site.redis.cli(&[&["XADD", "jobs:vmh", "*"][..], &job].concat());
    let worker = site.worker("last", |_| {}).await;
    site.until("it is buried", async || site.stats().await.dead == 1).await;
    let letter = letters(&site.queue).await.remove(0);
    let told: Vec<(u32, &str, &str)> =
        letter.errors.iter().map(|it| (it.attempt, it.code.as_str(), it.worker.as_str())).collect();
    assert_eq!(told, [(1, "x", "gone"), (2, "poison", "last")]);
    assert!(letter.error.as_ref().is_some_and(|error| error.starts_with("5 workers died")), "{letter:?}");
    assert_eq!((letter.code.as_deref(), site.runs().len()), (Some("poison"), 0), "it was not run again");
    assert_eq!(site.redis.cli(&["EXISTS", "jobs:vmh:suspects", lock]), "0", "a replay begins without suspicion");
    worker.stop().await;
}

#[tokio::test]
async fn an_error_of_megabytes_is_cut() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let huge = "ä".repeat(3_000_000);
    let mut worker = consumer(&queue, "w", LONG);
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    let steps = [
        Outcome::Retry { after: Duration::ZERO, error: Fault::new("x", huge.clone()) },
        Outcome::Later { after: Duration::ZERO, reason: huge.clone() },
        Outcome::Hold { after: Duration::ZERO, reason: huge.clone() },
    ];
    for outcome in steps {
        let claimed = one(&mut worker).await;
        end(&queue, "w", claimed, outcome).await;
        let waits: usize =
            redis.cli(&["HSTRLEN", "jobs:vmh:scheduled:jobs", "sync_lock:beteiligte:a"]).parse().unwrap();
        assert!(waits < 10_000, "{waits} bytes");
        promote(&queue).await;
    }
    let claimed = one(&mut worker).await;
    end(&queue, "w", claimed, Outcome::Dead { error: Fault::new("x", huge) }).await;
    let letter = letters(&queue).await.remove(0);
    for text in [letter.error.as_ref().unwrap(), &letter.errors[0].error, &letter.errors[1].error] {
        assert_eq!((text.chars().count(), text.chars().last()), (2_000, Some('…')));
    }
    // what fits is left as it is
    enqueue(&queue, RecordAction::Update, &["b"]).await;
    let claimed = one(&mut worker).await;
    let fits = "ä".repeat(2_000);
    end(&queue, "w", claimed, Outcome::Dead { error: Fault::new("x", fits.clone()) }).await;
    assert_eq!(letters(&queue).await[0].error.as_deref(), Some(fits.as_str()));
}

#[tokio::test]
async fn a_person_chooses_by_id_range_topic_time_or_takes_all() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let updates = bury(&queue, RecordAction::Update, &["a", "b", "c", "d", "e"]).await;
    let creates = bury(&queue, RecordAction::Create, &["f", "g"]).await;
    // answers how many went back; what went back dies again, so that the next one finds all of them
    let check = async |words: &[&str], expected: &[&str]| {
        assert_eq!(replay(&redis, &KEYS, words), expected.len().to_string(), "{words:?}");
        let mut worker = consumer(&queue, "w", LONG);
        let mut keys = BTreeSet::new();
        while length(&redis, "jobs:vmh") > 0 {
            for claimed in next(&mut worker).await {
                assert_eq!((claimed.job.attempt(), claimed.job.errors.len()), (1, 0), "anew");
                assert_eq!(claimed.job.source.as_deref(), Some("replay"));
                keys.insert(claimed.job.key.clone());
                end(&queue, "w", claimed, done()).await;
            }
        }
        assert_eq!(keys, expected.iter().map(|key| (*key).to_owned()).collect(), "{words:?}");
    };
    let half = |id: &str| id.split_once('-').unwrap().0.to_owned();
    check(&["range", "1-0", "2"], &[]).await;
    check(&["range", &format!("({}", creates[1]), "+"], &[]).await;
    check(&[&updates[0]], &["a"]).await;
    check(&["range", "-", &updates[1]], &["b"]).await;
    check(&[&updates[2], &updates[3], &updates[2]], &["c", "d"]).await;
    check(&["topic", "vmh.beteiligte.delete"], &[]).await;
    check(&["topic", "vmh.beteiligte.create", "range", &format!("({}", creates[0]), "+"], &["g"]).await;
    check(&["topic", "vmh.beteiligte.create", "since", &half(&creates[0])], &["f"]).await;
    check(&["topic", "vmh.beteiligte.update"], &["e"]).await;
    let more = bury(&queue, RecordAction::Update, &["h", "i", "j", "k"]).await;
    check(&["since", &(chrono::Utc::now().timestamp_millis() + 60_000).to_string()], &[]).await;
    check(&["range", &more[0], &more[1]], &["h", "i"]).await;
    check(&["since", &half(&more[3])], if half(&more[2]) == half(&more[3]) { &["j", "k"] } else { &["k"] }).await;
    bury(&queue, RecordAction::Delete, &["l", "m"]).await;
    let left: Vec<String> = letters(&queue).await.into_iter().filter_map(|letter| letter.key).collect();
    check(&["all"], &left.iter().map(String::as_str).collect::<Vec<_>>()).await;
    check(&["all"], &[]).await;
}

#[tokio::test]
async fn the_program_chooses_in_the_same_ways() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let ids = bury(&queue, RecordAction::Update, &["a", "b", "c", "d", "e", "f"]).await;
    let check = async |which: Selection, expected: usize| {
        assert_eq!(queue.replay(Flow::Vmh, &which, &entities()).await.unwrap(), expected, "{which:?}");
    };
    let range = |from: Option<&String>, to: Option<&String>| Selection::Range { from: from.cloned(), to: to.cloned() };
    check(Selection::Ids(vec![ids[0].clone(), ids[0].clone()]), 1).await;
    check(range(Some(&ids[1]), Some(&ids[2])), 2).await;
    check(range(Some(&ids[5]), None), 1).await;
    check(range(None, Some(&ids[3])), 1).await;
    check(Selection::Since(chrono::Utc::now() + chrono::TimeDelta::hours(1)), 0).await;
    check(range(Some(&"1".to_owned()), Some(&"99999999999999".to_owned())), 1).await;
    check(Selection::All, 0).await;
    for odd in
        [range(Some(&ids[1]), Some(&ids[0])), range(Some(&"x".to_owned()), None), Selection::Ids(vec!["1".into()])]
    {
        assert!(queue.replay(Flow::Vmh, &odd, &entities()).await.is_err(), "{odd:?}");
    }
}

#[tokio::test]
async fn a_call_that_makes_no_sense_does_nothing() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let id = bury(&queue, RecordAction::Update, &["a"]).await.remove(0);
    enqueue(&queue, RecordAction::Update, &["live"]).await;
    let live = redis.cli(&["XRANGE", "jobs:vmh", "-", "+"]).lines().next().unwrap().to_owned();
    let two = &KEYS[..2];
    for (keys, words, why) in [
        // swapped, the jobs that wait would be taken for letters
        (&["jobs:vmh", "jobs:vmh:dead"][..], &["all"][..], "the first key must be"),
        (&["jobs:vmh:dead", "jobs:calendar"], &["all"], "the second key must be"),
        (&["jobs:vmh:dead"], &["all"], "the second key must be"),
        (&["jobs:vmh:dead", "jobs:vmh:sweep"], &["all"], "the second key must be"),
        (two, &[], "usage"),
        (two, &["everything"], "usage"),
        (two, &["all", "vmh.beteiligte.update"], "usage"),
        (two, &["topic"], "usage"),
        (two, &["topic", "vmh.beteiligte.update", "all"], "usage"),
        (two, &["since"], "usage"),
        (two, &["since", "1h"], "usage"),
        (two, &["range", &id], "usage"),
        (two, &["range", &id, "now"], "usage"),
        (two, &["1-1"], "no dead letter 1-1"),
        (two, &[&id, "1-1"], "no dead letter 1-1"),
        (two, &[id.split_once('-').unwrap().0], "usage"),
    ] {
        let said = replay(&redis, keys, words);
        assert!(said.contains("ERR") && said.contains(why), "{keys:?} {words:?}: {said}");
    }
    for (key, word, why) in [
        ("jobs:vmh", live.as_str(), "the first key must be"),
        ("jobs:vmh:dead", "all", "usage"),
        ("jobs:vmh:dead", "-", "usage"),
    ] {
        let said = redis.cli(&["FCALL", "advosync_discard", "1", key, word]);
        assert!(said.contains("ERR") && said.contains(why), "{key} {word}: {said}");
    }
    assert_eq!((length(&redis, "jobs:vmh:dead"), length(&redis, "jobs:vmh")), (1, 1));
    assert_eq!(redis.cli(&["FCALL", "advosync_discard", "1", "jobs:vmh:dead", "1-1"]), "0");
}

#[tokio::test]
async fn a_letter_whose_key_is_queued_stays_and_is_resolved_by_that_job() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    bury(&queue, RecordAction::Update, &["a", "a", "b"]).await;
    // of two letters of one key the first goes; with the sets passed, none is queued twice
    assert_eq!(replay(&redis, &KEYS, &["all"]), "2");
    assert_eq!(replay(&redis, &KEYS, &["all"]), "0");
    let mut replay = queue.begin_replay(Flow::Vmh, &Selection::All, &entities()).await.unwrap();
    assert_eq!(replay.letters(), 1);
    let left = replay.step().await.unwrap().unwrap();
    assert_eq!((left.replayed, left.waiting, left.nameless, left.seen), (0, 1, 0, 1));
    assert_eq!(replay.step().await.unwrap(), None);
    let mut worker = consumer(&queue, "w", LONG);
    for claimed in next(&mut worker).await {
        end(&queue, "w", claimed, done()).await;
    }
    let left = letters(&queue).await;
    assert_eq!((left.len(), left[0].resolved, left[0].key.as_deref()), (1, true, Some("a")));
    assert_eq!(queue.stats(chrono::Utc::now()).await.unwrap().flows["vmh"].dead, 0);
}

#[tokio::test]
async fn a_sweeps_letter_goes_back_to_its_lane_if_that_is_passed_and_shadows_nothing_if_not() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let set = "vmh:beteiligte:sync_check_pending";
    for (keys, stream, pending) in [
        (&["jobs:vmh:dead", "jobs:vmh", "vmh:beteiligte:sync_check_pending:sweep", set][..], "jobs:vmh", set),
        (
            &["jobs:vmh:dead", "jobs:vmh", "vmh:beteiligte:sync_check_pending:sweep", set, "jobs:vmh:sweep"],
            "jobs:vmh:sweep",
            "vmh:beteiligte:sync_check_pending:sweep",
        ),
    ] {
        let keys_swept = ["a".to_owned()];
        queue.enqueue(&Batch::new(topic(RecordAction::SyncCheck), Lane::Sweep, &keys_swept, "cron")).await.unwrap();
        let mut worker = consumer(&queue, "w", LONG);
        let claimed = one(&mut worker).await;
        end(&queue, "w", claimed, dead("x")).await;
        assert_eq!(replay(&redis, keys, &["all"]), "1");
        assert_eq!((length(&redis, stream), redis.cli(&["SMEMBERS", pending]).as_str()), (1, "a"));
        let again = one(&mut worker).await;
        end(&queue, "w", again, done()).await;
        for set in [set, "vmh:beteiligte:sync_check_pending:sweep"] {
            assert_eq!(redis.cli(&["SCARD", set]), "0", "{set} would swallow the next job");
        }
    }
}

#[tokio::test]
async fn a_replayed_job_is_as_old_as_its_replay() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    redis.cli(&["XADD", "jobs:vmh:dead", "*", "topic", "vmh.x.new", "key", "a", "enqueued_at", "1000", "reason", "x"]);
    assert_eq!(replay(&redis, &KEYS[..2], &["all"]), "1");
    let stats = queue.stats(chrono::Utc::now()).await.unwrap().flows["vmh"];
    assert!(stats.oldest_age_ms.is_some_and(|age| age < 60_000), "{stats:?}");
    let claimed = one(&mut consumer(&queue, "w", LONG)).await;
    // an unknown topic is offered for a day from here on, not buried again at once
    assert!(chrono::Utc::now() - claimed.job.enqueued_at < chrono::TimeDelta::minutes(1), "{:?}", claimed.job);
    assert!(!claimed.job.has_waited());
}

/// One letter of every kind of topic, in both flows; they name the flow and the letter.
async fn one_of_each_kind(redis: &Redis, queue: &Queue) -> Vec<(Flow, String)> {
    let of = |flow: Flow, topics: &[&'static str]| topics.iter().map(|topic| (flow, *topic)).collect::<Vec<_>>();
    let mut kinds = of(
        Flow::Vmh,
        &[
            "vmh.beteiligte.create",
            "vmh.beteiligte.update",
            "vmh.beteiligte.delete",
            "vmh.beteiligte.sync_check",
            "vmh.beteiligte.sweep",
            "vmh.beteiligte.inspect",
            "vmh.beteiligte.import",
            "vmh.beteiligte.rename",
            "vmh.a.b.create",
            "nonsense",
        ],
    );
    kinds.extend(of(Flow::Calendar, &["calendar_sync_all", "calendar_sync_employee", "calendar_inspect", "nonsense"]));
    let mut out = Vec::new();
    for (n, (flow, topic)) in kinds.into_iter().enumerate() {
        redis.cli(&["XADD", &format!("jobs:{flow}"), "*", "topic", topic, "key", &format!("a key:{{{n}}}")]);
        let mut worker = Consumer::new(queue, flow, "w", LONG);
        let claimed = one(&mut worker).await;
        end(queue, "w", claimed, dead("x")).await;
        out.push((flow, queue.dead_letters(flow, 1).await.unwrap().remove(0).id));
    }
    out
}

#[tokio::test]
async fn no_mark_outlives_its_letter_whatever_took_it_and_whichever_keys_were_passed() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let marks = |part: &str| {
        ["vmh", "calendar"]
            .map(|flow| redis.cli(&["HLEN", &format!("jobs:{flow}:dead:{part}")]).parse::<u32>().unwrap())
    };
    let take = async |how: &str| {
        for (flow, id) in one_of_each_kind(&redis, &queue).await {
            let (dead, stream) = (format!("jobs:{flow}:dead"), format!("jobs:{flow}"));
            redis.cli(&["HSET", &format!("{dead}:resolved"), &id, "1"]);
            let ids = [id.clone()];
            match how {
                "replayed by cli" => {
                    let said = redis.cli(&["FCALL", "advosync_replay", "2", &dead, &stream, &id]);
                    assert_eq!(said, "1");
                }
                "replayed" => {
                    let which = Selection::Ids(ids.to_vec());
                    assert_eq!(queue.replay(flow, &which, &entities()).await.unwrap(), 1);
                }
                "discarded by cli" => assert_eq!(redis.cli(&["FCALL", "advosync_discard", "1", &dead, &id]), "1"),
                _ => assert_eq!(queue.discard(flow, &ids).await.unwrap(), 1),
            }
        }
        assert_eq!((marks("open"), marks("resolved")), ([0, 0], [0, 0]), "{how}");
        for flow in Flow::ALL {
            assert_eq!(length(&redis, &format!("jobs:{flow}:dead")), 0);
            let mut worker = Consumer::new(&queue, flow, "w", LONG);
            while length(&redis, &format!("jobs:{flow}")) + length(&redis, &format!("jobs:{flow}:sweep")) > 0 {
                for claimed in next(&mut worker).await {
                    end(&queue, "w", claimed, done()).await;
                }
            }
        }
    };
    for how in ["replayed by cli", "replayed", "discarded by cli", "discarded"] {
        take(how).await;
    }
}

#[tokio::test]
async fn the_count_of_open_letters_is_right_after_each_step() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let open = async || queue.stats(chrono::Utc::now()).await.unwrap().flows["vmh"].dead;
    let succeed = async |key: &str| {
        enqueue(&queue, RecordAction::Update, &[key]).await;
        let claimed = one(&mut consumer(&queue, "w", LONG)).await;
        end(&queue, "w", claimed, done()).await;
    };
    let ids = bury(&queue, RecordAction::Update, &["a", "a", "b"]).await;
    assert_eq!(open().await, 3);
    // one of two letters of a key is discarded, the other is resolved
    redis.cli(&["FCALL", "advosync_discard", "1", "jobs:vmh:dead", &ids[0]]);
    assert_eq!(
        (open().await, redis.cli(&["HGET", "jobs:vmh:dead:open", "sync_lock:beteiligte:a"])),
        (2, ids[1].clone())
    );
    succeed("a").await;
    assert_eq!(open().await, 1);
    // a resolved one is replayed with the two keys that the contract names, and dies again
    assert_eq!(replay(&redis, &KEYS[..2], &[&ids[1]]), "1");
    assert_eq!(open().await, 1);
    let claimed = one(&mut consumer(&queue, "w", LONG)).await;
    end(&queue, "w", claimed, dead("x")).await;
    assert_eq!(open().await, 2, "the new letter is open");
    // replayed, and resolved by its own success: nothing is left of it
    assert_eq!(replay(&redis, &KEYS[..2], &["all"]), "2");
    for claimed in next(&mut consumer(&queue, "w", LONG)).await {
        end(&queue, "w", claimed, done()).await;
    }
    assert_eq!((open().await, redis.cli(&["EXISTS", KEYS[0], KEYS[3], KEYS[4]]).as_str()), (0, "1"));
    assert_eq!(length(&redis, "jobs:vmh:dead"), 0);
}

#[tokio::test]
async fn under_a_prefix_the_marks_are_found_as_well() {
    let redis = Redis::start();
    let server = advosync::queue::Server::Single(redis.url().into());
    let prefix = "{advosync}:".to_owned();
    let timeout = Duration::from_secs(5);
    let queue = Queue::new(&advosync::queue::Options { server, prefix, timeout, tls: advosync::queue::Tls::default() })
        .unwrap();
    queue.prepare(chrono::Utc::now()).await.unwrap();
    let ids = bury(&queue, RecordAction::Update, &["a", "b", "c"]).await;
    let keys = KEYS.map(|key| format!("{{advosync}}:{key}"));
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!(redis.cli(&["HLEN", keys[3]]), "3");
    assert_eq!(replay(&redis, &keys[..2], &[&ids[0]]), "1");
    redis.cli(&["SADD", keys[6], "b"]);
    assert_eq!(replay(&redis, &keys, &["all"]), "1", "b is pending");
    assert_eq!(queue.discard(Flow::Vmh, &ids[1..2]).await.unwrap(), 1);
    assert_eq!(redis.cli(&["HLEN", keys[3]]), "0");
}

#[tokio::test]
async fn nothing_but_a_person_takes_a_letter_away() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    bury(&queue, RecordAction::Update, &["a", "a", "b"]).await;
    redis.cli(&["XADD", "jobs:vmh", "*", "no", "job"]);
    none(&mut consumer(&queue, "w", LONG)).await;
    let before = redis.cli(&["XRANGE", "jobs:vmh:dead", "-", "+"]);
    assert_eq!(length(&redis, "jobs:vmh:dead"), 4);
    // whatever the program does of itself
    enqueue(&queue, RecordAction::Update, &["a", "c"]).await;
    let mut worker = consumer(&queue, "w", LONG);
    for claimed in next(&mut worker).await {
        end(&queue, "w", claimed, done()).await;
    }
    enqueue(&queue, RecordAction::Update, &["b"]).await;
    let claimed = one(&mut worker).await;
    end(&queue, "w", claimed, Outcome::Skipped { reason: "echo".into() }).await;
    for _ in 0..2 {
        queue.tend(Flow::Vmh).await.unwrap();
        queue.tidy_after(Flow::Vmh, &entities(), Duration::ZERO).await.unwrap();
    }
    worker.reclaim(10, 10).await.unwrap();
    worker.leave().await.unwrap();
    queue.stats(chrono::Utc::now()).await.unwrap();
    letters(&queue).await;
    redis.cli(&["FUNCTION", "FLUSH"]);
    queue.migrate(false, chrono::Utc::now()).await.unwrap();
    queue.prepare(chrono::Utc::now()).await.unwrap();
    assert_eq!(redis.cli(&["XRANGE", "jobs:vmh:dead", "-", "+"]), before);
}

/// What every function of every library says to the stream of dead letters: only the two that people call delete.
#[test]
fn no_function_deletes_letters_but_those_for_people() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let code = std::fs::read_to_string(&path).unwrap();
        for line in
            code.lines().filter(|line| line.contains("XDEL") || line.contains("XTRIM") || line.contains("'DEL'"))
        {
            let of_letters = line.contains("dead") || path.ends_with("admin.lua");
            let by_people = path.ends_with("admin.lua") && line.contains("redis.call('XDEL', keys[1], ");
            assert!(!of_letters || by_people, "{}: {line}", path.display());
        }
    }
}

#[tokio::test]
async fn a_call_puts_back_a_bounded_number_and_the_program_goes_on() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    write_letters(&redis, AT_ONCE + 1_500, "id%d");
    assert_eq!(replay(&redis, &KEYS, &["all"]), AT_ONCE.to_string());
    assert_eq!(replay(&redis, &KEYS, &["all"]), "1500");
    assert_eq!(replay(&redis, &KEYS, &["all"]), "0");
    assert_eq!((length(&redis, "jobs:vmh:dead"), length(&redis, "jobs:vmh")), (0, AT_ONCE + 1_500));
    redis.cli(&["DEL", "vmh:beteiligte:update_pending"]);
    write_letters(&redis, 2_500, "more%d");
    let mut under_way = queue.begin_replay(Flow::Vmh, &Selection::All, &entities()).await.unwrap();
    assert_eq!(under_way.letters(), 2_500);
    let mut steps = Vec::new();
    while let Some(step) = under_way.step().await.unwrap() {
        steps.push(step.replayed);
        // what dies meanwhile is not replayed for ever
        write_letters(&redis, 10, &format!("again{}-%d", steps.len()));
    }
    assert_eq!(steps, [1_000, 1_000, 500]);
    assert_eq!(length(&redis, "jobs:vmh:dead"), 30);
}

#[tokio::test]
async fn many_letters_that_must_wait_hide_none_behind_them() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    enqueue(&queue, RecordAction::Update, &["a"]).await;
    write_letters(&redis, 10_500, "a");
    write_letters(&redis, 5, "other%d");
    // redis-cli is told where to go on
    let said = replay(&redis, &KEYS, &["topic", "vmh.beteiligte.update"]);
    let (_, words) = said.split_once("go on with: ").unwrap_or_else(|| panic!("{said}"));
    let words: Vec<&str> = words.split_whitespace().map(|word| word.trim_matches('\'')).collect();
    assert_eq!(words[..3], ["topic", "vmh.beteiligte.update", "range"]);
    assert_eq!(replay(&redis, &KEYS, &words), "5");
    // the program goes on by itself
    write_letters(&redis, 5, "more%d");
    assert_eq!(queue.replay(Flow::Vmh, &Selection::All, &entities()).await.unwrap(), 5);
    assert_eq!(length(&redis, "jobs:vmh:dead"), 10_500);
}

#[tokio::test]
async fn a_long_list_is_read_in_pieces_and_in_order() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    write_letters(&redis, 1_234, "id%d");
    let all = letters(&queue).await;
    let keys: Vec<String> = all.iter().filter_map(|letter| letter.key.clone()).collect();
    assert_eq!(keys, (1..=1_234).rev().map(|n| format!("id{n}")).collect::<Vec<_>>());
    let some = queue.dead_letters(Flow::Vmh, 501).await.unwrap();
    assert_eq!((some.len(), &some[500]), (501, &all[500]));
    redis.cli(&["HSET", "jobs:vmh:dead:resolved", &all[700].id, "1"]);
    assert_eq!(letters(&queue).await.iter().filter(|letter| letter.resolved).count(), 1);
    let ids: Vec<String> = all.iter().map(|letter| letter.id.clone()).collect();
    let asked = [&ids[..], &["1-1".to_owned()]].concat();
    assert_eq!(queue.dead_letters_of(Flow::Vmh, &asked).await.unwrap().len(), 1_234);
    assert_eq!(queue.discard(Flow::Vmh, &asked).await.unwrap(), 1_234);
    assert_eq!(redis.cli(&["HLEN", "jobs:vmh:dead:resolved"]), "0");
}
