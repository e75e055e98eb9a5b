//! Effects at Google. Ids are derived and every write carries an `If-Match`, so each of them is safe to repeat (S4).

use std::sync::Arc;

use serde_json::Value;

use super::failure::{Problem, google_problem};
use super::rounds::{Step, agreed_on};
use super::state::Delta;
use crate::clients::google;
use crate::sync::calendar::Record;
use crate::sync::calendar::entry::{Entry, Field, Fields};
use crate::sync::calendar::event::{self, Marks};
use crate::sync::calendar::items::{Item, days};
use crate::sync::calendar::kept::{Kept, Said};
use crate::sync::calendar::pair::{Pair, Prints, Tie};
use crate::sync::calendar::plan::merge::Merged;
use crate::sync::calendar::plan::{agreed, shown, span};

/// More deleted events of one Termin than this are no accident.
const GENERATIONS: u32 = 50;

impl Step<'_> {
    /// Shows a Termin in the calendar.
    pub(super) async fn insert_event(
        &self,
        number: i64,
        generation: u32,
        replaces: Option<&Tie>,
    ) -> Result<(), Problem> {
        let termin = self.state().termine.get(&number).cloned().ok_or(Problem::Stale)?;
        let entry = shown(&termin, &self.scope);
        for generation in generation..generation + GENERATIONS {
            let rules = &self.scope.rules;
            let id = event::id(&rules.kanzlei, &self.scope.kuerzel, number, generation);
            let body = event::body(None, &id, &entry, &self.marks(number, generation, &entry.prints()), rules.multiday);
            self.run.check()?;
            let taken = match self.sync.google.insert(&self.calendar, &body).await {
                Ok(made) => {
                    let now = self.said(&made)?;
                    let pair = agreed(&termin, &self.scope, (&now.prints, days(&now.entry)), generation);
                    self.count("events_inserted");
                    let mut pairs = vec![(Tie::Event(id.clone()), Some(pair))];
                    pairs.extend(replaces.map(|tie| (tie.clone(), None)));
                    return self.settle(Delta { events: vec![(id, Some(made))], pairs, ..Delta::default() }).await;
                }
                Err(google::Error::Exists { .. }) => self.sync.google.get(&self.calendar, &id).await,
                Err(error) => return Err(google_problem(error)),
            };
            match taken.map_err(google_problem)? {
                // A deleted event's id stays taken.
                Some(old) if is_cancelled(&old) => {}
                // An earlier insert took effect: its event says whose it is, and the next plan takes it.
                Some(ours) => {
                    let pairs = replaces.map(|tie| (tie.clone(), None)).into_iter().collect();
                    self.settle(Delta { events: vec![(id, Some(ours))], pairs, ..Delta::default() }).await?;
                    return Err(Problem::Stale);
                }
                None => return Err(Problem::Stale),
            }
        }
        let message = format!("the event of the Termin {number} was deleted and made anew {GENERATIONS} times");
        Err(Problem::Passed { code: "google_refused", message })
    }

    /// Deletes a copy and shows its Termin anew. A crash in between is met by the next run: the copy is gone, so it comes
    /// back.
    pub(super) async fn remake(&self, tie: &Tie, number: i64, generation: u32) -> Result<(), Problem> {
        let held = self.state().mirror.get(tie.master()).map(Kept::record);
        if let Some(held) = held {
            self.delete(tie, &held).await?;
            self.settle(Delta { events: vec![(tie.event_id(), None)], ..Delta::default() }).await?;
        }
        self.insert_event(number, generation, Some(tie)).await
    }

    /// Takes the event of a Termin away that is gone.
    pub(super) async fn delete_event(&self, tie: &Tie, item: Option<&Item>) -> Result<(), Problem> {
        let ended = || vec![(tie.clone(), None)];
        let Some(held) = self.current(tie, item).await? else {
            return self.settle(Delta { pairs: ended(), ..Delta::default() }).await;
        };
        self.delete(tie, &held).await?;
        self.count("events_deleted");
        let event = match tie {
            Tie::Event(id) => (id.clone(), None),
            Tie::Instance { .. } => {
                let mut cancelled = held;
                cancelled.insert("status".to_owned(), Value::from("cancelled"));
                (tie.event_id(), Some(cancelled))
            }
        };
        self.settle(Delta { events: vec![event], pairs: ended(), ..Delta::default() }).await
    }

    async fn delete(&self, tie: &Tie, held: &Record) -> Result<(), Problem> {
        self.run.check()?;
        match self.sync.google.delete(&self.calendar, &tie.event_id(), etag(held)).await {
            Ok(()) => Ok(()),
            Err(google::Error::Changed { .. }) => self.read_again(tie).await,
            Err(error) => Err(google_problem(error)),
        }
    }

    /// Writes fields of a Termin to its event. `advoware` is what the Termin says by now.
    pub(super) async fn write_event(
        &self,
        tie: &Tie,
        item: &Item,
        (pair, advoware, entry): (&Pair, &Prints, &Entry),
        merged: &Merged,
    ) -> Result<(), Problem> {
        let Some(held) = self.current(tie, Some(item)).await? else {
            self.settle(Delta { events: vec![(tie.event_id(), None)], ..Delta::default() }).await?;
            return Err(Problem::Stale);
        };
        let fields: Fields = merged.to_google.union(&merged.undone).copied().collect();
        let target = item.entry.clone().with(&fields, entry);
        // An edit that is withheld is not agreed on, so it must not be told from one of ours by the event's own word.
        let agreed = target.prints().with(&merged.withheld, &pair.google);
        let marks = match tie {
            Tie::Event(_) => self.marks(pair.number, pair.generation, &agreed),
            // Its properties are its series'.
            Tie::Instance { .. } => Marks::default(),
        };
        let body = event::body(Some(&held), &tie.event_id(), &target, &marks, self.scope.rules.multiday);
        self.run.check()?;
        let written = match self.sync.google.update(&self.calendar, &tie.event_id(), etag(&held), &body).await {
            Ok(written) => written,
            Err(google::Error::Changed { .. }) => return self.read_again(tie).await,
            // A deleted event may be refused like one that is not ours to write (contract "Ids").
            Err(error @ (google::Error::NotFound { .. } | google::Error::Forbidden { .. })) => {
                if self.get_event(tie).await?.is_some() {
                    return Err(google_problem(error));
                }
                self.settle(Delta { events: vec![(tie.event_id(), None)], ..Delta::default() }).await?;
                return Err(Problem::Stale);
            }
            Err(error) => return Err(google_problem(error)),
        };
        let now = self.said(&written)?;
        let settled: Fields = Field::ALL.into_iter().filter(|field| !merged.withheld.contains(field)).collect();
        let (first, last) = span(days(entry), days(&now.entry));
        let pair = Pair { first, last, anonymised: self.scope.anonymised, ..pair.clone() };
        let pair = agreed_on(&pair, &settled, advoware, &now.prints);
        self.count("events_updated");
        let (events, pairs) = (vec![(tie.event_id(), Some(written))], vec![(tie.clone(), Some(pair))]);
        self.settle(Delta { events, pairs, ..Delta::default() }).await
    }

    /// Puts our properties on an employee's own event, once it has a Termin. Where that is not allowed, nothing is lost:
    /// the ledger knows, and after its loss equal content is found.
    pub(super) async fn mark_event(&self, tie: &Tie, item: &Item) -> Result<(), Problem> {
        let (held, pair) = {
            let state = self.state();
            (state.mirror.get(tie.master()).map(Kept::record), state.pairs.get(tie).cloned())
        };
        let (Tie::Event(id), Some(held), Some(pair)) = (tie, held, pair) else { return Ok(()) };
        let marks = self.marks(pair.number, pair.generation, &item.prints);
        let body = event::body(Some(&held), id, &item.entry, &marks, self.scope.rules.multiday);
        self.run.check()?;
        match self.sync.google.update(&self.calendar, id, etag(&held), &body).await {
            Ok(written) => {
                let pair = Pair { google: self.said(&written)?.prints, ..pair };
                let (events, pairs) = (vec![(id.clone(), Some(written))], vec![(tie.clone(), Some(pair))]);
                self.settle(Delta { events, pairs, ..Delta::default() }).await
            }
            Err(error) => {
                tracing::debug!(event = id, %error, "an event could not be marked");
                Ok(())
            }
        }
    }

    /// The event as it is now, if it is still as it was planned for; none: it is gone. An instance is read first, because
    /// its `ETag` is not known otherwise.
    async fn current(&self, tie: &Tie, planned: Option<&Item>) -> Result<Option<Record>, Problem> {
        if let Tie::Event(id) = tie {
            return Ok(self.state().mirror.get(id).map(Kept::record));
        }
        let Some(found) = self.get_event(tie).await? else { return Ok(None) };
        let now = self.said(&found)?;
        if planned.is_some_and(|planned| planned.prints != now.prints) {
            self.settle(Delta { events: vec![(tie.event_id(), Some(found))], ..Delta::default() }).await?;
            return Err(Problem::Stale);
        }
        Ok(Some(found))
    }

    /// Somebody wrote in between: read again, decide again.
    async fn read_again(&self, tie: &Tie) -> Result<(), Problem> {
        let found = self.get_event(tie).await?;
        self.settle(Delta { events: vec![(tie.event_id(), found)], ..Delta::default() }).await?;
        Err(Problem::Stale)
    }

    /// What our private properties say.
    fn marks(&self, number: i64, generation: u32, agreed: &Prints) -> Marks {
        Marks {
            number: Some(number),
            kuerzel: Some(self.scope.kuerzel.clone()),
            generation,
            hash: Some(agreed.digest()),
            anonymised: self.scope.anonymised,
        }
    }

    /// What an event says as it is now.
    fn said(&self, record: &Record) -> Result<Arc<Said>, Problem> {
        Kept::of(record, self.scope.rules.multiday).said().ok_or_else(|| Problem::Passed {
            code: "google_unreadable",
            message: "Google stored an event in a form that cannot be read back".to_owned(),
        })
    }
}

fn is_cancelled(event: &Record) -> bool {
    event.get("status").and_then(Value::as_str) == Some("cancelled")
}

/// Empty where there is none; the client refuses to write with that.
fn etag(event: &Record) -> &str {
    event.get("etag").and_then(Value::as_str).unwrap_or_default()
}
