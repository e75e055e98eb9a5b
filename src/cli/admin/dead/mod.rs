//! `advosync dead`: looks at dead letters, replays and discards them.

mod decide;
mod replay;
mod show;

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context as _, Result, bail};
use chrono::Utc;
use serde_json::json;

use super::{Report, said};
use crate::cli::dead::{DeadArgs, DeadCommand};
use crate::queue::{DeadLetter, Flow};
use crate::roles::Parts;

/// So many of a flow are listed; a bound, not a page: whoever has more should look for the common cause first.
const MOST: usize = 50_000;

/// Runs the command.
pub(super) async fn run(parts: &Parts, args: &DeadArgs) -> Result<Report> {
    parts.queue.prepare(Utc::now()).await?;
    let dead = Dead { parts, flows: args.flow.map_or(Flow::ALL.to_vec(), |flow| vec![flow.flow()]), json: args.json };
    match &args.command {
        DeadCommand::List => dead.list().await,
        DeadCommand::Show { id } => dead.show(id).await,
        DeadCommand::Replay(which) => dead.replay(which).await,
        DeadCommand::Decide(choice) => dead.decide(choice).await,
        DeadCommand::Discard { ids } => dead.discard(ids).await,
    }
}

struct Dead<'a> {
    parts: &'a Parts,
    /// Where to look.
    flows: Vec<Flow>,
    json: bool,
}

impl Dead<'_> {
    async fn list(&self) -> Result<Report> {
        let mut letters = Vec::new();
        let mut more = Vec::new();
        for flow in &self.flows {
            let found = self.parts.queue.dead_letters(*flow, MOST).await?;
            if found.len() == MOST {
                more.push(format!("only the newest {MOST} of the flow {flow} are listed"));
            }
            letters.extend(found);
        }
        letters.sort_by_key(|letter| std::cmp::Reverse(number(&letter.id)));
        let now = Utc::now();
        let text = if self.json { format!("{:#}", show::list_json(&letters, now)) } else { show::list(&letters, now) };
        let report = if text.is_empty() { Report::default() } else { said(text) };
        if letters.is_empty() {
            more.push("there are no dead letters".to_owned());
        }
        Ok(Report { stderr: more, ..report })
    }

    async fn show(&self, id: &str) -> Result<Report> {
        let (_, letter) = self.find(&[id.to_owned()]).await?.pop().context("an id that is known has a letter")?;
        let zone = self.parts.settings.cron.timezone;
        Ok(said(if self.json { format!("{:#}", json!(letter)) } else { show::whole(&letter, zone) }))
    }

    async fn discard(&self, ids: &[String]) -> Result<Report> {
        let mut discarded = 0;
        for (flow, ids) in by_flow(self.find(ids).await?) {
            let count = self.parts.queue.discard(flow, &ids).await?;
            tracing::info!(%flow, count, "dead letters were discarded");
            discarded += count;
        }
        Ok(self.counted("discarded", discarded))
    }

    /// The letters with these ids, each once.
    async fn find(&self, ids: &[String]) -> Result<Vec<(Flow, DeadLetter)>> {
        let mut seen = HashSet::new();
        let ids: Vec<String> = ids.iter().filter(|id| seen.insert(id.as_str())).cloned().collect();
        let mut found: BTreeMap<String, (Flow, DeadLetter)> = BTreeMap::new();
        for flow in &self.flows {
            for letter in self.parts.queue.dead_letters_of(*flow, &ids).await? {
                if let Some((_, other)) = found.insert(letter.id.clone(), (*flow, letter)) {
                    bail!("both flows have a dead letter {}; say which with --flow. Nothing was done", other.id);
                }
            }
        }
        let unknown: Vec<&str> = ids.iter().filter(|id| !found.contains_key(*id)).map(String::as_str).collect();
        if unknown.is_empty() {
            return Ok(found.into_values().collect());
        }
        bail!(
            "there is no dead letter {} (any more); nothing was done. `advosync dead list` shows what is there",
            unknown.join(", ")
        )
    }

    fn counted(&self, what: &str, count: usize) -> Report {
        if self.json {
            return said(json!({what: count}).to_string());
        }
        said(format!("{count} {what}"))
    }
}

fn by_flow(found: Vec<(Flow, DeadLetter)>) -> BTreeMap<Flow, Vec<String>> {
    let mut out: BTreeMap<Flow, Vec<String>> = BTreeMap::new();
    for (flow, letter) in found {
        out.entry(flow).or_default().push(letter.id);
    }
    out
}

/// Stream ids are two numbers, and must not be compared as text.
fn number(id: &str) -> Option<(u64, u64)> {
    let (ms, number) = id.split_once('-')?;
    Some((ms.parse().ok()?, number.parse().ok()?))
}
