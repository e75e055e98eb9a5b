//! `advosync dead decide`: a record that no rule can match with a party. Shows both sides side by side, and queues what a person
//! decides; a success of that job resolves the letter.

use anyhow::{Result, bail};
use serde_json::Value;

use super::Dead;
use crate::cli::Report;
use crate::cli::admin::progress::Progress;
use crate::cli::admin::record::explained;
use crate::cli::admin::said;
use crate::cli::admin::show::{clean, table};
use crate::cli::admin::wait::{Patience, wait};
use crate::cli::dead::DecideArgs;
use crate::queue::{Batch, Ended, Flow, Lane, RecordAction, Topic};
use crate::sync::record::decision::Decision;

/// The code of letters that wait for a decision.
const NEEDS_PERSON: &str = "needs_person";

impl Dead<'_> {
    pub(super) async fn decide(&self, args: &DecideArgs) -> Result<Report> {
        let (entity, key) = self.asked(&args.id).await?;
        let decision = match &args.this {
            Some(number) => Some(Decision::This(number.clone())),
            None => args.create.then_some(Decision::Create),
        };
        let Some(decision) = decision else {
            let answer = explained(self.parts, &entity, &key).await?;
            let text = if self.json { format!("{answer:#}") } else { side_by_side(&answer, &args.id) };
            return Ok(said(text));
        };
        let topic = Topic::record(&entity, RecordAction::SyncCheck);
        let mut waiter = self.parts.queue.waiter(topic.clone(), &key).await?;
        let (keys, payload, trace) = ([key.clone()], decision.payload(), crate::telemetry::current_traceparent());
        let batch = Batch {
            payload: Some(&payload),
            traceparent: Some(&trace),
            ..Batch::new(topic, Lane::First, &keys, "cli")
        };
        self.parts.queue.enqueue(&batch).await?;
        tracing::info!(letter = args.id, key, "a person has decided about a record");
        if !args.wait {
            return Ok(said(format!("{entity} {key}: the decision is queued")));
        }
        let progress = Progress::start(format!("{entity} {key} is being synced"));
        Ok(match wait(&self.parts.queue, Flow::Vmh, &mut waiter, Patience::default(), &progress).await? {
            Ended::Done { result, detail } => {
                let detail = detail.map(|detail| format!(" {detail}")).unwrap_or_default();
                said(format!("{entity} {key}: {result}{detail}"))
            }
            Ended::Failed { error } => {
                Report { exit: 1, ..said(format!("{entity} {key}: failed, it is tried again later: {error}")) }
            }
            Ended::Dead { error } => Report { exit: 1, ..said(format!("{entity} {key}: failed for good: {error}")) },
        })
    }

    /// The record that a letter asks about.
    async fn asked(&self, id: &str) -> Result<(String, String)> {
        let found = self.find(&[id.to_owned()]).await?.pop();
        let Some((Flow::Vmh, letter)) = found else {
            bail!("{id} is no letter of the flow vmh, and only those ask about records")
        };
        let topic = letter.topic.as_deref().map(Topic::parse);
        match (topic, letter.key, letter.code.as_deref()) {
            (Some(Topic::Record { entity, .. }), Some(key), Some(NEEDS_PERSON)) => Ok((entity, key)),
            _ => bail!(
                "{id} asks for no decision (its code is not {NEEDS_PERSON}): `advosync dead show {id}` says what it is, \
                 `advosync dead replay {id}` runs it again"
            ),
        }
    }
}

/// A column for the record and one for each candidate, and what can be said.
fn side_by_side(answer: &Value, letter: &str) -> String {
    let candidates = answer["candidates"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => clean(text),
        other => other.to_string(),
    };
    let column = |candidate: &Value| format!("ADVOWARE {}", text(&candidate["number"]));
    let mut rows = vec![vec![String::new(), "ESPOCRM".to_owned()]];
    rows[0].extend(candidates.iter().map(column));
    let fields = answer["fields"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in fields {
        let mut row = vec![clean(name), text(&answer["espocrm"][name])];
        row.extend(candidates.iter().map(|candidate| text(&candidate["advoware"][name])));
        rows.push(row);
    }
    let mut owners = vec!["belongs to".to_owned(), "-".to_owned()];
    owners.extend(candidates.iter().map(|candidate| text(&candidate["owner"])));
    rows.push(owners);
    let ask = &answer["would"]["ask_a_person"];
    let why = if ask.is_null() {
        format!(
            "Nobody has to decide any more; a run would do this: {}. `advosync dead replay {letter}`",
            answer["would"]
        )
    } else {
        format!(
            "{}:\n  advosync dead decide {letter} --this NUMBER    the record is that party\n  \
             advosync dead decide {letter} --create         it is none of them: create it\n  \
             advosync dead discard {letter}                 leave it",
            text(ask)
        )
    };
    format!("{}\n{why}\n", table(&rows))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_sides_stand_side_by_side() {
        let party = |number: &str, plz: &str, owner: Option<&str>| json!({ "number": number, "advoware": { "name": "Muster", "plz": plz }, "owner": owner });
        let mut answer = json!({
            "espocrm": { "name": "Muster", "vorname": null },
            "fields": ["name", "vorname", "plz"],
            "candidates": [party("17", "10115", None), party("18", "\u{1b}[2J", Some("abc"))],
            "would": { "ask_a_person": "several parties in Advoware have the same name", "between": ["17", "18"] },
        });
        let text = side_by_side(&answer, "1-0");
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["ESPOCRM", "ADVOWARE", "17", "ADVOWARE", "18"]);
        assert_eq!(lines[1], ["name", "Muster", "Muster", "Muster"]);
        assert_eq!(lines[2], ["vorname", "-", "-", "-"]);
        assert_eq!(lines[3][..3], ["plz", "-", "10115"]);
        assert_eq!(lines[4], ["belongs", "to", "-", "-", "abc"]);
        assert!(text.contains("several parties") && text.contains("decide 1-0 --this NUMBER"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        answer["would"] = json!({ "link": "17" });
        let text = side_by_side(&answer, "1-0");
        assert!(text.contains(r#"{"link":"17"}"#) && text.contains("dead replay 1-0"), "{text}");
    }
}
