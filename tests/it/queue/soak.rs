//! Everything at once, for a while: load on both lanes and flows, workers and Redis killed all the time. What must have
//! run is judged from the runs' own log ([`History`]), not from what the queue says of itself.
//!
//! A minute by default; `make soak` runs ten. `ADVOSYNC_SOAK_SECONDS` sets it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use advosync::queue::{Batch, Flow, Lane, Queue, RecordAction, Topic};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::support::runlog::{Which, now};
use crate::support::soak;
use crate::support::verdict::{Answer, Asked, History};
use crate::support::worker::{Behaviour, Setup, Site, Worker};

/// Processes at work.
const WORKERS: usize = 4;
/// One of them is killed this often, and replaced.
const KILL_EVERY: Duration = Duration::from_secs(2);
/// Redis is killed this often.
const OUTAGE_EVERY: Duration = Duration::from_secs(20);
/// And is away for this long at least.
const OUTAGE: Duration = Duration::from_millis(300);
/// Short, so that what was killed runs again within the test.
const LEASE: Duration = Duration::from_secs(2);
/// Keys in use at a time, and how many batches use them before others take their place: what counts is the last change of
/// a key, so there have to be many last ones.
const KEYS: f64 = 100.0;
const BATCHES_A_GENERATION: usize = 250;
/// Jobs in a batch, and how often one is sent: 500 a second.
const BATCH: usize = 10;
const BATCH_EVERY: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_is_done_while_workers_and_redis_are_killed_all_the_time() {
    let length = soak::length().unwrap_or(Duration::from_mins(1));
    let mut site = Site::start().await;
    let mut setup = site.setup("");
    setup.flows = Flow::ALL.map(|flow| flow.name().to_owned()).to_vec();
    setup.lease = LEASE;
    setup.waits = vec![Duration::from_millis(200)];
    let stop = CancellationToken::new();
    let load = tokio::spawn(load(site.queue.clone(), stop.clone()));
    let crew = tokio::spawn(kill_and_replace(setup, stop.clone()));
    let ends = Instant::now() + length;
    let mut outages = Vec::new();
    // The last one leaves time to come back under load.
    while Instant::now() + OUTAGE_EVERY < ends {
        sleep(OUTAGE_EVERY).await;
        let down = now();
        site.redis.kill();
        sleep(OUTAGE).await;
        tokio::task::block_in_place(|| site.redis.up());
        outages.push((down, now() + nanos(LEASE + Duration::from_secs(2))));
    }
    sleep(ends.saturating_duration_since(Instant::now())).await;
    stop.cancel();
    let asked = load.await.unwrap();
    let (workers, deaths) = crew.await.unwrap();
    let settling = Instant::now();
    site.settle().await;
    let settled = settling.elapsed();
    for worker in workers {
        worker.stop().await;
    }
    let grace = nanos(Duration::from_secs(1));
    let history = History { asked, runs: site.runs(), deaths, outages, grace };
    println!("{length:?}, {}, at rest after {settled:.1?}", summary(&history));
    let faults = history.faults();
    for fault in faults.iter().take(10) {
        eprintln!("{fault}");
    }
    assert!(faults.is_empty(), "{} promises were broken, the first of them above", faults.len());
    only_the_doomed_are_dead(&site.queue, &history).await;
    nothing_is_left(&site).await;
}

/// Sends batches until `stop`, each as a request of its own, so that a slow answer holds up no other.
async fn load(queue: Queue, stop: CancellationToken) -> Vec<Asked> {
    let mut sent = JoinSet::new();
    let mut tick = interval(BATCH_EVERY);
    for n in 0_usize.. {
        if stop.run_until_cancelled(tick.tick()).await.is_none() {
            break;
        }
        let (topic, lane) = topic_and_lane(n);
        // Every fifth batch has one job that is no everyday one, under keys of its own: what a key is to do never changes.
        let odd = n.is_multiple_of(5).then(|| odd(n / 5));
        let everyday = BATCH - usize::from(odd.is_some());
        // The cube of an even spread: some keys are asked for again and again, most now and then.
        let generation = n / BATCHES_A_GENERATION;
        let mut keys = HashSet::new();
        while keys.len() < everyday {
            keys.insert(format!("k{generation}-{:.0}", rand::random::<f64>().powi(3) * KEYS));
        }
        let keys = keys.into_iter().collect();
        let everyday = Wish { topic: topic.clone(), lane, keys, behaviour: Behaviour::Sleep { ms: millis(20) } };
        // People save twice: what they ask for again may be waiting, running, or done.
        let again = n.is_multiple_of(3).then(|| Duration::from_millis(millis(25)));
        sent.spawn(everyday.ask(queue.clone(), again));
        if let Some((key, behaviour)) = odd {
            sent.spawn(Wish { topic, lane, keys: vec![key], behaviour }.ask(queue.clone(), None));
        }
    }
    sent.join_all().await.into_iter().flatten().collect()
}

fn millis(below: u64) -> u64 {
    rand::random_range(0..below)
}

fn topic_and_lane(n: usize) -> (Topic, Lane) {
    let lane = if n.is_multiple_of(4) { Lane::Sweep } else { Lane::First };
    let topic = match n % 7 {
        0 => Topic::CalendarEmployee,
        1 => Topic::CalendarInspect,
        at => Topic::record("beteiligte", RecordAction::ALL[at % RecordAction::ALL.len()]),
    };
    (topic, lane)
}

/// A job that is slow enough to be killed in the middle, that fails at first, or that is dead at once.
fn odd(n: usize) -> (String, Behaviour) {
    let key = millis(50);
    match n % 10 {
        0 => (format!("doomed{n}"), Behaviour::Doom),
        1..=4 => (format!("frail{key}"), Behaviour::Fail { times: 1 }),
        _ => (format!("slow{key}"), Behaviour::Sleep { ms: 100 + millis(2_900) }),
    }
}

/// A request.
struct Wish {
    topic: Topic,
    lane: Lane,
    keys: Vec<String>,
    behaviour: Behaviour,
}

impl Wish {
    /// Sends it, and sends it once more after a while.
    async fn ask(self, queue: Queue, again: Option<Duration>) -> Vec<Asked> {
        let mut asked = self.ask_once(&queue).await;
        if let Some(after) = again {
            sleep(after).await;
            asked.extend(self.ask_once(&queue).await);
        }
        asked
    }

    async fn ask_once(&self, queue: &Queue) -> Vec<Asked> {
        let payload = self.behaviour.payload();
        let batch = Batch::new(self.topic.clone(), self.lane, &self.keys, "soak");
        let at = now();
        let answer = queue.enqueue(&Batch { payload: Some(&payload), ..batch }).await;
        let of = |key: &String| match &answer {
            Ok(enqueued) if enqueued.new.contains(key) => Answer::New,
            Ok(_) => Answer::Already,
            Err(_) => Answer::Unknown,
        };
        let (topic, sweep) = (self.topic.to_string(), self.lane == Lane::Sweep);
        let job = |key: &String| Which { topic: topic.clone(), key: key.clone(), sweep };
        self.keys.iter().map(|key| Asked { job: job(key), at, answer: of(key) }).collect()
    }
}

/// Keeps the workers at their number, and kills the oldest again and again. Answers who is left, and who died when.
async fn kill_and_replace(setup: Setup, stop: CancellationToken) -> (VecDeque<Worker>, HashMap<u32, u64>) {
    let next = |n: usize| Worker::start(Setup { label: format!("w{n}"), consumer: format!("w{n}"), ..setup.clone() });
    let mut workers: VecDeque<Worker> = (0..WORKERS).map(next).collect();
    let mut deaths = HashMap::new();
    let mut tick = interval(KILL_EVERY);
    tick.tick().await;
    for n in WORKERS.. {
        if stop.run_until_cancelled(tick.tick()).await.is_none() {
            break;
        }
        deaths.extend(workers.pop_front().map(Worker::kill));
        workers.push_back(next(n));
    }
    (workers, deaths)
}

fn summary(history: &History) -> String {
    let count = |answer| history.asked.iter().filter(|asked| asked.answer == answer).count();
    let waits = history.waits();
    let share = |percent: usize| Duration::from_nanos(waits.get(waits.len() * percent / 100).copied().unwrap_or(0));
    format!(
        "{} jobs accepted ({} more were queued already, {} got no answer), {} runs, {} workers and {} Redis killed, \
         start after p50 {:.1?}, p99 {:.1?}, at most {:.1?}",
        count(Answer::New),
        count(Answer::Already),
        count(Answer::Unknown),
        history.runs.len(),
        history.deaths.len(),
        history.outages.len(),
        share(50),
        share(99),
        Duration::from_nanos(waits.last().copied().unwrap_or(0)),
    )
}

async fn only_the_doomed_are_dead(queue: &Queue, history: &History) {
    let mut dead = Vec::new();
    for flow in Flow::ALL {
        for letter in queue.dead_letters(flow, 1_000_000).await.unwrap() {
            assert_eq!(letter.code.as_deref(), Some("doomed"), "{letter:?}");
            dead.extend(letter.key);
        }
    }
    let doomed = |asked: &&Asked| asked.answer != Answer::Unknown && asked.job.key.starts_with("doomed");
    let missing: Vec<_> = history.asked.iter().filter(doomed).filter(|asked| !dead.contains(&asked.job.key)).collect();
    assert!(missing.is_empty(), "failed for good and not among the dead letters: {missing:?}");
}

/// Streams are empty, and no key is there but those that stay.
async fn nothing_is_left(site: &Site) {
    let stays = |key: &str| {
        let part = key.strip_prefix("jobs:vmh").or(key.strip_prefix("jobs:calendar")).unwrap_or(key);
        matches!(part, "" | ":sweep" | ":dead" | ":dead:open" | ":done" | ":leases" | ":workers" | "advosync:layout")
    };
    // The lock of a run that was stopped for lack of a lease is left to run out.
    site.until("nothing but what stays is left", async || site.redis.cli(&["KEYS", "*"]).lines().all(stays)).await;
    for flow in Flow::ALL {
        for stream in [format!("jobs:{flow}"), format!("jobs:{flow}:sweep")] {
            assert_eq!(site.redis.cli(&["XLEN", &stream]), "0", "{stream}");
            assert_eq!(site.redis.cli(&["XPENDING", &stream, "workers"]).lines().next(), Some("0"), "{stream}");
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a few seconds")
}
