//! `advosync dead replay`: page by page, with a bar for whoever waits.

use anyhow::Result;
use chrono::Utc;

use super::{Dead, by_flow};
use crate::cli::Report;
use crate::cli::admin::progress::Progress;
use crate::cli::dead::ReplayArgs;
use crate::queue::{Flow, Replayed, Selection};

impl Dead<'_> {
    pub(super) async fn replay(&self, args: &ReplayArgs) -> Result<Report> {
        let entities = self.parts.entities();
        let mut all = Replayed::default();
        for (flow, which) in self.chosen(args).await? {
            let mut replay = self.parts.queue.begin_replay(flow, &which, &entities).await?;
            let bar = Progress::of(replay.letters(), format!("replaying dead letters of the flow {flow}"));
            let mut done = Replayed::default();
            while let Some(some) = replay.step().await? {
                done += some;
                bar.at(done.seen);
            }
            if done.replayed > 0 {
                tracing::info!(%flow, count = done.replayed, "dead letters were replayed");
            }
            all += done;
        }
        let by_id = !args.ids.is_empty();
        let report = self.counted("replayed", all.replayed);
        Ok(Report { stderr: left(all), exit: u8::from(by_id && all.nameless > 0), ..report })
    }

    /// Which letters of which flow are meant. What goes by id is looked for first: an id that is not there stops all.
    async fn chosen(&self, args: &ReplayArgs) -> Result<Vec<(Flow, Selection)>> {
        if !args.ids.is_empty() {
            let found = by_flow(self.find(&args.ids).await?);
            return Ok(found.into_iter().map(|(flow, ids)| (flow, Selection::Ids(ids))).collect());
        }
        let which = match (&args.topic, args.since) {
            (Some(topic), _) => Selection::Topic(topic.clone()),
            (None, Some(since)) => Selection::Since(since.instant(Utc::now(), self.parts.settings.cron.timezone)),
            (None, None) if args.all => Selection::All,
            (None, None) => Selection::Range { from: args.from.clone(), to: args.to.clone() },
        };
        Ok(self.flows.iter().map(|flow| (*flow, which.clone())).collect())
    }
}

/// What is said of those that stay.
fn left(all: Replayed) -> Vec<String> {
    let mut left = Vec::new();
    if all.waiting > 0 {
        left.push(format!(
            "{} stay: a job for the same key is queued already, and its success will resolve them",
            all.waiting
        ));
    }
    if all.nameless > 0 {
        left.push(format!(
            "{} cannot be replayed, because they name no topic or no key: look with `advosync dead show`, enqueue them by \
             hand, then discard them",
            all.nameless
        ));
    }
    left
}
