//! The queue's promises, on a real Redis.

mod away;
mod bad_input;
mod breaker;
mod dead;
mod kill;
mod layout;
mod lifecycle;
mod model;
mod poison;
mod pool;
mod several;
mod soak;
mod throttle;

use std::time::Duration;

use advosync::queue::{Batch, Claimed, Consumer, Finish, Finished, Flow, Lane, Outcome, Queue, RecordAction, Topic};

/// A lease that runs out within a test.
const SHORT: Duration = Duration::from_millis(300);
/// A lease that does not.
const LONG: Duration = Duration::from_secs(15);

fn topic(action: RecordAction) -> Topic {
    Topic::record("beteiligte", action)
}

fn consumer(queue: &Queue, name: &str, lease: Duration) -> Consumer {
    Consumer::new(queue, Flow::Vmh, name, lease)
}

async fn enqueue(queue: &Queue, action: RecordAction, keys: &[&str]) -> usize {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    queue.enqueue(&Batch::new(topic(action), Lane::First, &keys, "test")).await.unwrap().new.len()
}

/// The next jobs; fails if none come. Where Redis was away, a first error is no surprise.
async fn next(consumer: &mut Consumer) -> Vec<Claimed> {
    for _ in 0..5 {
        match consumer.next(10, 5).await {
            Ok(claimed) if claimed.is_empty() => {}
            Ok(claimed) => return claimed,
            Err(error) => assert!(error.is_unavailable(), "{error}"),
        }
    }
    panic!("no job came")
}

async fn one(consumer: &mut Consumer) -> Claimed {
    let mut claimed = next(consumer).await;
    assert_eq!(claimed.len(), 1, "one job was expected");
    claimed.remove(0)
}

async fn none(consumer: &mut Consumer) {
    assert!(consumer.next(10, 5).await.unwrap().is_empty(), "no job was expected");
}

async fn end(queue: &Queue, consumer: &str, claimed: Claimed, outcome: Outcome) -> Finished {
    let finish = Finish { claimed, outcome, worker: consumer.to_owned(), ended_at: chrono::Utc::now() };
    queue.finish(&[finish]).await.unwrap()[0]
}

fn done() -> Outcome {
    Outcome::Done { result: "tested".into(), detail: None }
}
