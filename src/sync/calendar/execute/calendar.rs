//! The calendar itself: found by its name, created where it is missing, shared once (seed 001).

use chrono::{DateTime, Utc};

use super::failure::{google_failure, ledger_failure};
use super::{Here, Report, Sync, fenced};
use crate::clients::google;
use crate::sync::calendar::plan::Note;
use crate::sync::ledger::calendar::{CalendarLedger, Changes, State};
use crate::worker::{Failure, Run};

/// The time zone of a new calendar.
const ZONE: &str = "Europe/Berlin";
/// The role that the firm's main account gets.
const OWNER: &str = "owner";

impl Sync {
    /// The id of an employee's calendar.
    pub(super) async fn calendar(
        &self,
        here: Here<'_>,
        state: &mut State,
        report: &mut Report,
    ) -> Result<String, Failure> {
        let (kuerzel, ledger, run) = here;
        let calendar = match &state.calendar {
            Some(calendar) => calendar.clone(),
            None => self.find_or_create(here, state, report).await?,
        };
        if let Some(owner) = self.owner.clone().filter(|owner| state.shared_with.as_ref() != Some(owner)) {
            run.check()?;
            match self.share(&calendar, &owner, report).await {
                Ok(()) => {
                    state.shared_with = Some(owner);
                    store(ledger, state, run).await?;
                }
                Err(error) if is_about_sharing(&error) => {
                    tracing::warn!(kuerzel, %error, "a calendar could not be shared with the main account");
                    report.notes.insert(Note { kind: "not_shared", about: calendar.clone(), fields: Vec::new() });
                }
                Err(error) => return Err(google_failure(&error)),
            }
        }
        Ok(calendar)
    }

    async fn find_or_create(&self, here: Here<'_>, state: &mut State, report: &mut Report) -> Result<String, Failure> {
        let (kuerzel, ledger, run) = here;
        let name = format!("AW-{kuerzel}");
        let mut found: Vec<google::Calendar> = self.google.calendars().await.map_err(|error| google_failure(&error))?;
        found.retain(|calendar| {
            calendar.summary == name && ["owner", "writer"].contains(&calendar.access_role.as_str())
        });
        found.sort_by(|one, other| (one.access_role != OWNER, &one.id).cmp(&(other.access_role != OWNER, &other.id)));
        if found.len() > 1 {
            tracing::warn!(kuerzel, calendars = found.len(), "several calendars have the name of one employee");
        }
        let (calendar, found) = match found.into_iter().next() {
            // One whose creation was begun here and whose answer was lost is ours from its beginning.
            Some(calendar) => (calendar.id, state.creating_since.is_none()),
            None => (self.create(&name, here, state, report).await?, false),
        };
        *state = State { calendar: Some(calendar.clone()), found, ..State::default() };
        store(ledger, state, run).await?;
        Ok(calendar)
    }

    /// A POST of a calendar has no idempotency: one that was begun is left alone for the quiet time, then looked for.
    async fn create(
        &self,
        name: &str,
        (_, ledger, run): Here<'_>,
        state: &mut State,
        report: &mut Report,
    ) -> Result<String, Failure> {
        if let Some(wait) = state.creating_since.and_then(|since| self.still_quiet(since, run.now())) {
            return Err(super::hold(wait, "the creation of the calendar may have taken effect"));
        }
        state.creating_since = Some(run.now());
        store(ledger, state, run).await?;
        run.check()?;
        match self.google.create_calendar(name, ZONE).await {
            Ok(id) => {
                report.count("calendars_created");
                Ok(id)
            }
            Err(error) if error.effect_unknown() => Err(super::hold(self.quiet, &error.to_string())),
            Err(error) => {
                state.creating_since = None;
                store(ledger, state, run).await?;
                Err(google_failure(&error))
            }
        }
    }

    /// Repeated inserts of access rules use up a quota, so it is looked first (contract "Limits").
    async fn share(&self, calendar: &str, owner: &str, report: &mut Report) -> Result<(), google::Error> {
        let is_owner = |rule: &google::AclRule| {
            rule.scope_type == "user" && rule.role == OWNER && rule.scope_value.eq_ignore_ascii_case(owner)
        };
        if self.google.acl(calendar).await?.iter().any(is_owner) {
            return Ok(());
        }
        self.google.share(calendar, owner, OWNER).await?;
        report.count("calendars_shared");
        Ok(())
    }

    /// How much is left of the quiet time.
    pub(super) fn still_quiet(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> Option<std::time::Duration> {
        let passed = (now - since).to_std().unwrap_or_default();
        self.quiet.checked_sub(passed).filter(|left| !left.is_zero())
    }
}

/// Whether only the sharing is refused: the calendar can be kept in step without, and the next run tries again.
const fn is_about_sharing(error: &google::Error) -> bool {
    matches!(
        error,
        google::Error::Forbidden { .. } | google::Error::QuotaExceeded { .. } | google::Error::Rejected { .. }
    )
}

/// Stores what is known of the calendar itself.
pub(super) async fn store(ledger: &CalendarLedger, state: &State, run: &Run) -> Result<(), Failure> {
    let mut changes = Changes::default();
    changes.state(state);
    fenced(ledger.write(super::fence(run), &changes).await.map_err(ledger_failure)?)
}
