//! `advosync record ENTITY --all`: a comparison of every record, done by the workers; this asks for it and shows how far it is.

use anyhow::{Result, bail};
use chrono::Utc;
use uuid::Uuid;

use super::progress::Progress;
use super::wait::{Guard, Patience};
use super::{Report, said};
use crate::queue::{Batch, Ended, Flow, Lane, Topic, Waiter};
use crate::roles::Parts;
use crate::sync::ledger::{Full, Ledger};

/// The key of a sweep over everything; that of an ordinary one is another.
const KEY: &str = "full";

/// Asks for the comparison, or joins the one that is under way, and waits for its end.
pub(super) async fn run(parts: &Parts, entity: &str, patience: Patience) -> Result<Report> {
    let ledger = Ledger::new(parts.queue.store(), entity);
    let under_way = ledger.full().await?.filter(|full| full.goes_on(Utc::now()));
    let run = under_way.as_ref().map_or_else(|| Uuid::new_v4().to_string(), |full| full.run.clone());
    let topic = Topic::Sweep { entity: entity.to_owned() };
    let waiter = parts.queue.waiter(topic.clone(), KEY).await?;
    let payload = serde_json::json!({ "full": true, "run": run }).to_string();
    let (keys, trace) = ([KEY.to_owned()], crate::telemetry::current_traceparent());
    let batch =
        Batch { payload: Some(&payload), traceparent: Some(&trace), ..Batch::new(topic, Lane::First, &keys, "cli") };
    parts.queue.enqueue(&batch).await?;
    let progress = Progress::of(0, format!("{entity}: records compared"));
    if let Some(full) = &under_way {
        progress.remark(&format!("a comparison of all records is under way, {} were asked for so far", full.listed));
    }
    let mut watch = Watch { parts, ledger, run, waiter, progress, patience };
    let full = watch.until_asked_for().await?;
    let compared = watch.until_compared(&full).await?;
    drop(watch.progress);
    Ok(result(entity, full.listed, compared))
}

fn result(entity: &str, listed: u64, compared: u64) -> Report {
    if compared >= listed {
        return said(format!("{entity}: {listed} records compared"));
    }
    let left = listed - compared;
    let text = format!(
        "{entity}: {compared} of {listed} records compared; {left} failed or wait for their retry: `advosync status` and \
         `advosync dead list --flow vmh` say which"
    );
    Report { exit: 1, ..said(text) }
}

/// Looks how far the workers have come.
struct Watch<'a> {
    parts: &'a Parts,
    ledger: Ledger,
    run: String,
    waiter: Waiter,
    progress: Progress,
    patience: Patience,
}

impl Watch<'_> {
    /// Until every record was asked for.
    async fn until_asked_for(&mut self) -> Result<Full> {
        let mut guard = Guard::new(&self.parts.queue, Flow::Vmh, self.patience);
        let (mut shown, mut told) = (None, None);
        loop {
            // What the ledger says counts; this only waits, and hears of what goes wrong.
            match self.waiter.poll().await? {
                Some(Ended::Dead { error }) => {
                    bail!("the comparison failed for good, and can be asked for again: {error}")
                }
                Some(Ended::Failed { error }) if told.as_ref() != Some(&error) => {
                    self.progress.remark(&format!("it is tried again later: {error}"));
                    told = Some(error);
                }
                Some(Ended::Failed { .. } | Ended::Done { .. }) | None => {}
            }
            let full = self.ledger.full().await?.filter(|full| full.run == self.run);
            let compared = self.show(full.as_ref()).await?;
            if let Some(full) = full.as_ref().filter(|full| full.ended.is_some()) {
                return Ok(full.clone());
            }
            let state = (full.map(|full| full.listed), compared);
            if shown.replace(state) != Some(state) {
                guard = Guard::new(&self.parts.queue, Flow::Vmh, self.patience);
            }
            guard.check(&self.progress).await?;
        }
    }

    /// Until no job of the sweeps' lane waits or runs. Answers how many records were compared since it began.
    async fn until_compared(&mut self, full: &Full) -> Result<u64> {
        let mut guard = Guard::new(&self.parts.queue, Flow::Vmh, self.patience);
        let mut shown = None;
        loop {
            let compared = self.show(Some(full)).await?;
            if self.parts.queue.lane_length(Flow::Vmh, Lane::Sweep).await? == 0 {
                return self.show(Some(full)).await;
            }
            if shown.replace(compared) != Some(compared) {
                guard = Guard::new(&self.parts.queue, Flow::Vmh, self.patience);
            }
            guard.check(&self.progress).await?;
            // Any job of the flow that ends wakes it.
            self.waiter.poll().await?;
        }
    }

    async fn show(&self, full: Option<&Full>) -> Result<u64> {
        let Some((full, began)) = full.and_then(|full| Some((full, full.began?))) else { return Ok(0) };
        let compared = self.ledger.looked_since(began).await?;
        self.progress.total(full.total.unwrap_or(full.listed).max(full.listed));
        self.progress.at(usize::try_from(compared).unwrap_or(usize::MAX));
        Ok(compared)
    }
}
