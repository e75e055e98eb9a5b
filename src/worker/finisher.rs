//! Tells the queue how runs ended: whatever has come together since the last call goes in one call.

use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::handler::Run;
use super::renewer::Keeping;
use crate::queue::{Finish, Finished, Outcome, Queue};

/// How many ends go in one call.
const AT_ONCE: usize = 100;
/// How soon a finish is tried again while Redis is away.
const AGAIN: Duration = Duration::from_millis(250);

/// A run that ended, with what it holds until the queue knows.
pub(super) struct Ended {
    pub(super) finish: Finish,
    pub(super) run: Run,
    pub(super) slot: Slot,
    pub(super) keeping: Keeping,
}

/// A place in the pool, and for a sweep job one in its half as well. Freed however the run ends.
#[expect(dead_code, reason = "held, not read")]
pub(super) struct Slot {
    pub(super) place: OwnedSemaphorePermit,
    pub(super) sweep: Option<OwnedSemaphorePermit>,
}

/// Finishes until all senders are gone.
pub(super) async fn finish_all(queue: Queue, mut ended: mpsc::Receiver<Ended>) {
    let mut batch: Vec<Ended> = Vec::new();
    while ended.recv_many(&mut batch, AT_ONCE).await > 0 {
        // What was ending beside it comes along.
        tokio::task::yield_now().await;
        while batch.len() < AT_ONCE
            && let Ok(more) = ended.try_recv()
        {
            batch.push(more);
        }
        let (finishes, held): (Vec<Finish>, Vec<_>) =
            batch.drain(..).map(|ended| (ended.finish, (ended.run, ended.slot, ended.keeping))).unzip();
        finish(&queue, &finishes, || held.iter().all(|(run, ..)| run.left().is_zero())).await;
    }
}

async fn finish(queue: &Queue, batch: &[Finish], all_lost: impl Fn() -> bool) {
    let since = Instant::now();
    let mut told = false;
    loop {
        match queue.finish(batch).await {
            Ok(answers) => {
                for (finish, answer) in batch.iter().zip(answers) {
                    tell(finish, answer);
                }
                return;
            }
            // The jobs stay pending in Redis; once the leases have run out there, others run them again.
            Err(error) if all_lost() => {
                tracing::warn!(jobs = batch.len(), waited_ms = since.elapsed().as_millis(), %error,
                    "ends of runs could not be told to redis; the jobs run again");
                return;
            }
            Err(error) => {
                // The tender says once that Redis is away; what Redis refuses would hold up the pool without a word.
                if !error.is_unavailable() && !std::mem::replace(&mut told, true) {
                    tracing::error!(jobs = batch.len(), %error, "ends of runs are refused by redis, trying again");
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

fn tell(finish: &Finish, answer: Finished) {
    let (job, flow) = (&finish.claimed.job, finish.claimed.claim.flow().name());
    if answer == Finished::Stale {
        metrics::counter!("advosync_stale_finishes_total", "flow" => flow).increment(1);
        tracing::warn!(topic = %job.topic, key = job.key, "a finish came after its lease was lost and changed nothing");
        return;
    }
    let result = match &finish.outcome {
        Outcome::Done { .. } => "done",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Retry { .. } => "retry",
        Outcome::Hold { .. } => "hold",
        Outcome::Later { .. } => "later",
        Outcome::Dead { .. } => "dead",
        Outcome::Back => "back",
    };
    metrics::counter!("advosync_jobs_total", "flow" => flow, "result" => result).increment(1);
    let took = (finish.ended_at - finish.claimed.claim.started_at()).to_std().unwrap_or_default();
    metrics::histogram!("advosync_job_seconds", "flow" => flow).record(took.as_secs_f64());
    let did = if let Outcome::Done { result: did, .. } = &finish.outcome { did.as_str() } else { result };
    tracing::info!(topic = %job.topic, key = job.key, result = did, attempt = job.attempt(), took_ms = took.as_millis(), "job ended");
}
