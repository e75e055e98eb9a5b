//! Reads both sides: the Termine of the window, and what has changed at Google.

use chrono::{Days, NaiveDate};

use super::calendar::store;
use super::failure::{advoware_failure, google_failure, ledger_failure};
use super::{Here, Report, Sync, TERMINE, fence, fenced};
use crate::clients::google::{self, Listing};
use crate::sync::calendar::Record;
use crate::sync::calendar::clock;
use crate::sync::calendar::mirror;
use crate::sync::calendar::scope::{Multiday, Window};
use crate::sync::ledger::calendar::{CalendarLedger, Changes, Known, State};
use crate::worker::{Failure, Run};

impl Sync {
    /// The days that are synced now.
    pub(super) fn window(&self, run: &Run) -> Window {
        let today = clock::berlin(run.now()).date();
        let days = |length: std::time::Duration| Days::new(length.as_secs() / 86_400);
        Window {
            from: today.checked_sub_days(days(self.past)).unwrap_or(NaiveDate::MIN),
            to: today.checked_add_days(days(self.future)).unwrap_or(NaiveDate::MAX),
        }
    }

    /// The calendar's id, with the mirror brought up to date. A calendar that somebody deleted voids mirror and pairs: it
    /// is made anew, and no Termin goes with it.
    pub(super) async fn read_google(
        &self,
        here: Here<'_>,
        known: &mut Known,
        report: &mut Report,
    ) -> Result<String, Failure> {
        let (kuerzel, ledger, run) = here;
        let calendar = self.calendar(here, &mut known.state, report).await?;
        match self.list(&calendar, known.state.sync_token.as_deref()).await {
            Ok((listing, whole)) => {
                take(ledger, known, (listing, whole), self.rules.multiday, run).await?;
                Ok(calendar)
            }
            Err(google::Error::NotFound { .. }) => {
                tracing::warn!(kuerzel, "the calendar is gone at google and is made anew");
                void(ledger, known, run).await?;
                let calendar = self.calendar(here, &mut known.state, report).await?;
                let (listing, whole) = self.list(&calendar, None).await.map_err(|error| google_failure(&error))?;
                take(ledger, known, (listing, whole), self.rules.multiday, run).await?;
                Ok(calendar)
            }
            Err(error) => Err(google_failure(&error)),
        }
    }

    /// What has changed, or everything; the second says which.
    pub(super) async fn list(&self, calendar: &str, token: Option<&str>) -> Result<(Listing, bool), google::Error> {
        if token.is_some() {
            match self.google.list(calendar, token).await {
                Err(google::Error::SyncTokenGone { .. }) => {}
                other => return other.map(|listing| (listing, false)),
            }
        }
        Ok((self.google.list(calendar, None).await?, true))
    }

    /// The Termine of the window.
    pub(super) async fn read_termine(&self, kuerzel: &str, window: Window) -> Result<Vec<Record>, Failure> {
        let (from, to) = (window.from.to_string(), window.to.to_string());
        let query = [("kuerzel", kuerzel), ("from", from.as_str()), ("to", to.as_str())];
        self.advoware.list(TERMINE, &query).await.map_err(|error| advoware_failure(&error))
    }
}

/// Takes a list into the mirror, and stores the mirror together with the token that goes on from it.
async fn take(
    ledger: &CalendarLedger,
    known: &mut Known,
    (listing, whole): (Listing, bool),
    multiday: Multiday,
    run: &Run,
) -> Result<(), Failure> {
    let mut changes = Changes::default();
    let token = Some(listing.next_sync_token);
    if whole {
        changes.clear_mirror();
    }
    for id in mirror::take(&mut known.mirror, listing.events, whole, multiday) {
        match known.mirror.get(&id) {
            Some(event) => changes.mirror(&id, event),
            None if whole => &mut changes,
            None => changes.unmirror(&id),
        };
    }
    if known.state.sync_token != token {
        known.state.sync_token = token;
        changes.state(&known.state);
    }
    fenced(ledger.write(fence(run), &changes).await.map_err(ledger_failure)?)
}

async fn void(ledger: &CalendarLedger, known: &mut Known, run: &Run) -> Result<(), Failure> {
    let mut changes = Changes::default();
    changes.clear_mirror().clear_pairs();
    fenced(ledger.write(fence(run), &changes).await.map_err(ledger_failure)?)?;
    known.mirror.clear();
    known.pairs.clear();
    known.state = State::default();
    store(ledger, &known.state, run).await
}
