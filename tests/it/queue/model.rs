//! The queue against a small model of it: random sequences of everything that can happen, on a real Redis.
//!
//! `ops` is what can happen, `reference` the model (written from the promises, not from the functions). `world` takes
//! each step in both, with what workers do in `runs` and all else in `outside`; `look` compares all of Redis with the
//! model after each step; `drain` runs everything to its end.
//! Time passes by hand: leases, quiet times and retries end when a step says so.
//!
//! The sequences are the same each time. `ADVOSYNC_MODEL_CASES=1000 cargo test --test it queue::model` tries that many
//! others; a failure prints the shortest sequence that was found, with what happened in it.

mod drain;
mod look;
mod ops;
mod outside;
mod reference;
mod runs;
mod world;

use std::cell::RefCell;
use std::fmt::Write;

use advosync::queue::{Queue, QueueError};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::ops::Op;
use self::world::World;
use crate::support::redis::Redis;

/// Sequences, and the steps of the longest.
const CASES: u32 = 140;
const STEPS: usize = 100;
/// After how many steps `status` is asked for, too.
const STATUS_EVERY: usize = 5;
/// How long to look for a shorter sequence that fails, ms.
const SHRINK_FOR: u32 = 20_000;

#[test]
fn the_queue_does_what_its_model_does() {
    let more: Option<u32> = std::env::var("ADVOSYNC_MODEL_CASES").ok().map(|cases| cases.parse().unwrap());
    let config = Config {
        cases: more.unwrap_or(CASES),
        failure_persistence: None,
        max_shrink_time: SHRINK_FOR,
        max_shrink_iters: u32::MAX,
        ..Config::default()
    };
    let mut runner = match more {
        Some(_) => TestRunner::new(config),
        None => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let redis = RefCell::new(Redis::start());
    let queue = redis.borrow().queue();
    let run = |ops: &[Op]| runtime.block_on(case(&mut redis.borrow_mut(), &queue, ops));
    let outcome = runner.run(&ops::sequences(STEPS), |ops| run(&ops).1);
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, ops)) => {
            let (log, again) = run(&ops);
            panic!("{reason}\n{log}once more: {again:?}");
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Takes a sequence from an empty queue to an empty queue; answers what happened, step by step.
async fn case(redis: &mut Redis, queue: &Queue, ops: &[Op]) -> (String, Result<(), TestCaseError>) {
    let mut world = World::new(redis, queue).await;
    let mut log = String::new();
    let mut result = Ok(());
    for (at, op) in ops.iter().enumerate() {
        result = world.step(op).await;
        if result.is_ok() && at % STATUS_EVERY == 0 {
            result = world.status().await;
        }
        let _ = writeln!(log, "{:3}. {op:?}", at + 1);
        tell(&mut log, &mut world);
        if result.is_err() {
            return (log, result);
        }
    }
    if result.is_ok() {
        result = drain::drain(&mut world).await;
        tell(&mut log, &mut world);
    }
    (log, result)
}

fn tell(log: &mut String, world: &mut World<'_>) {
    for line in world.log.drain(..) {
        let _ = writeln!(log, "       {line}");
    }
}

/// A call that is safe to repeat, until Redis is back.
async fn again<T>(mut call: impl AsyncFnMut() -> Result<T, QueueError>) -> Result<T, TestCaseError> {
    let mut last = None;
    for _ in 0..5 {
        match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_unavailable() => last = Some(error),
            Err(error) => return Err(TestCaseError::fail(format!("refused: {error}"))),
        }
    }
    Err(TestCaseError::fail(format!("redis is back, and the queue does not find it: {last:?}")))
}
