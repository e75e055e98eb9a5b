//! Explains one record without writing anything: both sides, what they last agreed on, what a run would do.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::create::{Creation, first, recover};
use super::execute::{Sync, advoware_failure, espocrm_failure, ledger_failure, missing};
use super::normal::Content;
use super::plan::{Both, plan};
use super::route::{Route, route};
use super::trials;
use crate::clients::{advoware, espocrm};
use crate::queue::{Job, Queue, RecordAction, Topic, Troubles};
use crate::sync::ledger::{Intent, Known, Pair, Trials};
use crate::worker::{Failure, Run, Success};

impl Sync {
    /// Leaves the explanation for whoever asked, for a minute.
    pub(super) async fn inspect(&self, job: &Job, run: &Run, queue: &Queue) -> Result<Success, Failure> {
        let mut answer = self.explain(&job.key, run.now()).await?;
        let topic = Topic::record(&self.mapping.name, RecordAction::SyncCheck);
        answer["failures"] = failures(&queue.troubles(&topic, &job.key).await.map_err(ledger_failure)?);
        queue.leave_inspection(&job.topic, &job.key, &answer.to_string()).await.map_err(ledger_failure)?;
        Ok(Success { result: "inspected".to_owned(), detail: None })
    }

    async fn explain(&self, id: &str, now: DateTime<Utc>) -> Result<Value, Failure> {
        let mapping = &self.mapping;
        let record = match self.espocrm.get(&mapping.espocrm.entity, id).await {
            Ok(record) => Some(record),
            Err(espocrm::Error::RecordMissing { .. }) => None,
            Err(error) => return Err(espocrm_failure(&error)),
        };
        let Known { pair, intent } = self.ledger.read(id).await.map_err(ledger_failure)?;
        let way =
            route(mapping, record.as_ref(), Known { pair: pair.clone(), intent: intent.clone() }, self.quiet, now);
        let mut answer = json!({
            "entity": mapping.name, "id": id,
            "fields": mapping.fields.iter().map(|field| &field.advoware).collect::<Vec<_>>(),
            "espocrm": record.as_ref().map(|record| mapping.from_espocrm(record)),
            "status": record.as_ref().map(|record| record.iter()
                .filter(|(name, _)| mapping.espocrm.is_sync_field(name)).map(|(k, v)| (k.clone(), v.clone()))
                .collect::<Map<_, _>>()),
            "ledger": { "pair": pair, "intent": intent },
        });
        let given_up = record.as_ref().is_some_and(|record| trials::is_given_up(mapping, record));
        if given_up {
            let made = self.ledger.trials(id).await.map_err(ledger_failure)?.unwrap_or_else(|| Trials::since(now));
            answer["trials"] = trials::shown(&made, &mapping.sweep);
        }
        let would = match (&way, &record) {
            (Route::Wait(left), _) => json!({ "wait_seconds": left.as_secs() }),
            (Route::Dissolve(Some(_)), _) => json!({ "dissolve": true }),
            (Route::Create | Route::Recover(_), Some(record)) => {
                let content = mapping.from_espocrm(record);
                let (would, candidates) = self.would_create(id, &content, intent.as_ref()).await?;
                answer["candidates"] = candidates;
                would
            }
            (Route::Compare { number, pair, left }, Some(record)) => {
                let (would, party) =
                    self.would_compare(id, record, number, pair.as_ref(), left.as_deref(), now).await?;
                answer["advoware"] = party;
                would
            }
            (Route::Dissolve(None), _) | (_, None) => json!({}),
        };
        answer["would"] = would;
        Ok(answer)
    }

    /// What a run would write to a record and its party, and the party; or why it would fail.
    async fn would_compare(
        &self,
        id: &str,
        record: &Map<String, Value>,
        number: &str,
        pair: Option<&Pair>,
        left: Option<&Pair>,
        now: DateTime<Utc>,
    ) -> Result<(Value, Value), Failure> {
        let mapping = &self.mapping;
        let party = match self.advoware.get(&mapping.advoware.path, number).await {
            Ok(party) => party,
            Err(advoware::Error::NotFound { .. }) => {
                return Ok((json!({ "fail": missing(mapping, number) }), Value::Null));
            }
            Err(error) => return Err(advoware_failure(&error)),
        };
        let own_user = self.espocrm.own_user().await.ok();
        let left = left.map(|left| left.number.as_str());
        let both = Both { espocrm: record, advoware: &party, pair, number, left, own_user: own_user.as_deref() };
        let plan = plan(mapping, both, now);
        let owners = self.ledger.owners(&[number.to_owned()]).await.map_err(ledger_failure)?;
        let would = match owners.into_iter().flatten().find(|owner| owner != id) {
            Some(owner) => json!({ "fail": format!("Advoware's {number} is paired with the EspoCRM record {owner}") }),
            None => json!({
                "to_advoware": plan.merged.to_advoware, "to_espocrm": plan.merged.to_espocrm, "note": plan.note,
                "status_write": plan.needs_status,
                "rules_without_snapshot": plan.verdict.map(|verdict| format!("{verdict:?}")),
            }),
        };
        Ok((would, json!(plan.advoware)))
    }

    /// What a run would do about a record without a counterpart, and the parties that it could be, with their owners.
    async fn would_create(
        &self,
        id: &str,
        content: &Content,
        intent: Option<&Intent>,
    ) -> Result<(Value, Value), Failure> {
        let mapping = &self.mapping;
        let wanted = intent.map_or_else(|| content.clone(), |intent| self.sent(intent, content));
        let found = self.search(&wanted).await?;
        let candidates: Vec<Value> = found
            .iter()
            .flatten()
            .map(|it| json!({ "number": it.number, "advoware": it.content, "owner": it.owner }))
            .collect();
        let creation = match intent {
            Some(intent) => recover(mapping, intent, found),
            None => first(id, found.unwrap_or_default()),
        };
        let would = match creation {
            Creation::Post { .. } => json!({ "create": mapping.new_advoware(content) }),
            Creation::Link(candidate) => json!({ "link": candidate.number }),
            Creation::Adopt(candidate) => json!({ "adopt": candidate.number }),
            Creation::Ask { why, numbers } => json!({ "ask_a_person": why, "between": numbers }),
        };
        Ok((would, json!(candidates)))
    }
}

/// What the queue knows of the record's failures. What EspoCRM shows of the last one is in `status`.
fn failures(troubles: &Troubles) -> Value {
    let letters = troubles.letters.iter().map(|letter| {
        json!({ "id": letter.id, "failed_at": letter.failed_at, "code": letter.code, "error": letter.error, "attempts": letter.errors })
    });
    let retry = troubles.retry.as_ref();
    json!({
        "retry": retry.map(|it| json!({ "due": it.due, "waits_because": it.reason, "attempts": it.errors })),
        "dead_letters": letters.collect::<Vec<_>>(),
    })
}
