//! `advosync migrate`.

use anyhow::Result;
use chrono::Utc;

use super::{Report, said};
use crate::roles::Parts;

/// Sets the layout up or renews it; with `dry_run` only says what would be done.
pub(super) async fn run(parts: &Parts, dry_run: bool) -> Result<Report> {
    let done = parts.queue.migrate(dry_run, Utc::now()).await?;
    if done.steps.is_empty() {
        return Ok(said(format!("layout {} is in place, nothing to do", done.to)));
    }
    let head = match (done.from, dry_run) {
        (Some(from), true) => format!("layout {from} is there; this would be done:"),
        (None, true) => "no layout is there; this would be done:".to_owned(),
        (_, false) => format!("layout {} is in place; done:", done.to),
    };
    Ok(said(format!("{head}\n  {}", done.steps.join("\n  "))))
}
