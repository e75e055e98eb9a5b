//! What a failure means for the job: pure, so that every rule of Q7 and Q9 can be tested as a table.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::handler::Failure;
use crate::queue::{BreakerState, Fault, Job, Outcome, Suspicion};

/// A topic that nobody knows is offered this long (a rolling deploy), then it is dead.
const UNKNOWN_FOR: TimeDelta = TimeDelta::days(1);
/// How often it is offered.
const UNKNOWN_EVERY: Duration = Duration::from_mins(1);
/// A job whose upstream is down comes back this soon; it waits in the stream then, as long as the breaker is open.
const DOWN_EVERY: Duration = Duration::from_secs(10);
/// At most this share is added to a wait, so that jobs that failed together do not come back together.
const JITTER: f64 = 0.1;

/// How often, and after which waits, a failed job is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// The waits between attempts; the last one repeats. Not empty.
    pub waits: Vec<Duration>,
    /// Attempts in all.
    pub attempts: u32,
}

impl Retries {
    /// The wait after `failures` failed attempts, before jitter.
    fn wait(&self, failures: u32) -> Duration {
        let at = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        self.waits.get(at).or(self.waits.last()).copied().unwrap_or(Duration::from_mins(1))
    }
}

/// What becomes of a job whose run failed. `breaker` is the state of the upstream that the failure names, after the
/// failure was counted; `jitter` is a random number from 0 to 1. `None`: another run has the job.
#[must_use]
pub fn outcome(failure: &Failure, job: &Job, retries: &Retries, breaker: BreakerState, jitter: f64) -> Option<Outcome> {
    Some(match failure {
        Failure::Failed { code, message, retry_after } => {
            counted(job, retries, Fault::new(code, message), *retry_after, jitter)
        }
        Failure::Final { code, message } => Outcome::Dead { error: Fault::new(code, message) },
        Failure::Upstream { upstream, message, retry_after, .. } => match breaker {
            BreakerState::Open => Outcome::Later {
                after: spread(retry_after.unwrap_or(DOWN_EVERY).max(DOWN_EVERY), jitter),
                reason: format!("{upstream} is down: {message}"),
            },
            BreakerState::Closed => counted(job, retries, Fault::new(upstream, message), *retry_after, jitter),
        },
        Failure::Hold { after, reason, .. } => Outcome::Hold { after: *after, reason: reason.clone() },
        Failure::Later { after, reason } => Outcome::Later { after: *after, reason: reason.clone() },
        Failure::Skip { reason } => Outcome::Skipped { reason: (*reason).to_owned() },
        Failure::LeaseLost => return None,
    })
}

/// What becomes of a trial (`Handler::is_trial`): a failure counts for nothing and changes nothing, and is in the history.
/// What uses no attempt stays as it is: a trial, too, waits for an upstream that is down.
#[must_use]
pub(super) fn of_trial(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Retry { error, .. } | Outcome::Dead { error } => {
            Outcome::Skipped { reason: format!("trial failed: {}", error.message) }
        }
        other => other,
    }
}

/// After so many losses a job is suspected of killing its workers, and runs alone (Q10). One is what every deploy that goes
/// wrong does to whatever runs; that job is to run again at once (Q5).
const SUSPECT_AFTER: u32 = 2;
/// After so many losses while it was alone in its process, it is judged before it is run once more.
const LOSSES_ALONE: u32 = 3;

/// Whether a job must run alone in its process.
pub(super) const fn runs_alone(suspicion: Suspicion) -> bool {
    suspicion.losses >= SUSPECT_AFTER
}

/// Whether a suspect is to be judged.
pub(super) const fn is_judged(suspicion: Suspicion) -> bool {
    suspicion.alone >= LOSSES_ALONE
}

/// What becomes of a job that kills its workers.
pub(super) fn poison(job: &Job, suspicion: Suspicion) -> Outcome {
    Outcome::Dead {
        error: Fault::new(
            "poison",
            format!(
                "{} workers died while they ran {} {}, {} of them while they ran nothing else; look at their logs and at \
                 the record, replay it once the cause is gone",
                suspicion.losses, job.topic, job.key, suspicion.alone
            ),
        ),
    }
}

/// Whether a failed burial may be told to the handler again: that, too, may be what kills the worker.
pub(super) const fn tells_handler(suspicion: Suspicion) -> bool {
    suspicion.alone == LOSSES_ALONE
}

/// What becomes of a job whose topic no handler here knows.
pub(super) fn unknown_topic(job: &Job, now: DateTime<Utc>) -> Outcome {
    if now - job.enqueued_at > UNKNOWN_FOR {
        return Outcome::Dead {
            error: Fault::new(
                "unknown_topic",
                format!(
                    "no worker has known the topic `{}` for a day; discard it, or replay it once a worker does",
                    job.topic
                ),
            ),
        };
    }
    Outcome::Later { after: UNKNOWN_EVERY, reason: format!("no running worker knows the topic `{}`", job.topic) }
}

fn counted(job: &Job, retries: &Retries, error: Fault, retry_after: Option<Duration>, jitter: f64) -> Outcome {
    if job.attempt() >= retries.attempts {
        return Outcome::Dead { error };
    }
    let wait = retries.wait(job.attempt()).max(retry_after.unwrap_or_default());
    Outcome::Retry { after: spread(wait, jitter), error }
}

fn spread(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(JITTER.mul_add(jitter.clamp(0.0, 1.0), 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{Lane, Topic};

    fn job(failures: u32) -> Job {
        Job {
            topic: Topic::parse("vmh.beteiligte.update"),
            key: "1".into(),
            lane: Lane::First,
            source: None,
            failures,
            enqueued_at: DateTime::UNIX_EPOCH,
            traceparent: None,
            payload: None,
            errors: Vec::new(),
            extra: Vec::new(),
        }
    }

    fn retries() -> Retries {
        let minutes = |n| Duration::from_mins(n);
        Retries { waits: vec![minutes(1), minutes(5), minutes(15), minutes(60)], attempts: 5 }
    }

    fn failed() -> Failure {
        Failure::Failed { code: "x", message: "it broke".into(), retry_after: None }
    }

    #[test]
    fn four_waits_then_dead() {
        let wait = |failures| match outcome(&failed(), &job(failures), &retries(), BreakerState::Closed, 0.0) {
            Some(Outcome::Retry { after, .. }) => after.as_secs() / 60,
            Some(Outcome::Dead { .. }) => 0,
            other => panic!("{other:?}"),
        };
        assert_eq!([0, 1, 2, 3, 4].map(wait), [1, 5, 15, 60, 0]);
    }

    #[test]
    fn an_upstream_that_is_down_burns_no_attempt() {
        let failure =
            Failure::Upstream { upstream: "advoware", message: "refused".into(), retry_after: None, park: false };
        let open = outcome(&failure, &job(4), &retries(), BreakerState::Open, 0.5).unwrap();
        assert!(matches!(open, Outcome::Later { .. }), "{open:?}");
        let closed = outcome(&failure, &job(4), &retries(), BreakerState::Closed, 0.5).unwrap();
        assert!(matches!(closed, Outcome::Dead { .. }), "{closed:?}");
    }

    #[test]
    fn a_trial_has_one_attempt_and_its_failure_leaves_everything_as_it_is() {
        let trial = |failure: &Failure, failures, breaker| {
            outcome(failure, &job(failures), &retries(), breaker, 0.0).map(of_trial)
        };
        let after = Duration::from_mins(1);
        let last = Failure::Final { code: "x", message: "it broke".into() };
        let down =
            Failure::Upstream { upstream: "advoware", message: "it broke".into(), retry_after: None, park: false };
        for failure in [&failed(), &last, &down] {
            for failures in [0, 1, 4, 9] {
                let became = trial(failure, failures, BreakerState::Closed);
                assert_eq!(became, Some(Outcome::Skipped { reason: "trial failed: it broke".into() }), "{failure:?}");
            }
        }
        // What uses no attempt.
        let open = trial(&down, 0, BreakerState::Open);
        assert!(matches!(open, Some(Outcome::Later { .. })), "{open:?}");
        let hold = Failure::Hold { after, reason: "quiet".into(), upstream: None };
        assert_eq!(trial(&hold, 0, BreakerState::Closed), Some(Outcome::Hold { after, reason: "quiet".into() }));
        let later = Failure::Later { after, reason: "busy".into() };
        assert_eq!(trial(&later, 0, BreakerState::Closed), Some(Outcome::Later { after, reason: "busy".into() }));
        let skip = Failure::Skip { reason: "echo" };
        assert_eq!(trial(&skip, 0, BreakerState::Closed), Some(Outcome::Skipped { reason: "echo".into() }));
        assert_eq!(trial(&Failure::LeaseLost, 0, BreakerState::Closed), None);
    }

    #[test]
    fn retry_after_is_honoured_and_jitter_only_adds() {
        let failure = Failure::Failed { code: "x", message: String::new(), retry_after: Some(Duration::from_mins(3)) };
        let Some(Outcome::Retry { after, .. }) = outcome(&failure, &job(0), &retries(), BreakerState::Closed, 1.0)
        else {
            panic!("no retry");
        };
        assert_eq!(after, Duration::from_secs(198));
    }

    #[test]
    fn an_unknown_topic_waits_a_day_and_dies() {
        let at = |hours| unknown_topic(&job(0), DateTime::UNIX_EPOCH + TimeDelta::hours(hours));
        assert!(matches!(at(23), Outcome::Later { .. }));
        assert!(matches!(at(25), Outcome::Dead { .. }));
    }

    #[test]
    fn a_lost_lease_says_nothing_to_the_queue() {
        assert_eq!(outcome(&Failure::LeaseLost, &job(0), &retries(), BreakerState::Closed, 0.0), None);
    }
}
