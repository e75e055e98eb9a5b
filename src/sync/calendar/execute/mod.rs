//! Doing what was decided: reads both sides, plans, asks what the plan asks, acts, and plans again until nothing is left.
//!
//! Before every write the lease is checked; after every effect the ledger is written before anything else happens to the
//! same entry. One entry that cannot be done never stops the others (C8).

mod act;
mod advoware;
mod ask;
mod calendar;
mod channel;
pub mod employees;
mod failure;
mod google;
mod read;
mod report;
mod rounds;
mod state;
mod tried;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::plan::Plan;
use super::scope::{Rules, Scope};
use crate::clients::{self, GOOGLE};
use crate::queue::Store;
use crate::sync::ledger::Fence;
use crate::sync::ledger::calendar::{CalendarLedger, Known, Written};
use crate::worker::{Failure, Run};
pub use channel::Push;
use failure::{google_failure, ledger_failure};
pub use report::Report;
use rounds::Step;
use state::State;

/// Contract "Termine".
pub(super) const TERMINE: &str = "api/v1/advonet/Termine";

/// Syncs the calendars of a firm.
pub struct Sync {
    /// One end.
    pub advoware: clients::advoware::Client,
    /// The other end.
    pub google: clients::google::Client,
    /// Where the ledgers are.
    pub store: Store,
    /// The firm's rules.
    pub rules: Rules,
    /// How far back the window reaches; whole days.
    pub past: Duration,
    /// How far ahead the window reaches; whole days.
    pub future: Duration,
    /// The firm's main account, made an owner of every calendar.
    pub owner: Option<String>,
    /// How long a POST whose outcome is unknown is left alone.
    pub quiet: Duration,
    /// How long a call to Advoware takes at most.
    pub advoware_timeout: Duration,
    /// Where Google tells of changes; none: it does not.
    pub push: Option<Push>,
}

/// What a run is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Whether events show times only (C3).
    pub anonymised: bool,
    /// Whether a person has confirmed the deletions that were held back (C1).
    pub confirm_deletions: bool,
}

/// Whose calendar, where it is remembered, and the run.
type Here<'a> = (&'a str, &'a CalendarLedger, &'a Run);

impl Sync {
    /// Brings one employee's calendar in step.
    pub async fn run(&self, kuerzel: &str, asked: Asked, run: &Run) -> Result<Report, Failure> {
        let ledger = CalendarLedger::new(self.store.clone(), kuerzel);
        let mut known = ledger.read(self.rules.multiday).await.map_err(ledger_failure)?;
        self.wait_for_quiet(&known, run)?;
        let mut report = Report::default();
        let calendar = self.read_google((kuerzel, &ledger, run), &mut known, &mut report).await?;
        let scope = Scope { first_contact: is_first_contact(&known), ..self.scope(kuerzel, asked, run) };
        let mut itself = known.state.clone();
        let mut state = State::of(known);
        for record in self.read_termine(kuerzel, scope.window).await? {
            state.take_termin(&record, &scope);
        }
        let step = Step {
            sync: self,
            run,
            ledger,
            calendar,
            scope,
            state: Mutex::new(state),
            report: Mutex::new(report),
            tried: Mutex::default(),
        };
        step.to_the_end().await?;
        self.keep_channel(kuerzel, &step.ledger, &mut itself, run).await?;
        Ok(step.report.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whose calendar, and by which rules.
    pub(super) fn scope(&self, kuerzel: &str, asked: Asked, run: &Run) -> Scope {
        Scope {
            kuerzel: kuerzel.to_owned(),
            rules: self.rules.clone(),
            anonymised: asked.anonymised,
            window: self.window(run),
            confirm_deletions: asked.confirm_deletions,
            first_contact: false,
        }
    }

    /// A POST to Advoware whose outcome is unknown may still take effect: until then nothing of the calendar is touched.
    fn wait_for_quiet(&self, known: &Known, run: &Run) -> Result<(), Failure> {
        let left = known.intents.values().filter_map(|intent| self.still_quiet(intent.at, run.now())).max();
        match left {
            Some(left) => Err(hold(left, "a create may have taken effect; looking again after the quiet time")),
            None => Ok(()),
        }
    }
}

/// What a run would begin with.
pub(super) struct Look {
    /// Google's id of the calendar; none: it is not known yet.
    pub(super) calendar: Option<String>,
    pub(super) termine: usize,
    pub(super) items: usize,
    pub(super) pairs: usize,
    pub(super) intents: Vec<String>,
    pub(super) held: Vec<String>,
    pub(super) plan: Plan,
}

impl Sync {
    /// Reads both sides and plans; writes nothing, not even what was read.
    pub(super) async fn look(&self, kuerzel: &str, asked: Asked, run: &Run) -> Result<Look, Failure> {
        let ledger = CalendarLedger::new(self.store.clone(), kuerzel);
        let mut known = ledger.read(self.rules.multiday).await.map_err(ledger_failure)?;
        let scope = Scope { first_contact: is_first_contact(&known), ..self.scope(kuerzel, asked, run) };
        let calendar = known.state.calendar.clone();
        if let Some(calendar) = &calendar {
            let listed = self.list(calendar, known.state.sync_token.as_deref()).await;
            let (listing, whole) = listed.map_err(|error| google_failure(&error))?;
            super::mirror::take(&mut known.mirror, listing.events, whole, self.rules.multiday);
        }
        let mut state = State::of(known);
        for record in self.read_termine(kuerzel, scope.window).await? {
            state.take_termin(&record, &scope);
        }
        let items = state.items(&scope);
        let plan = state.plan(&items, &scope);
        Ok(Look {
            calendar,
            termine: state.termine.len(),
            items: items.by_tie.len(),
            pairs: state.pairs.len(),
            intents: state.intents.into_keys().collect(),
            held: state.held.into_keys().collect(),
            plan,
        })
    }
}

/// Whether a ledger that was lost may have known pairs of this calendar (C5). One that was made here and has none yet, as
/// after an interrupted first run, was never in step.
fn is_first_contact(known: &Known) -> bool {
    known.pairs.is_empty() && known.state.found
}

fn fence(run: &Run) -> Fence<'_> {
    (run.fence.0.as_str(), run.fence.1.as_str())
}

fn fenced(written: Written) -> Result<(), Failure> {
    match written {
        Written::Stored => Ok(()),
        Written::Fenced => Err(Failure::LeaseLost),
    }
}

fn hold(after: Duration, reason: &str) -> Failure {
    Failure::Hold { after, reason: reason.to_owned(), upstream: None }
}
