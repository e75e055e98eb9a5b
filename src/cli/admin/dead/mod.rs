//! `advosync dead`: looks at dead letters, replays and discards them.

mod show;

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context as _, Result, bail};
use chrono::Utc;
use serde_json::json;

use super::{Report, said};
use crate::cli::dead::{DeadArgs, DeadCommand, ReplayArgs};
use crate::queue::{DeadLetter, Flow, Selection};
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

    async fn replay(&self, args: &ReplayArgs) -> Result<Report> {
        let entities = self.parts.entities();
        let (mut replayed, mut waiting, mut nameless) = (0, 0, 0);
        for (flow, which) in self.chosen(args).await? {
            let count = self.parts.queue.replay(flow, &which, &entities).await?;
            if count > 0 {
                tracing::info!(%flow, count, "dead letters were replayed");
            }
            replayed += count;
            if let Selection::Ids(ids) = &which {
                for id in ids {
                    match self.parts.queue.dead_letter(flow, id).await? {
                        Some(letter) if letter.topic.is_some() && letter.key.is_some() => waiting += 1,
                        Some(_) => nameless += 1,
                        None => {}
                    }
                }
            }
        }
        let mut left = Vec::new();
        if waiting > 0 {
            left.push(format!(
                "{waiting} stay: a job for the same key is queued already, and its success will resolve them"
            ));
        }
        if nameless > 0 {
            left.push(format!(
                "{nameless} cannot be replayed, because they name no topic or no key: look with `advosync dead show`, \
                 enqueue them by hand, then discard them"
            ));
        }
        let exit = u8::from(nameless > 0);
        Ok(Report { stderr: left, exit, ..self.counted("replayed", replayed) })
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
            (None, None) => Selection::All,
        };
        Ok(self.flows.iter().map(|flow| (*flow, which.clone())).collect())
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
        let mut found = Vec::new();
        let mut unknown = Vec::new();
        let mut seen = HashSet::new();
        for id in ids.iter().filter(|id| seen.insert(id.as_str())) {
            let before = found.len();
            for flow in &self.flows {
                found.extend(self.parts.queue.dead_letter(*flow, id).await?.map(|letter| (*flow, letter)));
            }
            match found.len() - before {
                0 => unknown.push(id.as_str()),
                1 => {}
                _ => bail!("both flows have a dead letter {id}; say which with --flow. Nothing was done"),
            }
        }
        if unknown.is_empty() {
            return Ok(found);
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
