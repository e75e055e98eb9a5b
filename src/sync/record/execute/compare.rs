//! Two existing records: compare, merge, write.

use super::{Boundary, Record, Report, Step, Withheld, failure};
use crate::clients::{ADVOWARE, advoware};
use crate::sync::ledger::Pair;
use crate::sync::record::merge_note::note_on_ignored;
use crate::sync::record::plan::{Both, Plan, needs_own_user, plan, version};
use crate::sync::record::route::number_in;
use crate::sync::record::{merge::Snapshot, status};
use crate::worker::Failure;

impl Step<'_> {
    /// Brings a record and its counterpart in step.
    pub(super) async fn compare(&self, record: &Record, number: &str, pair: Option<Pair>) -> Result<Report, Failure> {
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
                    message: format!(
                        "Not found in Advoware: {} {number}. If it was deleted there on purpose, delete the record, or clear {} in EspoCRM to have it created anew",
                        sync.mapping.name, sync.mapping.espocrm.link
                    ),
                    retry_after: None,
                });
            }
            Err(other) => return Err(other),
        };
        let both =
            Both { espocrm: record, advoware: &party, pair: pair.as_ref(), number, own_user: own_user.as_deref() };
        let plan = plan(&sync.mapping, both, self.now());
        self.carry_out(record, &party, number, pair, &plan).await
    }

    /// Whether a person took the number out of a record that had it. A create that died before it could write the
    /// number looks alike, but has never been seen in step; and a number that is only hidden is not cleared.
    fn was_cleared(&self, record: &Record, pair: Option<&Pair>) -> bool {
        let ends = &self.sync.mapping.espocrm;
        let synced = record.get(&ends.last_sync).and_then(serde_json::Value::as_str).is_some_and(|at| !at.is_empty());
        let cleared = record.get(&ends.link).is_some() && number_in(record, &ends.link).is_none();
        synced && cleared && pair.is_some_and(|pair| pair.row_id.is_some())
    }

    /// A number that another record is paired with must not be written to by this one.
    async fn check_owner(&self, number: &str) -> Result<(), Failure> {
        match self.other_owner(number).await? {
            Some(owner) => self.written(crate::sync::ledger::Written::Taken(owner), number),
            None => Ok(()),
        }
    }

    /// The other record that the ledger pairs a number with.
    pub(super) async fn other_owner(&self, number: &str) -> Result<Option<String>, Failure> {
        let owners = self.sync.ledger.owners(&[number.to_owned()]).await.map_err(failure::ledger)?;
        Ok(owners.into_iter().flatten().next().filter(|owner| owner != self.id))
    }

    async fn carry_out(
        &self,
        record: &Record,
        party: &Record,
        number: &str,
        pair: Option<Pair>,
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
            note: owed(pair.as_ref().and_then(|pair| pair.note.as_deref()), plan.note.as_deref()),
            at: self.now(),
        };
        if plan.note.is_some() && plan.put.is_some() {
            // Should we die between the PUT and the note, the values that lost would be nowhere any more.
            self.remember(Boundary::NoteOwed, &next, "").await?;
        }
        let answered = match &plan.put {
            Some(whole) => Some(self.put(number, whole).await?),
            None => None,
        };
        if let Some(answered) = &answered {
            next.row_id = version(mapping, answered);
            let ignored = plan.ignored(mapping, answered);
            // Stored with the agreement, which makes the change one that is over: it is told once.
            let told = note_on_ignored(mapping, &ignored, self.now());
            next.note = owed(next.note.as_deref(), told.as_deref());
            report.ignored = ignored.into_iter().map(|it| it.field).collect();
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
        self.pay_note(&mut next, &mut stored, &mut report).await?;
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

    /// Writes the note that is owed. A note that EspoCRM refuses is given up with a warning: the sync itself is done.
    pub(super) async fn pay_note(
        &self,
        next: &mut Pair,
        stored: &mut Option<Pair>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let Some(note) = next.note.clone() else { return Ok(()) };
        self.run.check()?;
        let entity = &self.sync.mapping.espocrm.entity;
        let written = self.at(Boundary::NoteWritten, self.sync.espocrm.note_on_record(entity, self.id, &note)).await;
        if let Err(error) = written {
            if error.upstream_down() || error.effect_unknown() || error.retry_after().is_some() {
                // It stays owed, as the ledger knows already, and the next run of this record pays it.
                report.remarks.push(format!("the note could not be written yet: {error}"));
                return Ok(());
            }
            tracing::warn!(record = self.id, %error, "a note could not be written; the API user needs the right to create notes");
            report.remarks.push(format!("the note was refused: {error}"));
        }
        next.note = None;
        self.remember_if_new(Boundary::NotePaid, stored, next).await
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
