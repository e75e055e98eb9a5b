//! Two existing records: compare, merge, write.

use super::{Boundary, Record, Report, Step, Withheld, failure};
use crate::clients::{ADVOWARE, advoware};
use crate::sync::ledger::Pair;
use crate::sync::record::mapping::Mapping;
use crate::sync::record::plan::{Both, Plan, needs_own_user, plan, version};
use crate::sync::record::route::number_in;
use crate::sync::record::{merge::Snapshot, status};
use crate::worker::Failure;

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
        self.tell_problems(plan, &mut report);
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
            note: owed(note.as_deref(), plan.note.as_deref()),
            message,
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
            Some(whole) => Some(self.put(number, whole).await?),
            None => None,
        };
        if let Some(answered) = &answered {
            next.row_id = version(mapping, answered);
            report.ignored = plan.ignored(mapping, answered);
        }
        next.snapshot = Some(plan.after_put(mapping, base, answered.as_ref()));
        let mut stored = pair;
        let agreed = if answered.is_some() { Boundary::PutStored } else { Boundary::AgreementStored };
        self.remember_if_new(agreed, &mut stored, &next).await?;
        if plan.is_settled() {
            report.result = "unchanged";
        } else {
            self.finish_update(record, plan, &mut next, &mut stored).await?;
        }
        self.pay_note(record, &mut next, &mut stored, &mut report).await?;
        Ok(report)
    }

    /// The whole object goes to Advoware; answers the record as it is there now.
    async fn put(&self, number: &str, whole: &Record) -> Result<Record, Failure> {
        let path = &self.sync.mapping.advoware.path;
        self.run.check()?;
        let answer = self.at(Boundary::PartyPut, self.sync.advoware.put(path, number, whole)).await;
        let answer = answer.map_err(|error| match &error {
            // Safe to repeat: the next run reads, compares and finds it written or not.
            advoware::Error::Unknown { .. } => {
                Failure::Upstream { upstream: ADVOWARE, message: error.to_string(), retry_after: None, park: false }
            }
            _ => failure::advoware(&error),
        })?;
        match answer {
            Some(record) if version(&self.sync.mapping, &record).is_some() => Ok(record),
            _ => self.read_advoware(number).await,
        }
    }

    async fn finish_update(
        &self,
        record: &Record,
        plan: &Plan,
        next: &mut Pair,
        stored: &mut Option<Pair>,
    ) -> Result<(), Failure> {
        let mapping = &self.sync.mapping;
        let mut attributes = plan.update.attributes.clone();
        attributes.extend(status::clean(mapping, &next.number, next.row_id.as_deref(), self.now()));
        let answered = self.update_espocrm(Boundary::RecordUpdated, record, &attributes).await?;
        if !plan.merged.to_espocrm.is_empty() {
            let base: Snapshot = next.snapshot.clone().unwrap_or_default();
            next.snapshot = Some(plan.after_update(mapping, &base, &answered));
            self.remember_if_new(Boundary::UpdateStored, stored, next).await?;
        }
        Ok(())
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
                && stored.message == next.message
        });
        if !same {
            self.remember(boundary, next, "").await?;
            *stored = Some(next.clone());
        }
        Ok(())
    }

    fn tell_problems(&self, plan: &Plan, report: &mut Report) {
        for problem in plan.espocrm.problems().iter().chain(plan.advoware.problems()) {
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

/// What the record's readers are to be told: an older note may be the only place that still has the values in it. The
/// first line has the time; a run that is repeated after a crash says the rest again, and that once is enough.
fn owed(before: Option<&str>, now: Option<&str>) -> Option<String> {
    let text = |note: &str| note.split_once('\n').map(|(_, text)| text.trim().to_owned());
    match (before, now) {
        (Some(before), Some(now)) if text(now).is_none_or(|text| !before.ends_with(&text)) => {
            Some(format!("{before}\n\n{now}"))
        }
        (before, now) => before.or(now).map(str::to_owned),
    }
}
