//! One run: plans, asks what the plan asks, acts, and plans again until nothing is left.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::failure::{Problem, ledger_problem};
use super::report::Report;
use super::state::{Delta, State};
use super::tried::Tried;
use super::{Sync, act, fence, hold};
use crate::sync::calendar::entry::Fields;
use crate::sync::calendar::pair::{Pair, Prints};
use crate::sync::calendar::plan::{Action, Plan, Question};
use crate::sync::calendar::scope::Scope;
use crate::sync::ledger::calendar::{CalendarLedger, Written};
use crate::worker::{Failure, Run};

/// More rounds of planning than this are a plan that never ends.
const ROUNDS: usize = 40;
/// How often an entry is tried in one run.
const TRIES: u32 = 3;

/// One run, with what every step of it needs.
pub(super) struct Step<'a> {
    pub(super) sync: &'a Sync,
    pub(super) run: &'a Run,
    pub(super) ledger: CalendarLedger,
    /// Google's id of the calendar.
    pub(super) calendar: String,
    pub(super) scope: Scope,
    pub(super) state: Mutex<State>,
    pub(super) report: Mutex<Report>,
    pub(super) tried: Mutex<Tried>,
}

impl Step<'_> {
    /// Plans, asks and acts until nothing is left that can be done.
    pub(super) async fn to_the_end(&self) -> Result<(), Failure> {
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

    pub(super) fn plan(&self) -> Plan {
        let state = self.state();
        let items = state.items(&self.scope);
        let plan = state.plan(&items, &self.scope);
        let mut report = self.report();
        for note in &plan.notes {
            // In the log, too (C4): what was decided is told even where the run does not live to say so.
            if report.notes.insert(note.clone()) {
                let kuerzel = &self.scope.kuerzel;
                tracing::info!(kuerzel, kind = note.kind, about = note.about, fields = ?note.fields, "noted of a calendar");
            }
        }
        report.held_deletions = plan.held_deletions;
        plan
    }

    pub(super) fn open_questions(&self, plan: &Plan) -> Vec<Question> {
        let tried = self.tried();
        plan.questions.iter().filter(|question| !tried.given_up.contains(&asked_name(question))).cloned().collect()
    }

    pub(super) fn open_actions(&self, plan: Plan) -> Vec<Action> {
        let tried = self.tried();
        plan.actions.into_iter().filter(|action| !tried.given_up.contains(&act::name(action))).collect()
    }

    /// Whether the run may go on.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
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
    pub(super) fn finish(&self) -> Result<(), Failure> {
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
    pub(super) fn note(&self, name: &str, outcome: Result<(), Problem>) {
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
    pub(super) async fn settle(&self, delta: Delta) -> Result<(), Problem> {
        let changes = self.state().take(delta, &self.scope);
        match self.ledger.write(fence(self.run), &changes).await.map_err(ledger_problem)? {
            Written::Stored => Ok(()),
            Written::Fenced => Err(Problem::Abort(Failure::LeaseLost)),
        }
    }

    pub(super) fn count(&self, what: &'static str) {
        self.report().count(what);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tried(&self) -> MutexGuard<'_, Tried> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a question in reports.
pub(super) fn asked_name(question: &Question) -> String {
    match question {
        Question::Termin(number) => format!("frNr {number}"),
        Question::Item(tie) => tie.name(),
    }
}

/// What is agreed on once some fields are: those are as they are now, the others as they were when last agreed on.
pub(super) fn agreed_on(pair: &Pair, fields: &Fields, advoware: &Prints, google: &Prints) -> Pair {
    Pair { advoware: pair.advoware.with(fields, advoware), google: pair.google.with(fields, google), ..pair.clone() }
}
