//! `advosync record`.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;
use tokio::time::Instant;

use super::progress::Progress;
use super::wait::{Patience, wait};
use super::{Report, said};
use crate::cli::records::RecordArgs;
use crate::queue::{Batch, Ended, Flow, Lane, RecordAction, Topic};
use crate::roles::Parts;

/// How long a look at a record may take.
const INSPECT_WITHIN: Duration = Duration::from_mins(1);
/// How often its answer is looked for.
const INSPECT_EVERY: Duration = Duration::from_millis(100);

/// Enqueues a comparison of one record, or explains it.
pub(super) async fn run(parts: &Parts, args: &RecordArgs, patience: Patience) -> Result<Report> {
    let entities = parts.entities();
    if !entities.contains(&args.entity) {
        bail!("there is no mapping `{}`; there are: {}", args.entity, entities.join(", "));
    }
    parts.queue.prepare(chrono::Utc::now()).await?;
    if args.inspect {
        return inspect(parts, args).await;
    }
    let topic = Topic::record(&args.entity, RecordAction::SyncCheck);
    let waiter = if args.wait { Some(parts.queue.waiter(topic.clone(), &args.id.0).await?) } else { None };
    let new = enqueue(parts, topic, args).await?;
    let Some(mut waiter) = waiter else {
        let state = if new { "queued" } else { "queued already" };
        return Ok(said(format!("{} {}: {state}", args.entity, args.id.0)));
    };
    let progress = Progress::start(format!("{} {} is being compared", args.entity, args.id.0));
    let ended = wait(&parts.queue, Flow::Vmh, &mut waiter, patience, &progress).await?;
    Ok(match ended {
        Ended::Done { result, detail } => {
            let detail = detail.map(|detail| format!(" {detail}")).unwrap_or_default();
            said(format!("{} {}: {result}{detail}", args.entity, args.id.0))
        }
        Ended::Failed { error } => failed(args, "failed, it is tried again later", &error),
        Ended::Dead { error } => failed(args, "failed for good", &error),
    })
}

async fn enqueue(parts: &Parts, topic: Topic, args: &RecordArgs) -> Result<bool> {
    let trace = crate::telemetry::current_traceparent();
    let keys = [args.id.0.clone()];
    let batch = Batch { traceparent: Some(&trace), ..Batch::new(topic, Lane::First, &keys, "cli") };
    Ok(!parts.queue.enqueue(&batch).await?.new.is_empty())
}

fn failed(args: &RecordArgs, how: &str, error: &str) -> Report {
    Report { stdout: format!("{} {}: {how}: {error}\n", args.entity, args.id.0), stderr: Vec::new(), exit: 1 }
}

async fn inspect(parts: &Parts, args: &RecordArgs) -> Result<Report> {
    let topic = Topic::Inspect { entity: args.entity.clone() };
    let mut waiter = parts.queue.waiter(topic.clone(), &args.id.0).await?;
    enqueue(parts, topic.clone(), args).await?;
    let until = Instant::now() + INSPECT_WITHIN;
    while Instant::now() < until {
        match waiter.poll().await? {
            Some(Ended::Failed { error } | Ended::Dead { error }) => {
                bail!("{} {} cannot be inspected: {error}", args.entity, args.id.0)
            }
            Some(Ended::Done { .. }) | None => {}
        }
        if let Some(answer) = parts.queue.take_inspection(&topic, &args.id.0).await? {
            let answer: Value = serde_json::from_str(&answer)?;
            return Ok(said(format!("{answer:#}")));
        }
        tokio::time::sleep(INSPECT_EVERY).await;
    }
    bail!("no worker has answered within a minute; does one run? `advosync status` shows what waits")
}
