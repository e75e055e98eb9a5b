//! `advosync record`.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;
use tokio::time::Instant;

use super::progress::Progress;
use super::wait::{Patience, wait};
use super::{Report, all_records, said};
use crate::cli::records::{RecordArgs, RecordId};
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
    let Some(RecordId(id)) = &args.id else {
        return all_records::run(parts, &args.entity, patience).await;
    };
    let record = Record { entity: &args.entity, id };
    if args.inspect {
        return inspect(parts, record).await;
    }
    let topic = Topic::record(record.entity, RecordAction::SyncCheck);
    let waiter = if args.wait { Some(parts.queue.waiter(topic.clone(), id).await?) } else { None };
    let new = enqueue(parts, topic, record).await?;
    let Some(mut waiter) = waiter else {
        return Ok(said(format!("{record}: {}", if new { "queued" } else { "queued already" })));
    };
    let progress = Progress::start(format!("{record} is being compared"));
    let ended = wait(&parts.queue, Flow::Vmh, &mut waiter, patience, &progress).await?;
    Ok(match ended {
        Ended::Done { result, detail } => {
            let detail = detail.map(|detail| format!(" {detail}")).unwrap_or_default();
            said(format!("{record}: {result}{detail}"))
        }
        Ended::Failed { error } => failed(record, "failed, it is tried again later", &error),
        Ended::Dead { error } => failed(record, "failed for good", &error),
    })
}

/// Which record.
#[derive(Debug, Clone, Copy)]
struct Record<'a> {
    entity: &'a str,
    id: &'a str,
}

impl std::fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.entity, self.id)
    }
}

async fn enqueue(parts: &Parts, topic: Topic, record: Record<'_>) -> Result<bool> {
    let trace = crate::telemetry::current_traceparent();
    let keys = [record.id.to_owned()];
    let batch = Batch { traceparent: Some(&trace), ..Batch::new(topic, Lane::First, &keys, "cli") };
    Ok(!parts.queue.enqueue(&batch).await?.new.is_empty())
}

fn failed(record: Record<'_>, how: &str, error: &str) -> Report {
    Report { stdout: format!("{record}: {how}: {error}\n"), stderr: Vec::new(), exit: 1 }
}

async fn inspect(parts: &Parts, record: Record<'_>) -> Result<Report> {
    let answer = explained(parts, record.entity, record.id).await?;
    Ok(said(format!("{answer:#}")))
}

/// What a worker says of a record: both sides, the last agreement, what a run would do. Writes nothing.
///
/// # Errors
/// No worker answers, or the record cannot be looked at.
pub(super) async fn explained(parts: &Parts, entity: &str, id: &str) -> Result<Value> {
    let record = Record { entity, id };
    let topic = Topic::Inspect { entity: record.entity.to_owned() };
    let mut waiter = parts.queue.waiter(topic.clone(), record.id).await?;
    enqueue(parts, topic.clone(), record).await?;
    let until = Instant::now() + INSPECT_WITHIN;
    while Instant::now() < until {
        match waiter.poll().await? {
            Some(Ended::Failed { error } | Ended::Dead { error }) => {
                bail!("{record} cannot be inspected: {error}")
            }
            Some(Ended::Done { .. }) | None => {}
        }
        if let Some(answer) = parts.queue.take_inspection(&topic, record.id).await? {
            return Ok(serde_json::from_str(&answer)?);
        }
        tokio::time::sleep(INSPECT_EVERY).await;
    }
    bail!("no worker has answered within a minute; does one run? `advosync status` shows what waits")
}
