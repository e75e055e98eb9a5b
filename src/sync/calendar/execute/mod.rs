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
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::entry::Fields;
use super::pair::{Pair, Prints};
use super::plan::{Action, Plan, Question};
use super::scope::{Rules, Scope};
use crate::clients::{self, GOOGLE};
use crate::queue::Store;
use crate::sync::ledger::Fence;
use crate::sync::ledger::calendar::{CalendarLedger, Known, Written};
use crate::worker::{Failure, Run};
pub use channel::Push;
use failure::{Problem, ledger_failure, ledger_problem};
pub(super) use failure::{google_failure, ledger_failure as queue_failure};
pub use report::Report;
use state::{Delta, State};

/// Contract "Termine".
pub(super) const TERMINE: &str = "api/v1/advonet/Termine";
/// More rounds of planning than this are a plan that never ends.
const ROUNDS: usize = 40;
/// How often an entry is tried in one run.
const TRIES: u32 = 3;

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

/// One run, with what every step of it needs.
struct Step<'a> {
    sync: &'a Sync,
    run: &'a Run,
    ledger: CalendarLedger,
    /// Google's id of the calendar.
    calendar: String,
    scope: Scope,
    state: Mutex<State>,
    report: Mutex<Report>,
    tried: Mutex<Tried>,
}

/// What could not be done so far.
#[derive(Debug, Default)]
struct Tried {
    /// Entries that failed in passing: how often, and why last.
    passing: BTreeMap<String, (u32, Failure)>,
    /// Entries that are not tried again in this run.
    given_up: BTreeSet<String>,
    /// How many failed in passing since something last worked.
    in_a_row: u32,
    /// What ends the run.
    abort: Option<Failure>,
    /// A POST whose outcome is not known.
    interrupted: Option<String>,
}

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

impl Step<'_> {
    /// Plans, asks and acts until nothing is left that can be done.
    async fn to_the_end(&self) -> Result<(), Failure> {
        for _ in 0..ROUNDS {
            let plan = self.plan();
            let questions = self.open_questions(&plan);
            if !questions.is_empty() {
                self.ask(questions).await;
                self.go_on()?;
                continue;
            }
            let actions = self.open_actions(plan);
            if actions.is_empty() {
                return self.finish();
            }
            self.act(actions).await;
            self.go_on()?;
        }
        Err(Failure::Failed {
            code: "endless",
            message: format!(
                "the calendar of {} is not in step after {ROUNDS} rounds; it is tried again",
                self.scope.kuerzel
            ),
            retry_after: None,
        })
    }

    fn plan(&self) -> Plan {
        let state = self.state();
        let items = state.items(&self.scope);
        let plan = state.plan(&items, &self.scope);
        let mut report = self.report();
        report.notes.extend(plan.notes.iter().cloned());
        report.held_deletions = plan.held_deletions;
        plan
    }

    fn open_questions(&self, plan: &Plan) -> Vec<Question> {
        let tried = self.tried();
        plan.questions.iter().filter(|question| !tried.given_up.contains(&asked_name(question))).cloned().collect()
    }

    fn open_actions(&self, plan: Plan) -> Vec<Action> {
        let tried = self.tried();
        plan.actions.into_iter().filter(|action| !tried.given_up.contains(&act::name(action))).collect()
    }

    /// Whether the run may go on.
    fn go_on(&self) -> Result<(), Failure> {
        let tried = self.tried();
        if let Some(failure) = &tried.abort {
            return Err(failure.clone());
        }
        match &tried.interrupted {
            Some(reason) => Err(hold(self.sync.quiet, reason)),
            None => Ok(()),
        }
    }

    /// Everything that could be done is done.
    fn finish(&self) -> Result<(), Failure> {
        let tried = self.tried();
        let mut left = tried.passing.iter().filter(|(name, _)| tried.given_up.contains(*name));
        match left.next() {
            None => Ok(()),
            Some((name, (_, failure))) => {
                tracing::warn!(
                    kuerzel = self.scope.kuerzel,
                    left = tried.passing.len(),
                    "entries of a calendar are left"
                );
                Err(match failure {
                    Failure::Upstream { .. } => failure.clone(),
                    other => Failure::Failed {
                        code: "incomplete",
                        message: format!("{name} of {} is left: {other}", self.scope.kuerzel),
                        retry_after: None,
                    },
                })
            }
        }
    }

    /// Takes what came of one entry to the books.
    fn note(&self, name: &str, outcome: Result<(), Problem>) {
        let mut tried = self.tried();
        match outcome {
            Ok(()) => {
                tried.in_a_row = 0;
                tried.passing.remove(name);
            }
            // Stale again and again is somebody who writes as fast as we read: the next run will do.
            Err(Problem::Stale) => {
                let stale = Failure::Later { after: Duration::from_secs(5), reason: format!("{name} keeps changing") };
                tried.passed(name, stale, TRIES * 3);
            }
            Err(Problem::Passing(failure)) => {
                tried.in_a_row += 1;
                if tried.in_a_row > 4 {
                    tried.abort.get_or_insert(failure.clone());
                }
                tried.passed(name, failure, TRIES);
            }
            Err(Problem::Passed { code, message }) => {
                tracing::warn!(
                    kuerzel = self.scope.kuerzel,
                    entry = name,
                    code,
                    "an entry of a calendar is passed over"
                );
                tried.given_up.insert(name.to_owned());
                self.report().passed.insert(name.to_owned(), message);
            }
            Err(Problem::Busy) => {
                tried.given_up.insert(name.to_owned());
                self.report().again = true;
            }
            Err(Problem::Interrupted(reason)) => {
                tried.interrupted.get_or_insert(reason);
            }
            Err(Problem::Abort(failure)) => {
                tried.abort.get_or_insert(failure);
            }
        }
    }

    /// Takes an effect in: into what is known, and into the ledger.
    async fn settle(&self, delta: Delta) -> Result<(), Problem> {
        let changes = self.state().take(delta, &self.scope);
        match self.ledger.write(fence(self.run), &changes).await.map_err(ledger_problem)? {
            Written::Stored => Ok(()),
            Written::Fenced => Err(Problem::Abort(Failure::LeaseLost)),
        }
    }

    fn count(&self, what: &'static str) {
        self.report().count(what);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tried(&self) -> MutexGuard<'_, Tried> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tried {
    fn passed(&mut self, name: &str, failure: Failure, most: u32) {
        let times = self.passing.get(name).map_or(0, |(times, _)| *times) + 1;
        self.passing.insert(name.to_owned(), (times, failure));
        if times >= most {
            self.given_up.insert(name.to_owned());
        }
    }

    /// Whether nothing new is to be begun.
    fn is_over(&self) -> bool {
        self.abort.is_some() || self.interrupted.is_some()
    }
}

/// Whether a ledger that was lost may have known pairs of this calendar (C5). One that was made here and has none yet, as
/// after an interrupted first run, was never in step.
fn is_first_contact(known: &Known) -> bool {
    known.pairs.is_empty() && known.state.found
}

/// The name of a question in reports.
fn asked_name(question: &Question) -> String {
    match question {
        Question::Termin(number) => format!("frNr {number}"),
        Question::Item(tie) => tie.name(),
    }
}

/// What is agreed on once some fields are: those are as they are now, the others as they were when last agreed on.
fn agreed_on(pair: &Pair, fields: &Fields, advoware: &Prints, google: &Prints) -> Pair {
    Pair { advoware: pair.advoware.with(fields, advoware), google: pair.google.with(fields, google), ..pair.clone() }
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
