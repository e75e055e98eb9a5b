//! `advosync sync`: enqueues what the trigger over HTTP does, by the same rules.

use anyhow::{Result, bail};
use serde_json::Value;

use super::progress::Progress;
use super::wait::{Patience, wait, wait_for_all};
use super::{Report, said};
use crate::cli::records::SyncArgs;
use crate::ingress::Target;
use crate::queue::{Batch, Ended, Flow, Lane, Mode, Topic, Waiter};
use crate::roles::Parts;

/// What the handler reads when deletions that were held back are confirmed.
const CONFIRMED: &str = r#"{"confirm_deletions":true}"#;
/// Where the job of all employees names those whose jobs it queued.
const EMPLOYEES: &str = "employees";

/// Enqueues the sync, and waits for its end where that is asked for.
pub(super) async fn run(parts: &Parts, args: &SyncArgs, patience: Patience) -> Result<Report> {
    parts.queue.prepare(chrono::Utc::now()).await?;
    let target = &args.target;
    let waiter = if args.wait { Some(parts.queue.waiter(target.topic(), target.key()).await?) } else { None };
    let new = enqueue(parts, args).await?;
    if args.confirm_deletions && !new {
        bail!(
            "{} is queued already, and that job does not know of the confirmation; nothing was deleted: run this again \
             when it has ended",
            target.key()
        );
    }
    match waiter {
        Some(waiter) => wait_for(parts, target, waiter, patience).await,
        None => Ok(said(format!("{}: {}", target.key(), if new { "queued" } else { "queued already" }))),
    }
}

async fn enqueue(parts: &Parts, args: &SyncArgs) -> Result<bool> {
    let mode = args.full_content().map(|full| if full { Mode::Full } else { Mode::Anonymised });
    let trace = crate::telemetry::current_traceparent();
    let keys = [args.target.key().to_owned()];
    let batch = Batch {
        mode,
        traceparent: Some(&trace),
        payload: args.confirm_deletions.then_some(CONFIRMED),
        ..Batch::new(args.target.topic(), Lane::First, &keys, "cli")
    };
    Ok(!parts.queue.enqueue(&batch).await?.new.is_empty())
}

async fn wait_for(parts: &Parts, target: &Target, mut waiter: Waiter, patience: Patience) -> Result<Report> {
    let progress = Progress::start(format!("{} is being synced", target.key()));
    let ended = wait(&parts.queue, Flow::Calendar, &mut waiter, patience, &progress).await?;
    let mut lines = vec![line(target.key(), &ended)];
    let mut good = is_good(&ended);
    if let (Target::All, Ended::Done { detail, .. }) = (target, &ended) {
        drop(progress);
        let employees = employees(detail.as_ref());
        let progress = Progress::of(employees.len() as u64, "employees have ended");
        // They run side by side, so some may have ended before they are known here.
        let waiters = employees.iter().map(|kuerzel| waiter.another(Topic::CalendarEmployee, kuerzel)).collect();
        let ends = wait_for_all(&parts.queue, Flow::Calendar, waiters, patience, &progress).await?;
        for (kuerzel, ended) in employees.iter().zip(ends) {
            good &= is_good(&ended);
            lines.push(line(kuerzel, &ended));
        }
    }
    Ok(Report { exit: u8::from(!good), ..said(lines.join("\n")) })
}

fn employees(detail: Option<&Value>) -> Vec<String> {
    let list = detail.and_then(|detail| detail.get(EMPLOYEES)).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

const fn is_good(ended: &Ended) -> bool {
    matches!(ended, Ended::Done { .. })
}

fn line(key: &str, ended: &Ended) -> String {
    match ended {
        Ended::Done { result, detail } => {
            let detail = detail.as_ref().map(|detail| format!(" {detail}")).unwrap_or_default();
            format!("{key}: {result}{detail}")
        }
        Ended::Failed { error } => format!("{key}: failed, it is tried again later: {error}"),
        Ended::Dead { error } => format!("{key}: failed for good: {error}"),
    }
}
