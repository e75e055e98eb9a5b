//! A job whose workers died while they ran it (Q10): judged, put off, buried, or run with nothing beside it.

use std::ops::ControlFlow;
use std::time::Duration;

use super::gate::Pass;
use super::policy::{is_judged, poison, tells_handler};
use super::pool::Options;
use crate::queue::{Claimed, Outcome, Suspicion, Verdict};

/// A suspect that is to be judged is looked at this often; workers that vanished are remembered for longer.
const JUDGE_EVERY: Duration = Duration::from_mins(5);

/// Sees to it that a suspect runs alone, if it is to run. `Break`: it does not; what becomes of it, and whether the handler is
/// to be told, or `None`: the lease was lost.
pub(super) async fn confront(
    options: &Options,
    claimed: &Claimed,
    suspicion: Suspicion,
    pass: &mut Option<Pass>,
) -> ControlFlow<Option<(Outcome, bool)>> {
    let verdict = match judged(options, claimed, suspicion).await {
        Verdict::Lost => return ControlFlow::Break(None),
        Verdict::Wait(after) => {
            tracing::warn!(
                losses = suspicion.losses,
                wait_s = after.as_secs(),
                "workers died while they ran this job; it is put off until it is clear whether they die without it"
            );
            let reason = "its workers died; it goes to the dead letters unless others die without it".to_owned();
            return ControlFlow::Break(Some((Outcome::Hold { after, reason }, false)));
        }
        verdict => verdict,
    };
    tracing::warn!(
        losses = suspicion.losses,
        alone = suspicion.alone,
        "workers died while they ran this job; it gets this process for itself"
    );
    let alone = matches!(pass.insert(options.gate.enter(true).await), Pass::Alone(_));
    if alone {
        match options.queue.begin_alone(&options.consumer, &claimed.claim.lease()).await {
            Ok(true) => {}
            Ok(false) => return ControlFlow::Break(None),
            Err(_) => return ControlFlow::Break(Some((Outcome::Back, false))),
        }
    }
    if verdict == Verdict::Bury {
        tracing::error!("a job that kills its workers goes to the dead letters");
        // That the handler is told may be what kills the worker, too.
        return ControlFlow::Break(Some((poison(&claimed.job, suspicion), alone && tells_handler(suspicion))));
    }
    ControlFlow::Continue(())
}

/// With Redis away nothing is known, and nothing is said against the job.
async fn judged(options: &Options, claimed: &Claimed, suspicion: Suspicion) -> Verdict {
    if !is_judged(suspicion) {
        return Verdict::Run;
    }
    options.queue.judge(&claimed.claim.lease(), JUDGE_EVERY).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a job that is suspected of killing its workers could not be judged and runs once more");
        Verdict::Run
    })
}
