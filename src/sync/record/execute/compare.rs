//! Two existing records: compare, merge, write.

use chrono::{DateTime, Utc};

use super::{Boundary, Record, Report, Step, Withheld, failure};
use crate::clients::{ADVOWARE, advoware};
use crate::sync::ledger::Pair;
use crate::sync::record::mapping::Mapping;
use crate::sync::record::merge_note::{note_on_ignored, with_news};
use crate::sync::record::normal::Content;
use crate::sync::record::plan::{Both, Plan, needs_own_user, plan, version};
use crate::sync::record::route::{is_numbered, number_in};
use crate::sync::record::{merge::Snapshot, status};
use crate::worker::Failure;

/// What came of a PUT.
struct Put {
    /// Advoware's record after it.
    answered: Record,
    /// Somebody has edited it since it was read; of fields that were sent, such an edit is left out of the record.
    edited: bool,
}

impl Step<'_> {
    /// Brings a record and its counterpart in step.
    /// `left`: the pair that the record had with another number, where somebody has changed it.
    pub(super) async fn compare(
        &self,
        record: &Record,
        number: &str,
        pair: Option<Pair>,
        left: Option<&Pair>,
    ) -> Result<Report, Failure> {
        let sync = self.sync;
        let own_user = if needs_own_user(pair.as_ref()) {
            self.check_owner(number).await?;
            sync.espocrm.own_user().await.map_err(|error| failure::espocrm(&error)).map(Some)?
        } else {
            None
        };
        let party = match self.read_advoware(number).await {
            Ok(party) => party,
            Err(Failure::Failed { code: "advoware_missing", .. }) => {
                if self.was_cleared(record, pair.as_ref()) {
                    let reason = "its number was cleared in EspoCRM, and the party is gone".to_owned();
                    self.end_pair(Boundary::PairCleared, Some(number.to_owned()), reason).await?;
                    return Box::pin(self.create(record, None)).await;
                }
                return Err(Failure::Failed {
                    code: "advoware_missing",
                    message: missing(&sync.mapping, number),
                    retry_after: None,
                });
            }
            Err(other) => return Err(other),
        };
        let both = Both {
            espocrm: record,
            advoware: &party,
            pair: pair.as_ref(),
            number,
            left: left.map(|left| left.number.as_str()),
            own_user: own_user.as_deref(),
        };
        let plan = plan(&sync.mapping, both, self.now());
        // What people are still to be told of the party before goes with what they are told of this one.
        let before = pair.as_ref().or(left);
        let owed = (before.and_then(|pair| pair.note.clone()), before.and_then(|pair| pair.message.clone()));
        self.carry_out(record, &party, number, pair, owed, &plan).await
    }

    /// Whether a person took the number out of a record that had it. A create that died before it could write the
    /// number looks alike, but has never been seen in step; and a number that is only hidden is not cleared.
    fn was_cleared(&self, record: &Record, pair: Option<&Pair>) -> bool {
        let ends = &self.sync.mapping.espocrm;
        let synced = record.get(&ends.last_sync).and_then(serde_json::Value::as_str).is_some_and(|at| !at.is_empty());
        let cleared = record.get(&ends.link).is_some() && number_in(record, &ends.link).is_none();
        synced && cleared && pair.is_some_and(|pair| pair.row_id.is_some())
    }

    async fn carry_out(
        &self,
        record: &Record,
        party: &Record,
        number: &str,
        pair: Option<Pair>,
        (note, message): (Option<String>, Option<String>),
        plan: &Plan,
    ) -> Result<Report, Failure> {
        let (mapping, base) = (&self.sync.mapping, pair.as_ref().and_then(|pair| pair.snapshot.as_ref()));
        let mut report = Report::new("updated").with(&plan.merged);
        report.number = Some(number.to_owned());
        self.tell_problems(&[&plan.espocrm, &plan.advoware], &mut report);
        if plan.put.is_some() && self.sync.write_protection {
            report.result = "withheld";
            let fields = std::mem::take(&mut report.to_advoware);
            report.withheld = Some(Withheld { method: "PUT", fields });
            report.to_espocrm.clear();
            return Ok(report);
        }
        let mut next = Pair {
            number: number.to_owned(),
            row_id: version(mapping, party),
            snapshot: base.cloned(),
            note: with_news(note.as_deref(), plan.note.as_deref()),
            message,
            unheard: None,
            at: self.now(),
        };
        if plan.put.is_some() {
            if plan.note.is_some() {
                // Should we die between the PUT and the note, the values that lost would be nowhere any more.
                self.remember(Boundary::NoteOwed, &next, "").await?;
            } else if pair.is_none() {
                // Another record that shows the same number must not write to the party, either.
                self.remember(Boundary::NumberClaimed, &next, "").await?;
            }
        }
        let answered = match &plan.put {
            Some(whole) => Some(self.put(&next, plan, whole).await?),
            None => None,
        };
        if let Some(Put { answered, edited }) = &answered {
            // What came in between is news to the next run, and to the sweep that asks for it.
            next.row_id = if *edited { next.row_id } else { version(mapping, answered) };
            let ignored = plan.ignored(mapping, answered);
            // Stored with the agreement, which makes the change one that is over: it is told once.
            let told = note_on_ignored(mapping, &ignored, self.now());
            next.note = with_news(next.note.as_deref(), told.as_deref());
            report.ignored = ignored.into_iter().map(|it| it.field).collect();
        }
        let answered = answered.map(|put| put.answered);
        next.snapshot = Some(plan.after_put(mapping, base, answered.as_ref()));
        let mut stored = pair;
        let agreed = if answered.is_some() { Boundary::PutStored } else { Boundary::AgreementStored };
        self.remember_if_new(agreed, &mut stored, &next).await?;
        if plan.is_settled() {
            report.result = "unchanged";
        } else {
            report.ignored_by_espocrm = self.finish_update(record, plan, &mut next, &mut stored).await?;
        }
        self.pay_note(record, &mut next, &mut stored, &mut report).await?;
        Ok(report)
    }

    /// The whole object goes to Advoware.
    async fn put(&self, known: &Pair, plan: &Plan, whole: &Record) -> Result<Put, Failure> {
        let (mapping, number) = (&self.sync.mapping, &known.number);
        let path = &mapping.advoware.path;
        self.run.check()?;
        let begun = self.now();
        let answer = match self.at(Boundary::PartyPut, self.sync.advoware.put(path, number, whole)).await {
            Ok(answer) => answer,
            Err(error) => {
                if error.may_yet_happen() {
                    self.wait_for(begun, known).await?;
                }
                // Safe to repeat: the next run reads, compares and finds it written or not.
                let upstream =
                    |message| Failure::Upstream { upstream: ADVOWARE, message, retry_after: None, park: false };
                let unknown = matches!(error, advoware::Error::Unknown { .. });
                return Err(if unknown { upstream(error.to_string()) } else { failure::advoware(&error) });
            }
        };
        let sent = |field: &String| plan.merged.to_advoware.get(field).is_known();
        let told = answer.filter(|answer| {
            is_numbered(answer, &mapping.advoware.id, number)
                && version(mapping, answer).is_some()
                && plan.is_shown(answer)
        });
        let is_told = told.is_some();
        let mut answered = match told {
            Some(answered) => answered,
            None => self.read_advoware(number).await?,
        };
        let mut edited = plan.edited_since(mapping, &answered);
        // Of what was sent, the PUT's own answer shows what Advoware has made of it.
        edited.retain(|field| !(is_told && sent(field)));
        edited.iter().filter(|field| sent(field)).for_each(|field| drop(answered.remove(field)));
        Ok(Put { answered, edited: !edited.is_empty() })
    }

    /// An update that nobody answered may take effect later, over whatever was written meanwhile: the next run waits for it.
    async fn wait_for(&self, sent: DateTime<Utc>, known: &Pair) -> Result<(), Failure> {
        self.remember(Boundary::UnheardStored, &Pair { unheard: Some(sent), ..known.clone() }, "").await
    }

    /// Answers which fields EspoCRM did not take.
    async fn finish_update(
        &self,
        record: &Record,
        plan: &Plan,
        next: &mut Pair,
        stored: &mut Option<Pair>,
    ) -> Result<Vec<String>, Failure> {
        let mapping = &self.sync.mapping;
        let mut attributes = plan.update.attributes.clone();
        attributes.extend(status::clean(mapping, &next.number, next.row_id.as_deref(), self.now()));
        let (takes_over, sent) = (!plan.merged.to_espocrm.is_empty(), self.now());
        let answered = match self.send_espocrm(Boundary::RecordUpdated, record, &attributes).await? {
            Ok(answered) => answered,
            Err(error) => {
                // The status alone undoes no edit.
                if takes_over && error.may_yet_happen() {
                    self.wait_for(sent, next).await?;
                }
                return Err(failure::espocrm(&error));
            }
        };
        if takes_over {
            let base: Snapshot = next.snapshot.clone().unwrap_or_default();
            next.snapshot = Some(plan.after_update(mapping, &base, &answered));
            self.remember_if_new(Boundary::UpdateStored, stored, next).await?;
        }
        Ok(plan.ignored_by_espocrm(mapping, &answered))
    }

    pub(super) async fn remember_if_new(
        &self,
        boundary: Boundary,
        stored: &mut Option<Pair>,
        next: &Pair,
    ) -> Result<(), Failure> {
        let same = stored.as_ref().is_some_and(|stored| {
            stored.number == next.number
                && stored.row_id == next.row_id
                && stored.snapshot == next.snapshot
                && stored.note == next.note
                && stored.unheard == next.unheard
                && stored.message == next.message
        });
        if !same {
            self.remember(boundary, next, "").await?;
            *stored = Some(next.clone());
        }
        Ok(())
    }

    pub(super) fn tell_problems(&self, contents: &[&Content], report: &mut Report) {
        for problem in contents.iter().flat_map(|content| content.problems()) {
            tracing::warn!(record = self.id, field = problem.field, "a value cannot be read and is left alone");
            report.remarks.push(format!("{} cannot be read and is left alone", problem.field));
        }
    }
}

/// What people are told of a record whose number Advoware does not have.
pub(in crate::sync::record) fn missing(mapping: &Mapping, number: &str) -> String {
    format!(
        "Not found in Advoware: {} {number}. If it was deleted there on purpose, delete the record, or clear {link} in \
         EspoCRM to have it created anew; if {number} is a slip of the pen, correct {link}",
        mapping.name,
        link = mapping.espocrm.link
    )
}
