//! Odd input, each kind defined in `docs/queue.md`: large payloads, strange keys, clocks that are wrong, names that are
//! used twice, older programs beside newer ones.

use std::collections::BTreeSet;
use std::time::Duration;

use advosync::queue::{
    Batch, Claimed, Consumer, Ended, Fault, Finish, Finished, Flow, Lane, Outcome, Queue, QueueError, RecordAction,
    Selection, Topic,
};
use chrono::Utc;

use super::{LONG, consumer, done, end, next, none, one, topic};
use crate::support::redis::Redis;
use crate::support::runlog::{Which, now};
use crate::support::verdict::{Answer, Asked, History};
use crate::support::worker::{Behaviour, Setup, Site, Worker, keys};

const MEBIBYTE: usize = 1 << 20;

async fn ask(queue: &Queue, action: RecordAction, keys: &[String], payload: &str) -> (usize, usize) {
    let batch = Batch { payload: Some(payload), ..Batch::new(topic(action), Lane::First, keys, "test") };
    let enqueued = queue.enqueue(&batch).await.unwrap();
    (enqueued.new.len(), enqueued.already)
}

/// The next `keys.len()` jobs, which must be these, with this payload.
async fn all(worker: &mut Consumer, keys: &[String], payload: &str) -> Vec<Claimed> {
    let mut claimed = Vec::new();
    while claimed.len() < keys.len() {
        claimed.extend(next(worker).await);
    }
    let got: BTreeSet<&str> = claimed.iter().map(|claimed| claimed.job.key.as_str()).collect();
    assert_eq!(got, keys.iter().map(String::as_str).collect(), "every key as it was given");
    assert!(claimed.iter().all(|claimed| claimed.job.payload.as_deref() == Some(payload)), "every payload as well");
    claimed
}

async fn end_all(queue: &Queue, claimed: Vec<Claimed>, outcome: &Outcome) {
    for claimed in claimed {
        assert_eq!(end(queue, "w", claimed, outcome.clone()).await, Finished::Moved);
    }
}

/// Takes jobs through every place where a job can be.
async fn survive_every_way(keys: &[String], payload: &str) {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let mut worker = consumer(&queue, "w", LONG);
    let retry = Outcome::Retry { after: Duration::ZERO, error: Fault::new("x", "it broke") };
    let n = keys.len();
    // pending, running, parked
    assert_eq!(ask(&queue, RecordAction::Update, keys, payload).await, (n, 0));
    assert_eq!(ask(&queue, RecordAction::Update, keys, payload).await, (0, n), "queued already");
    let running = all(&mut worker, keys, payload).await;
    assert_eq!(ask(&queue, RecordAction::Update, keys, payload).await, (n, 0), "a change during the run");
    while redis.cli(&["XLEN", "jobs:vmh"]) != n.to_string() {
        assert!(worker.next(10, 5).await.unwrap().is_empty(), "not while it runs");
    }
    assert_eq!(redis.cli(&["HLEN", "jobs:vmh:parked"]), n.to_string());
    // scheduled, taken over by what was parked, due
    end_all(&queue, running, &retry).await;
    let second = all(&mut worker, keys, payload).await;
    assert!(second.iter().all(|claimed| claimed.job.attempt() == 2), "the retry is taken over");
    end_all(&queue, second, &retry).await;
    let mut promoted = 0;
    while promoted < n {
        promoted += queue.tend(Flow::Vmh).await.unwrap().promoted;
    }
    // dead, replayed, done
    let third = all(&mut worker, keys, payload).await;
    assert!(third.iter().all(|claimed| claimed.job.attempt() == 3));
    end_all(&queue, third, &Outcome::Dead { error: Fault::new("x", "it broke for good") }).await;
    let letters = queue.dead_letters(Flow::Vmh, 100).await.unwrap();
    assert!(letters.iter().all(|letter| letter.fields["payload"] == payload && letter.errors.len() == 3));
    assert_eq!(queue.replay(Flow::Vmh, &Selection::All, &["beteiligte".to_owned()]).await.unwrap(), n);
    assert_eq!(ask(&queue, RecordAction::Update, keys, payload).await, (0, n), "a replay is pending");
    let mut waiter = queue.waiter(topic(RecordAction::Update), &keys[0]).await.unwrap();
    let last = all(&mut worker, keys, payload).await;
    end_all(&queue, last, &done()).await;
    assert!(matches!(waiter.poll().await.unwrap(), Some(Ended::Done { .. })), "and is waited for by its key");
    none(&mut worker).await;
    let left = redis.cli(&["KEYS", "*"]);
    let stays =
        |key: &str| key == "advosync:layout" || key == "jobs:vmh:leases" || redis.cli(&["TYPE", key]) == "stream";
    assert!(left.lines().all(stays), "{left}");
    assert_eq!((redis.cli(&["XLEN", "jobs:vmh"]).as_str(), redis.cli(&["XLEN", "jobs:vmh:dead"]).as_str()), ("0", "0"));
}

#[tokio::test]
async fn a_payload_of_a_mebibyte_survives_every_way() {
    let odd = "ä\u{1F600}\"\\\n\u{0}\u{7f}</x>";
    let mut payload = odd.repeat(MEBIBYTE / odd.len());
    payload.push_str(&"x".repeat(MEBIBYTE - payload.len()));
    assert_eq!(payload.len(), MEBIBYTE);
    survive_every_way(&["a".to_owned(), "b".to_owned()], &payload).await;
}

#[tokio::test]
async fn keys_of_any_text_survive_every_way() {
    let long = "k".repeat(10_240);
    let odd = [
        "{a}",
        "{",
        "}{",
        "{}",
        "a b",
        " ",
        "  a  ",
        "äöüß€",
        "a\u{308}",
        "\u{1F600}",
        "a\nb",
        "\r\n",
        "\t",
        "\u{0}",
        "a\u{0}b",
        "\u{1}\u{1b}[31m\u{7f}",
        "a:b:c",
        "*",
        "?[a-z]",
        "'\"\\",
        "%s%n",
        "all",
        "-",
        "+",
        "$",
        ">",
        "0",
        "-1",
        "null",
        "[]",
        "[\"topic\",\"x\"]",
        long.as_str(),
    ];
    survive_every_way(&odd.map(str::to_owned), r#"{"x":"ä"}"#).await;
}

#[tokio::test]
async fn an_empty_key_is_refused_at_the_door_and_buried_when_it_comes_another_way() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let with_empty = ["a".to_owned(), String::new()];
    let refused = queue.enqueue(&Batch::new(topic(RecordAction::Update), Lane::First, &with_empty, "test")).await;
    let error = refused.expect_err("a batch with an empty key");
    assert!(matches!(error, QueueError::Asked(_)) && error.to_string().contains("empty key"), "{error}");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "0", "none of it is queued");
    let mut raw = redis.raw().await;
    for (name, key) in [("key", &b""[..]), ("key", b"\xff\xfe"), ("kye", b"a")] {
        let mut cmd = redis::cmd("XADD");
        cmd.arg("jobs:vmh").arg("*").arg("topic").arg("vmh.beteiligte.update").arg(name).arg(key);
        let _: String = cmd.query_async(&mut raw).await.unwrap();
    }
    ask(&queue, RecordAction::Update, &["good".to_owned()], "{}").await;
    let mut worker = consumer(&queue, "w", LONG);
    let good = one(&mut worker).await;
    assert_eq!(good.job.key, "good");
    end(&queue, "w", good, done()).await;
    let letters = queue.dead_letters(Flow::Vmh, 10).await.unwrap();
    assert_eq!(letters.len(), 3);
    assert!(letters.iter().all(|letter| letter.code.as_deref() == Some("malformed")), "{letters:?}");
    assert!(letters[2].error.as_deref().is_some_and(|error| error.contains("no field `key`")), "{:?}", letters[2]);
}

/// A worker has no clock to be wrong (`walls::the_queue_and_the_worker_ask_no_clock_but_redis`), and does all in time.
#[tokio::test]
async fn what_has_a_time_goes_by_the_clock_of_redis() {
    let site = Site::start().await;
    let worker = site
        .worker("w", |setup| {
            setup.lease = Duration::from_secs(1);
            setup.waits = vec![Duration::from_millis(200), Duration::from_hours(1)];
        })
        .await;
    let one = |key: &str| [key.to_owned()];
    // longer than the lease; fails once; fails for good
    site.enqueue(Lane::First, &one("long"), &Behaviour::Sleep { ms: 2_500 }).await;
    site.enqueue(Lane::First, &one("again"), &Behaviour::Fail { times: 1 }).await;
    site.enqueue(Lane::First, &one("doomed"), &Behaviour::Doom).await;
    site.redis.cli(&["XADD", "jobs:vmh", "*", "topic", "vmh.kanzlei.update", "key", "unknown"]);
    site.until("two are done", async || site.redis.cli(&["XLEN", "jobs:vmh:done"]) == "2").await;
    assert!(site.runs().iter().all(|run| run.end.is_some()), "nothing was run twice or stopped");
    let letters = site.queue.dead_letters(Flow::Vmh, 10).await.unwrap();
    let dead: Vec<_> = letters.iter().map(|letter| (letter.key.as_deref(), letter.code.as_deref())).collect();
    assert_eq!(dead, [(Some("doomed"), Some("doomed"))], "a topic that nobody knows yet has a day");
    assert_eq!(site.stats().await.scheduled, 1);
    // whoever waits for a job learns that an attempt failed
    let mut waiter = site.queue.waiter(topic(RecordAction::Update), "fails").await.unwrap();
    site.enqueue(Lane::First, &one("fails"), &Behaviour::Fail { times: 2 }).await;
    let told = async {
        loop {
            if let Some(ended) = waiter.poll().await.unwrap() {
                return ended;
            }
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(10), told).await.expect("an attempt failed, and it is told");
    assert!(matches!(told, Ended::Failed { .. }), "{told:?}");
    let since = Selection::Since(Utc::now() - Duration::from_mins(5));
    assert_eq!(site.queue.replay(Flow::Vmh, &since, &[]).await.unwrap(), 1, "it was buried within the last minutes");
    worker.stop().await;
}

#[tokio::test]
async fn two_workers_of_one_name_lose_nothing_and_run_nothing_twice_at_once() {
    let site = Site::start().await;
    let twin = |setup: &mut Setup| {
        setup.consumer = "twin".to_owned();
        setup.lease = Duration::from_secs(1);
    };
    let mut asked = Vec::new();
    let ask = async |stem: &str, n: usize, ms: u64| -> Vec<Asked> {
        let at = now();
        let new = site.enqueue(Lane::First, &keys(stem, n), &Behaviour::Sleep { ms }).await.new;
        let job = |key: String| Which { topic: "vmh.beteiligte.update".to_owned(), key, sweep: false };
        new.into_iter().map(|key| Asked { job: job(key), at, answer: Answer::New }).collect()
    };
    // The second one begins while the first has all hands full, and finds the first one's jobs under its own name.
    let first = site.worker("first", twin).await;
    asked.extend(ask("early", 40, 700).await);
    site.until("it has all hands full", async || site.runs().len() >= 16).await;
    let second = site.worker("second", twin).await;
    asked.extend(ask("both", 400, 20).await);
    let by = |pid: u32| site.runs().iter().any(|run| run.began.pid == pid);
    site.until("both run jobs", async || by(first.pid()) && by(second.pid())).await;
    site.settle().await;
    // One stops, and takes the name along that the other still uses.
    first.stop().await;
    asked.extend(ask("late", 100, 20).await);
    site.settle().await;
    second.stop().await;
    // That it costs a run more here and there is what one name for two is said to do.
    asked.extend(asked.clone().into_iter().map(|asked| Asked { answer: Answer::Unknown, ..asked }));
    let history = History { asked, runs: site.runs(), ..History::default() };
    let stopped = history.runs.iter().filter(|run| !run.is_done()).count();
    println!("{} jobs, {} runs, {stopped} of them stopped", history.asked.len() / 2, history.runs.len());
    let faults = history.faults();
    assert!(faults.is_empty(), "{} faults, such as\n{}", faults.len(), faults[0]);
    assert_eq!(site.stats().await.dead, 0);
}

#[tokio::test]
async fn what_a_newer_program_added_to_a_job_travels_along() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    let extra = [("v", "2"), ("colour", "blue"), ("deadline", "1767225600000")];
    let mut cmd = vec!["XADD", "jobs:vmh", "*", "topic", "vmh.beteiligte.update", "key", "a"];
    cmd.extend(extra.iter().flat_map(|(name, value)| [*name, *value]));
    redis.cli(&cmd);
    let mut worker = consumer(&queue, "w", LONG);
    let outcomes = [
        Outcome::Retry { after: Duration::ZERO, error: Fault::new("x", "y") },
        Outcome::Back,
        Outcome::Dead { error: Fault::new("x", "y") },
        Outcome::Dead { error: Fault::new("x", "y") },
    ];
    for outcome in outcomes {
        let mut claimed = worker.next(10, 5).await.unwrap();
        while claimed.is_empty() {
            queue.tend(Flow::Vmh).await.unwrap();
            queue.replay(Flow::Vmh, &Selection::All, &[]).await.unwrap();
            claimed = worker.next(10, 5).await.unwrap();
        }
        let claimed = claimed.remove(0);
        let known = claimed.job.extra.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(known.collect::<BTreeSet<_>>(), BTreeSet::from(extra), "for {outcome:?}");
        let finish = Finish { claimed, outcome, worker: "w".into(), ended_at: Utc::now() };
        queue.finish(&[finish]).await.unwrap();
    }
    let letter = queue.dead_letters(Flow::Vmh, 1).await.unwrap().remove(0);
    assert!(extra.iter().all(|(name, value)| letter.fields[*name] == *value), "{letter:?}");
}

#[tokio::test]
async fn an_older_worker_leaves_to_the_newer_one_what_it_does_not_know() {
    let site = Site::start().await;
    // A newer program has been here, whose layout serves the older one still.
    site.redis.cli(&["HSET", "advosync:layout", "layout", "2", "serves_from", "1", "serves_to", "2"]);
    let older = site.worker("older", |_| {}).await;
    let kanzlei = Topic::record("kanzlei", RecordAction::Update);
    site.queue.enqueue(&Batch::new(kanzlei, Lane::First, &keys("new", 5), "test")).await.unwrap();
    site.redis.cli(&["XADD", "jobs:vmh", "*", "topic", "vmh.beteiligte.merge", "key", "newest"]);
    site.enqueue(Lane::First, &keys("old", 5), &Behaviour::Nothing).await;
    site.until("six wait for somebody who knows", async || site.stats().await.scheduled == 6).await;
    let newer = site
        .worker("newer", |setup| {
            setup.entities.push("kanzlei".to_owned());
        })
        .await;
    site.until("what the newer one knows is done", async || {
        // A minute passes, as often as the older one gets it again.
        for n in 0..5 {
            site.redis.cli(&["ZADD", "jobs:vmh:scheduled", "XX", "0", &format!("sync_lock:kanzlei:new{n}")]);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        site.redis.cli(&["XLEN", "jobs:vmh:done"]) == "10"
    })
    .await;
    let runs = site.runs();
    let new: Vec<_> = runs.iter().filter(|run| run.began.job.topic == "vmh.kanzlei.update").collect();
    assert_eq!(new.len(), 5);
    assert!(new.iter().all(|run| run.began.consumer == "newer" && run.began.attempt == 1), "no attempt was burnt");
    let stats = site.stats().await;
    assert_eq!((stats.scheduled, stats.dead), (1, 0), "what neither knows waits on");
    assert_eq!(site.redis.cli(&["HGET", "advosync:layout", "layout"]), "2", "the older one does not turn it back");
    Worker::stop(older).await;
    Worker::stop(newer).await;
}
