//! Telling people: the note on the record's stream, and the message to whoever the record is assigned to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Boundary, Record, Report, Step, Sync};
use crate::clients::espocrm;
use crate::sync::ledger::Pair;
use crate::sync::record::message::{assigned, message};
use crate::worker::Failure;

/// So long nobody is asked again whether a message to these users is allowed by now.
const REFUSED_FOR: TimeDelta = TimeDelta::hours(1);

/// To whom EspoCRM let us send no message, and when: a role that lacks the right costs one call an hour, not one a conflict.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<String, DateTime<Utc>>>);

impl Refusals {
    fn stands(&self, users: &str, now: DateTime<Utc>) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(users).is_some_and(|at| now - *at < REFUSED_FOR)
    }

    /// Remembers a refusal; answers whether it is the first one that is.
    fn remember(&self, users: String, now: DateTime<Utc>) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, at| now - *at < REFUSED_FOR);
        known.insert(users, now);
        known.len() == 1
    }
}

/// What became of telling somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// It is written, or nobody is there to be told.
    Done,
    /// EspoCRM does not take it, and never will.
    Refused(String),
    /// Nobody knows, or not now.
    Open(String),
}

impl Told {
    fn of(answer: Result<String, espocrm::Error>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(error) if error.upstream_down() || error.effect_unknown() || error.retry_after().is_some() => {
                Self::Open(error.to_string())
            }
            Err(error) => Self::Refused(error.to_string()),
        }
    }
}

impl Sync {
    /// Sends a note to whoever the record is assigned to.
    pub(super) async fn message(
        &self,
        boundary: Boundary,
        id: &str,
        record: &Record,
        note: &str,
        now: DateTime<Utc>,
    ) -> Told {
        let users = assigned(record);
        let all = users.join(" ");
        if users.is_empty() || self.refusals.stands(&all, now) {
            return Told::Done;
        }
        let text = message(record, &self.espocrm.page_of(&self.mapping.espocrm.entity, id), note);
        let told = Told::of(self.at(boundary, id, self.espocrm.message_to_users(&users, &text)).await);
        if let Told::Refused(error) = &told
            && self.refusals.remember(all, now)
        {
            tracing::warn!(
                record = id,
                error,
                "the assigned user could not be told; the role of the API user needs the message permission"
            );
        }
        told
    }
}

impl Step<'_> {
    /// Writes the note that is owed, and then the message that is. Neither stops a run: what EspoCRM refuses is given up
    /// with a warning, what is open stays owed, as the ledger knows already, and the next run of this record pays it.
    pub(super) async fn pay_note(
        &self,
        record: &Record,
        next: &mut Pair,
        stored: &mut Option<Pair>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        if let Some(note) = next.note.clone() {
            match self.write_note(Boundary::NoteWritten, self.id, &note).await? {
                Told::Done => {}
                Told::Open(error) => {
                    report.remarks.push(format!("the note could not be written yet: {error}"));
                    return Ok(());
                }
                Told::Refused(error) => report.remarks.push(format!("the note was refused: {error}")),
            }
            next.note = None;
            let earlier = next.message.take().map(|earlier| earlier + "\n\n").unwrap_or_default();
            next.message = (!assigned(record).is_empty()).then(|| earlier + &note);
            self.remember_if_new(Boundary::NotePaid, stored, next).await?;
        }
        let Some(note) = next.message.clone() else { return Ok(()) };
        self.run.check()?;
        match self.sync.message(Boundary::MessageSent, self.id, record, &note, self.now()).await {
            Told::Done => {}
            Told::Open(error) => {
                report.remarks.push(format!("the assigned user could not be told yet: {error}"));
                return Ok(());
            }
            Told::Refused(error) => report.remarks.push(format!("the assigned user could not be told: {error}")),
        }
        next.message = None;
        self.remember_if_new(Boundary::MessagePaid, stored, next).await
    }

    /// Writes a note on the stream of a record of the entity.
    pub(super) async fn write_note(&self, boundary: Boundary, id: &str, note: &str) -> Result<Told, Failure> {
        self.run.check()?;
        let entity = &self.sync.mapping.espocrm.entity;
        let told = Told::of(self.at(boundary, self.sync.espocrm.note_on_record(entity, id, note)).await);
        if let Told::Refused(error) = &told {
            tracing::warn!(
                record = id,
                error,
                "a note could not be written; the API user needs the right to create notes"
            );
        }
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_asked_about_again_after_an_hour_and_logged_once() {
        let refusals = Refusals::default();
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        assert!(!refusals.stands("a", at(0)));
        assert!(refusals.remember("a".to_owned(), at(0)), "the first one is logged");
        assert!(refusals.stands("a", at(59)) && !refusals.stands("b", at(0)));
        assert!(!refusals.remember("b".to_owned(), at(1)), "the role is the same one");
        assert!(!refusals.stands("a", at(60)));
    }
}
