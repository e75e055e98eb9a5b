//! Waiting for jobs, with the test in the place of the worker.

use std::time::Duration;

use chrono::Utc;
use clap::Parser as _;
use serde_json::{Value, json};

use super::wait::Patience;
use super::*;
use crate::cli::Cli;
use crate::ingress::testing::Redis;
use crate::queue::{Claimed, Consumer, Fault, Finish, Flow, Outcome, Queue};
use crate::settings::Role;

const SOON: Patience = Patience { whole: Duration::from_mins(1), without_worker: Duration::from_millis(50) };
const LONG: Patience = Patience { whole: Duration::from_mins(1), without_worker: Duration::from_mins(1) };

fn parts(redis: &Redis) -> Parts {
    let source = Source::default().with_environment([("REDIS_URL", redis.url().as_str())]);
    Parts::new(Settings::load(&source, Role::Admin).unwrap()).unwrap()
}

async fn run_line(parts: &Parts, line: &str, patience: Patience) -> Result<Report> {
    match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
        Command::Sync(args) => sync::run(parts, &args, patience).await,
        Command::Record(args) => record::run(parts, &args, patience).await,
        other => panic!("{other:?}"),
    }
}

/// A worker by hand.
struct Hand(Queue, Consumer);

impl Hand {
    fn new(queue: &Queue, flow: Flow) -> Self {
        Self(queue.clone(), Consumer::new(queue, flow, "tester", Duration::from_secs(15)))
    }

    async fn take(&mut self) -> Claimed {
        loop {
            if let Some(claimed) = self.1.next(1, 0).await.unwrap().pop() {
                return claimed;
            }
        }
    }

    async fn end(&self, claimed: Claimed, outcome: Outcome) {
        let finish = Finish { claimed, outcome, worker: "tester".to_owned(), ended_at: Utc::now() };
        self.0.finish(&[finish]).await.unwrap();
    }
}

fn done(detail: Option<Value>) -> Outcome {
    Outcome::Done { result: "synced".to_owned(), detail }
}

#[tokio::test]
async fn without_a_worker_the_wait_ends_and_the_job_stays() {
    let redis = Redis::start().await;
    let parts = parts(&redis);
    for line in ["advosync sync SB --wait", "advosync record beteiligte abc --wait"] {
        let error = run_line(&parts, line, SOON).await.unwrap_err().to_string();
        assert!(error.contains("no worker reads the flow") && error.contains("stays queued"), "{error}");
    }
    let stats = parts.queue.stats(Utc::now()).await.unwrap();
    assert_eq!((stats.flows["calendar"].ready, stats.flows["vmh"].ready), (1, 1));
}

#[tokio::test]
async fn the_end_of_a_job_decides_the_exit_code() {
    let redis = Redis::start().await;
    let parts = parts(&redis);
    parts.queue.prepare(Utc::now()).await.unwrap();
    let fault = || Fault::new("refused", "no right");
    let ends = [
        ("A", done(None), 0, "A: synced\n"),
        (
            "B",
            Outcome::Retry { after: Duration::from_mins(1), error: fault() },
            1,
            "B: failed, it is tried again later: no right\n",
        ),
        ("C", Outcome::Dead { error: fault() }, 1, "C: failed for good: no right\n"),
    ];
    let mut hand = Hand::new(&parts.queue, Flow::Calendar);
    for (key, outcome, exit, text) in ends {
        let line = format!("advosync sync {key} --wait");
        let work = async {
            let claimed = hand.take().await;
            hand.end(claimed, outcome).await;
        };
        let (report, ()) = tokio::join!(run_line(&parts, &line, LONG), work);
        let report = report.unwrap();
        assert_eq!((report.exit, report.stdout.as_str()), (exit, text));
    }
}

#[tokio::test]
async fn all_waits_for_every_employee_however_early_it_ended() {
    let redis = Redis::start().await;
    let parts = parts(&redis);
    parts.queue.prepare(Utc::now()).await.unwrap();
    let mut hand = Hand::new(&parts.queue, Flow::Calendar);
    let work = async {
        let all = hand.take().await;
        for (key, outcome) in [("A", done(None)), ("B", Outcome::Dead { error: Fault::new("refused", "no right") })] {
            run_line(&parts, &format!("advosync sync {key}"), LONG).await.unwrap();
            let claimed = hand.take().await;
            hand.end(claimed, outcome).await;
        }
        hand.end(all, done(Some(json!({"employees": ["B", "A"]})))).await;
    };
    let (report, ()) = tokio::join!(run_line(&parts, "advosync sync --wait", LONG), work);
    let report = report.unwrap();
    assert_eq!(report.exit, 1);
    assert_eq!(report.stdout, "ALL: synced {\"employees\":[\"B\",\"A\"]}\nB: failed for good: no right\nA: synced\n");
}

#[tokio::test]
async fn employees_that_run_side_by_side_are_told_in_their_order_whenever_they_end() {
    let redis = Redis::start().await;
    let parts = parts(&redis);
    parts.queue.prepare(Utc::now()).await.unwrap();
    let mut hand = Hand::new(&parts.queue, Flow::Calendar);
    let work = async {
        let all = hand.take().await;
        let mut running = Vec::new();
        for key in ["A", "B", "C"] {
            run_line(&parts, &format!("advosync sync {key}"), LONG).await.unwrap();
            running.push(hand.take().await);
        }
        hand.end(all, done(Some(json!({"employees": ["A", "B", "C"]})))).await;
        // So that they end while they are waited for, and the first of the list last.
        for claimed in running.into_iter().rev() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let outcome = match claimed.job.key.as_str() {
                "B" => Outcome::Retry { after: Duration::from_mins(1), error: Fault::new("refused", "no right") },
                _ => done(None),
            };
            hand.end(claimed, outcome).await;
        }
    };
    let (report, ()) = tokio::join!(run_line(&parts, "advosync sync ALL --wait", LONG), work);
    let report = report.unwrap();
    let lines: Vec<&str> = report.stdout.lines().skip(1).collect();
    assert_eq!(lines, ["A: synced", "B: failed, it is tried again later: no right", "C: synced"]);
    assert_eq!(report.exit, 1);
}
