//! Effects at Advoware. It knows no versions, so every write reads the Termin first and goes back to planning where it is
//! not as planned; a POST is preceded by an intent (S4), and a shared Termin is written under its own lock (C6).

use chrono::NaiveDate;
use serde_json::Value;

use super::TERMINE;
use super::failure::{Problem, advoware_problem, ledger_problem};
use super::rounds::{Step, agreed_on};
use super::state::Delta;
use crate::clients::advoware::{Created, Error, Key};
use crate::sync::calendar::Record;
use crate::sync::calendar::entry::{Entry, Field, Fields, Series};
use crate::sync::calendar::items::{Item, days};
use crate::sync::calendar::pair::{Held, Intent, Pair, Prints, Tie};
use crate::sync::calendar::plan::merge::Merged;
use crate::sync::calendar::plan::{RETIRED, retired, shown, shown_prints, span};
use crate::sync::calendar::termin::{self, Belongs, Termin};

impl Step<'_> {
    /// Carries fields of a pair over, to the Termin first.
    pub(super) async fn merge(&self, tie: &Tie, number: i64, merged: &Merged, item: &Item) -> Result<(), Problem> {
        let (pair, termin) = {
            let state = self.state();
            (state.pairs.get(tie).cloned(), state.termine.get(&number).cloned())
        };
        let (Some(mut pair), Some(termin)) = (pair, termin) else { return Err(Problem::Stale) };
        let entry = shown(&termin, &self.scope);
        let mut advoware = shown_prints(&termin, &self.scope);
        if !merged.to_advoware.is_empty() {
            let target = termin.entry.clone().with(&merged.to_advoware, &item.entry);
            let written = self.write_termin(&termin, &merged.to_advoware, &target).await?;
            advoware = advoware.with(&merged.to_advoware, &written.prints);
            let open = |field: &Field| {
                [&merged.to_google, &merged.undone, &merged.withheld].iter().any(|fields| fields.contains(field))
            };
            let settled: Fields = Field::ALL.into_iter().filter(|field| !open(field)).collect();
            let (first, last) = span(days(&written.entry), days(&item.entry));
            pair = agreed_on(&Pair { first, last, ..pair }, &settled, &advoware, &item.prints);
            self.count("termine_updated");
            let delta = Delta {
                termine: vec![(number, Some(written.raw))],
                pairs: vec![(tie.clone(), Some(pair.clone()))],
                ..Delta::default()
            };
            self.settle(delta).await?;
            if merged.to_google.is_empty() && merged.undone.is_empty() {
                return self.mark_event(tie, item).await;
            }
        }
        self.write_event(tie, item, (&pair, &advoware, &entry), merged).await
    }

    /// Writes some fields of a Termin, if it is still as planned; the answer is what Advoware made of it.
    async fn write_termin(&self, planned: &Termin, fields: &Fields, target: &Entry) -> Result<Termin, Problem> {
        if planned.belongs != Belongs::Shared {
            return self.write_unlocked(planned, fields, target).await;
        }
        // A read, a write and a read, each with its own time-out, and a wait for a free place before each.
        let at_most = self.sync.advoware_timeout * 6;
        let lock = self.ledger.try_lock(planned.number, &self.scope.kuerzel, at_most).await.map_err(ledger_problem)?;
        let Some(lock) = lock else { return Err(Problem::Busy) };
        let written = self.write_unlocked(planned, fields, target).await;
        // A lock that cannot be given back ends by itself.
        let _ = lock.release().await;
        written
    }

    async fn write_unlocked(&self, planned: &Termin, fields: &Fields, target: &Entry) -> Result<Termin, Problem> {
        let fresh = self.as_planned(planned.number, &planned.prints, planned.belongs).await?;
        let body = termin::changed(&fresh.raw, fields, target, &self.scope.rules);
        if body == fresh.raw {
            // Advoware cannot say it any better.
            return Ok(fresh);
        }
        self.put(planned.number, &body).await
    }

    /// The Termin as it is now, if that is what was planned for.
    async fn as_planned(&self, number: i64, prints: &Prints, belongs: Belongs) -> Result<Termin, Problem> {
        let found = self.get_termin(number).await?;
        let read = found.as_ref().map(|record| self.read(record));
        match read {
            Some(Some(fresh)) if fresh.prints == *prints && fresh.belongs == belongs => Ok(fresh),
            _ => {
                self.settle(Delta { termine: vec![(number, found)], ..Delta::default() }).await?;
                Err(Problem::Stale)
            }
        }
    }

    async fn put(&self, number: i64, body: &Record) -> Result<Termin, Problem> {
        let key = number.to_string();
        self.run.check()?;
        let answer = match self.sync.advoware.put(TERMINE, Key::Query("frnr", &key), body).await {
            Ok(answer) => answer.filter(|record| self.read(record).is_some_and(|termin| termin.number == number)),
            // Whether it took effect is seen by reading it.
            Err(error) if error.effect_unknown() => {
                let found = self.get_termin(number).await?.and_then(|record| self.read(&record));
                let meant = self.read(body).map(|termin| termin.prints);
                return found.filter(|termin| Some(termin.prints) == meant).ok_or_else(|| advoware_problem(error));
            }
            Err(error) => return Err(advoware_problem(error)),
        };
        let record = match answer {
            Some(record) => Some(record),
            None => self.get_termin(number).await?,
        };
        record.and_then(|record| self.read(&record)).ok_or(Problem::Stale)
    }

    /// Makes the Termin of an item.
    pub(super) async fn new_termin(
        &self,
        tie: &Tie,
        like: Option<i64>,
        tries: u32,
        item: &Item,
    ) -> Result<(), Problem> {
        let series = like.and_then(|number| self.state().termine.get(&number).map(|termin| termin.raw.clone()));
        let body = match (like, series) {
            (Some(_), Some(series)) => termin::single(&series, &item.entry),
            (Some(_), None) => return Err(Problem::Stale),
            (None, _) => termin::new(&item.entry, &self.scope.kuerzel, item.private),
        };
        let sent = self.sent(&body).ok_or_else(|| Problem::Passed {
            code: "no_termin",
            message: "the event's times cannot be those of a Termin".to_owned(),
        })?;
        let prints = sent.prints;
        let known = {
            let state = self.state();
            let alike = state.termine.values().filter(|it| it.entry.when.start() == sent.entry.when.start());
            alike.filter(|it| it.prints == prints).map(|it| it.number).collect()
        };
        let name = tie.name();
        let intent = Intent { at: self.run.now(), body: body.clone(), known, tries: tries + 1 };
        self.settle(Delta { intents: vec![(name.clone(), Some(intent))], ..Delta::default() }).await?;
        self.run.check()?;
        let created = match self.sync.advoware.post(TERMINE, &body).await {
            Ok(created) => created,
            Err(error) if error.effect_unknown() => return Err(Problem::Interrupted(error.to_string())),
            Err(error) => {
                self.settle(Delta { intents: vec![(name, None)], ..Delta::default() }).await?;
                return Err(advoware_problem(error));
            }
        };
        self.created(tie, item, created, sent).await?;
        self.mark_event(tie, item).await
    }

    async fn created(&self, tie: &Tie, item: &Item, created: Created, sent: Termin) -> Result<(), Problem> {
        let made = match created {
            Created::Record(record) => self.read(&record).ok_or_else(|| {
                Problem::Interrupted("Advoware made a Termin and answered with something unreadable".to_owned())
            })?,
            Created::Number(number) => match self.get_termin(number).await {
                Ok(Some(record)) => self.read(&record).unwrap_or(Termin { number, ..sent }),
                // It was made: what is known of it is enough to keep it, and the next run reads it.
                _ => Termin { number, ..sent },
            },
        };
        let (first, last) = span(days(&made.entry), days(&item.entry));
        let pair = Pair {
            number: made.number,
            generation: 0,
            anonymised: false,
            advoware: made.prints,
            google: item.prints,
            first,
            last,
        };
        self.count("termine_created");
        let mut raw = made.raw;
        raw.insert("frNr".to_owned(), Value::from(made.number));
        let name = tie.name();
        let held = self.state().held.contains_key(&name).then(|| (name.clone(), None));
        let delta = Delta {
            termine: vec![(made.number, Some(raw))],
            pairs: vec![(tie.clone(), Some(pair))],
            intents: vec![(name, None)],
            held: held.into_iter().collect(),
            ..Delta::default()
        };
        self.settle(delta).await
    }

    /// Deletes the Termin of an event that is gone. Only an employee's own one is ever planned for.
    pub(super) async fn delete_termin(&self, tie: &Tie, number: i64) -> Result<(), Problem> {
        let agreed = self.state().pairs.get(tie).map(|pair| pair.advoware).ok_or(Problem::Stale)?;
        self.as_planned(number, &agreed, Belongs::Own).await?;
        self.remove(number).await?;
        self.count("termine_deleted");
        let delta = Delta { termine: vec![(number, None)], pairs: vec![(tie.clone(), None)], ..Delta::default() };
        self.settle(delta).await
    }

    async fn remove(&self, number: i64) -> Result<(), Problem> {
        let key = number.to_string();
        self.run.check()?;
        match self.sync.advoware.delete(TERMINE, Key::Query("frnr", &key)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) if error.effect_unknown() => match self.get_termin(number).await? {
                None => Ok(()),
                Some(_) => Err(advoware_problem(error)),
            },
            Err(error) => Err(advoware_problem(error)),
        }
    }

    /// Ends a series that was taken apart: its instances in the window have Termine of their own by now.
    pub(super) async fn end_series(&self, tie: &Tie, number: i64, until: Option<NaiveDate>) -> Result<(), Problem> {
        let agreed = self.state().pairs.get(tie).map(|pair| pair.advoware).ok_or(Problem::Stale)?;
        let fresh = self.as_planned(number, &agreed, Belongs::Own).await?;
        let (left, held) = match (until, fresh.entry.series) {
            (None, _) => {
                self.remove(number).await?;
                (None, Vec::new())
            }
            (Some(until), series) => {
                let held = Held { reason: RETIRED.to_owned(), prints: None };
                let held = vec![(retired(number), Some(held))];
                let left = match series {
                    Some(series) => self.shorten(&fresh, Series { until: Some(until), ..series }).await?,
                    // It was single: its day is past, so it stays.
                    None => fresh,
                };
                (Some(left.raw), held)
            }
        };
        self.count("series_taken_apart");
        let delta = Delta { termine: vec![(number, left)], pairs: vec![(tie.clone(), None)], held, ..Delta::default() };
        self.settle(delta).await
    }

    async fn shorten(&self, fresh: &Termin, series: Series) -> Result<Termin, Problem> {
        let entry = Entry { series: Some(series), ..fresh.entry.clone() };
        let body = termin::changed(&fresh.raw, &Fields::from([Field::Series]), &entry, &self.scope.rules);
        self.put(fresh.number, &body).await
    }

    /// A body as Advoware will give it back.
    fn sent(&self, body: &Record) -> Option<Termin> {
        let mut record = body.clone();
        record.insert("frNr".to_owned(), Value::from(1));
        self.read(&record)
    }

    fn read(&self, record: &Record) -> Option<Termin> {
        Termin::read(record, &self.scope.kuerzel, &self.scope.rules).ok()
    }
}
