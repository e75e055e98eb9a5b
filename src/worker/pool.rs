//! One flow's pool of slots: read, claim, run, finish; stop in order.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::finisher::{Ended, Slot, finish_all};
use super::gate::{Gate, Pass};
use super::handler::{Failure, Handler, Run, Success};
use super::health::Health;
use super::policy::{Retries, of_trial, outcome, runs_alone, unknown_topic};
use super::renewer::Leases;
use super::suspect;
use super::tender::Tender;
use crate::queue::{BreakerState, Claimed, Consumer, Fault, Finish, Flow, Job, Lane, Outcome, Queue};

/// How often a pool looks for what crashed workers left.
const RECLAIM_EVERY: Duration = Duration::from_secs(2);
/// How soon Redis is tried again when it is away.
const REDIS_AGAIN: Duration = Duration::from_millis(500);
/// So many free places are worth waiting for, for a moment.
const SEVERAL: u32 = 50;
const MOMENT: Duration = Duration::from_millis(2);
/// What is kept of the drain time to tell the queue about the jobs that are handed back.
const HAND_BACK: Duration = Duration::from_secs(2);

/// What a pool needs.
#[derive(Clone)]
pub struct Options {
    /// The queue.
    pub queue: Queue,
    /// The flow it serves.
    pub flow: Flow,
    /// A name unique to this process.
    pub consumer: String,
    /// Jobs that run at once.
    pub concurrency: usize,
    /// How long a lock lasts without renewal.
    pub lease: Duration,
    /// When failed jobs are tried again.
    pub retries: Retries,
    /// How long running jobs may go on after a stop was asked for.
    pub drain: Duration,
    /// Who does the work.
    pub handlers: Vec<Arc<dyn Handler>>,
    /// The upstreams that this flow needs.
    pub health: Arc<Health>,
    /// One for all pools of this process.
    pub gate: Gate,
    /// The mappings' names.
    pub entities: Vec<String>,
}

/// A pool that runs until it is told to stop.
pub struct Pool {
    options: Arc<Options>,
    places: Arc<Semaphore>,
    sweeps: Arc<Semaphore>,
    leases: Leases,
    runs: TaskTracker,
    /// Told to running jobs when the time to drain is over.
    hurry: CancellationToken,
}

impl Pool {
    /// A pool with these options. Nothing happens before `run`.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            places: Arc::new(Semaphore::new(options.concurrency)),
            // Schedules get at most half of the slots, so that a person never waits for a sweep.
            sweeps: Arc::new(Semaphore::new(options.concurrency.div_ceil(2))),
            options: Arc::new(options),
            leases: Leases::default(),
            runs: TaskTracker::new(),
            hurry: CancellationToken::new(),
        }
    }

    /// Claims and runs jobs until `stop`; then drains, hands back what does not end in time, and returns.
    pub async fn run(self, stop: CancellationToken) {
        let options = Arc::clone(&self.options);
        let helpers = CancellationToken::new();
        let (ended, inbox) = mpsc::channel(options.concurrency.max(1) * 2);
        let finisher = tokio::spawn(finish_all(options.queue.clone(), inbox));
        let renewer = tokio::spawn(self.leases.clone().renew(
            options.queue.clone(),
            options.consumer.clone(),
            options.lease,
            helpers.clone(),
        ));
        let tender = Tender {
            queue: options.queue.clone(),
            flow: options.flow,
            consumer: options.consumer.clone(),
            entities: options.entities.clone(),
            health: Arc::clone(&options.health),
        };
        let tender = tokio::spawn(tender.run(stop.child_token()));
        let mut consumer = Consumer::new(&options.queue, options.flow, &options.consumer, options.lease);
        self.claim_until(&stop, &mut consumer, &ended).await;
        self.drain(ended).await;
        // The last finishes are told before the leases stop being kept.
        let _ = finisher.await;
        helpers.cancel();
        let _ = tokio::join!(renewer, tender);
        if let Err(error) = consumer.leave().await {
            tracing::debug!(flow = %options.flow, %error, "consumer name stays in redis until it is tidied");
        }
    }

    async fn claim_until(&self, stop: &CancellationToken, consumer: &mut Consumer, ended: &mpsc::Sender<Ended>) {
        let mut reclaimed = Instant::now();
        while !stop.is_cancelled() {
            if stop.run_until_cancelled(self.room(consumer.more())).await.is_none() {
                break;
            }
            if self.options.health.is_down() {
                stop.run_until_cancelled(tokio::time::sleep(REDIS_AGAIN)).await;
                continue;
            }
            let free = self.places.available_permits();
            let claimed_at = Instant::now();
            let claimed = if reclaimed.elapsed() > RECLAIM_EVERY {
                reclaimed = Instant::now();
                consumer.reclaim(free, self.sweeps.available_permits()).await
            } else {
                // Never inside a select: a read that is dropped leaves its job pending, unseen.
                consumer.next(free, self.sweeps.available_permits()).await
            };
            match claimed {
                Ok(claimed) => {
                    let hurry = self.hurry_after(stop);
                    for claimed in claimed {
                        self.start(claimed, claimed_at, hurry.clone(), ended.clone());
                    }
                }
                // The tender says once that Redis is away; other errors are told here.
                Err(error) => {
                    if !error.is_unavailable() {
                        tracing::error!(flow = %self.options.flow, %error, "jobs could not be claimed");
                    }
                    stop.run_until_cancelled(tokio::time::sleep(REDIS_AGAIN)).await;
                }
            }
        }
    }

    /// Waits for a free place. While jobs end faster than they are fetched, it waits a moment for several: that saves
    /// round trips. Where more sweeps wait than may run, it waits a moment for one to end.
    async fn room(&self, (more, more_sweeps): (bool, bool)) {
        self.options.gate.open().await;
        // The semaphores are never closed, so the errors cannot be.
        drop(self.places.acquire().await);
        let several = u32::try_from(self.options.concurrency / 4).unwrap_or(SEVERAL).min(SEVERAL);
        if more && several > 1 {
            let _ = tokio::time::timeout(MOMENT, self.places.acquire_many(several)).await;
        } else if more_sweeps {
            let _ = tokio::time::timeout(MOMENT * 10, self.sweeps.acquire()).await;
        }
    }

    /// What came with the read that was under way when `stop` was told is not begun any more.
    fn hurry_after(&self, stop: &CancellationToken) -> CancellationToken {
        let hurry = self.hurry.child_token();
        if stop.is_cancelled() {
            hurry.cancel();
        }
        hurry
    }

    fn start(&self, claimed: Claimed, claimed_at: Instant, hurry: CancellationToken, ended: mpsc::Sender<Ended>) {
        let slot = self.slot(claimed.claim.lane());
        let options = Arc::clone(&self.options);
        // The read may have waited for a job, so the time before it says too little about the lock; now says too much by
        // the time of one call. The margin makes up for that.
        let granted_at = Instant::now().checked_sub(options.lease / 8).unwrap_or(claimed_at).max(claimed_at);
        let run = Run::new(&claimed.claim, claimed.retry_due, options.lease, granted_at);
        let lost = CancellationToken::new();
        let keeping = self.leases.keep(&claimed.claim, &run, &lost);
        let task = async move {
            let outcome = run_one(&options, &claimed, &run, &lost, &hurry).await;
            let Some(outcome) = outcome else {
                metrics::counter!("advosync_lost_leases_total", "flow" => options.flow.name()).increment(1);
                tracing::warn!(topic = %claimed.job.topic, key = claimed.job.key, "a run was stopped because its lease was lost");
                return;
            };
            let finish = Finish { claimed, outcome, worker: options.consumer.clone(), ended_at: run.now() };
            let _ = ended.send(Ended { finish, run, slot, keeping }).await;
        };
        self.runs.spawn(task);
    }

    /// The place that a job takes. It was free when the read began; should a read have brought one job more than there
    /// was room for, that job runs all the same: it is claimed already.
    fn slot(&self, lane: Lane) -> Slot {
        let take = |from: &Arc<Semaphore>| Arc::clone(from).try_acquire_owned().ok();
        let place = take(&self.places).unwrap_or_else(|| {
            let extra = Arc::new(Semaphore::new(1));
            extra.try_acquire_owned().expect("a semaphore of one that nobody shares has its permit")
        });
        Slot { place, sweep: (lane == Lane::Sweep).then(|| take(&self.sweeps)).flatten() }
    }

    async fn drain(&self, ended: mpsc::Sender<Ended>) {
        self.runs.close();
        let patience = self.options.drain.saturating_sub(HAND_BACK);
        if tokio::time::timeout(patience, self.runs.wait()).await.is_err() {
            tracing::warn!(flow = %self.options.flow, jobs = self.runs.len(), "time to drain is over; jobs are handed back");
            self.hurry.cancel();
            let _ = tokio::time::timeout(HAND_BACK, self.runs.wait()).await;
        }
        drop(ended);
    }
}

/// Runs a job and decides what becomes of it. `None`: the lease was lost, say nothing.
async fn run_one(
    options: &Options,
    claimed: &Claimed,
    run: &Run,
    lost: &CancellationToken,
    hurry: &CancellationToken,
) -> Option<Outcome> {
    if hurry.is_cancelled() {
        return Some(Outcome::Back);
    }
    let job = &claimed.job;
    let span = tracing::info_span!("job", topic = %job.topic, key = job.key, attempt = job.attempt());
    if let Some(traceparent) = &job.traceparent {
        crate::telemetry::set_parent(&span, traceparent);
    }
    let Some(handler) = options.handlers.iter().find(|handler| handler.serves(&job.topic)) else {
        return Some(unknown_topic(job, run.now()));
    };
    let mut pass = None;
    // Whatever is cut short here is dropped before the end is told: nothing of it may go on once its lock is free.
    let (outcome, news) = tokio::select! {
        biased;
        ended = entered(options, handler.as_ref(), claimed, run, &mut pass).instrument(span.clone()) => ended?,
        () = lost.cancelled() => return None,
        () = hurry.cancelled() => return Some(Outcome::Back),
    };
    if !news {
        return Some(outcome);
    }
    tokio::select! {
        told = run.while_held(AssertUnwindSafe(handler.failed(job, run, &outcome)).catch_unwind()).instrument(span) => {
            match told? {
                Ok(()) => Some(outcome),
                Err(panic) => Some(panicked(job, panic.as_ref())),
            }
        }
        () = lost.cancelled() => None,
        () = hurry.cancelled() => Some(outcome),
    }
}

/// Runs a job once it is its turn: a suspect when nothing else runs in this process. Answers what becomes of it, and
/// whether the handler is to be told; `None`: the lease was lost. What is rare is boxed: every run is moved about with
/// all that it may come to wait for.
async fn entered(
    options: &Options,
    handler: &dyn Handler,
    claimed: &Claimed,
    run: &Run,
    pass: &mut Option<Pass>,
) -> Option<(Outcome, bool)> {
    let job = &claimed.job;
    match claimed.claim.suspicion().filter(|it| runs_alone(*it)) {
        None => *pass = Some(options.gate.enter(false).await),
        // Boxed, because it is rarely waited for.
        Some(suspicion) => match Box::pin(suspect::confront(options, claimed, suspicion, pass)).await {
            ControlFlow::Continue(()) => {}
            ControlFlow::Break(end) => return end,
        },
    }
    // A panic ends the job and not the pool.
    let failure = match run.while_held(AssertUnwindSafe(handler.run(job, run)).catch_unwind()).await? {
        Ok(Ok(Success { result, detail })) => {
            options.health.succeeded(&options.queue, run).await;
            return Some((Outcome::Done { result, detail }, false));
        }
        Ok(Err(failure)) => failure,
        Err(panic) => return Some((panicked(job, panic.as_ref()), false)),
    };
    let trial = handler.is_trial(job);
    let last = trial || job.attempt() >= options.retries.attempts;
    let breaker = Box::pin(report(options, &failure, last)).await;
    let outcome = outcome(&failure, job, &options.retries, breaker, rand::random())?;
    match &failure {
        Failure::Skip { .. } => {}
        Failure::Later { reason, .. } => tracing::info!(reason, "a run goes on later"),
        _ => tracing::warn!(error = %failure, "a run did not succeed"),
    }
    Some(if trial { (of_trial(outcome), false) } else { (outcome, true) })
}

fn panicked(job: &Job, panic: &(dyn Any + Send)) -> Outcome {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let said = said.unwrap_or("no message");
    let message = format!("the program has an error and gave up on {} {}: {said}", job.topic, job.key);
    tracing::error!(error = message, "a job panicked and goes to the dead letters");
    Outcome::Dead { error: Fault::new("panic", message) }
}

/// Tells the breaker about a failure of its upstream. `last`: the job has no attempt after this one.
async fn report(options: &Options, failure: &Failure, last: bool) -> BreakerState {
    let (upstream, message, park) = match failure {
        Failure::Upstream { upstream, message, park, .. } => (*upstream, message.as_str(), *park),
        Failure::Hold { upstream: Some((upstream, message)), .. } => (*upstream, message.as_str(), false),
        _ => return BreakerState::Closed,
    };
    options.health.suspect(upstream);
    // With Redis away nothing is known; the finish fails as well then, and the job runs again.
    let state = options.queue.fail_upstream(upstream, message, park).await.unwrap_or(BreakerState::Open);
    // An outage that has just begun has not opened the breaker yet: nobody dies of that.
    if state == BreakerState::Closed && last && !options.health.answers(upstream).await {
        return BreakerState::Open;
    }
    state
}
