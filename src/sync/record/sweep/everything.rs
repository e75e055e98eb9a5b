//! A comparison of every record: after Redis has lost what it knew, or because a person asks (`record ENTITY --all`).
//!
//! It goes through all of EspoCRM's records by id and keeps in the ledger how far it has come, so that it goes on where it
//! was, whatever stops it. It never lets more than two pages of jobs wait: records are compared at the pace of the workers,
//! and whatever else is asked for meanwhile finds its place.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ask, Sweeper, ids_of};
use crate::queue::{Flow, Lane};
use crate::sync::ledger::Full;
use crate::sync::record::execute::ledger_failure;
use crate::worker::{Failure, Success};

/// So many pages of jobs may wait and run.
const PAGES: usize = 2;
/// How soon it is looked again whether there is room.
const AGAIN: Duration = Duration::from_secs(1);

/// What such a job says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Asked {
    full: bool,
    /// Its name: one that has run already is not run again. None: whatever is under way goes on, else a new one begins.
    #[serde(default)]
    run: Option<String>,
}

/// What the job asks for; a payload that says nothing of it is that of an ordinary sweep.
pub(super) fn asked_for(payload: Option<&str>) -> Option<Asked> {
    let words = serde_json::from_str::<Value>(payload?).ok().filter(Value::is_object)?;
    serde_json::from_value::<Asked>(words).ok().filter(|asked| asked.full)
}

impl Sweeper<'_> {
    /// Goes on with the comparison, as far as there is room.
    pub(super) async fn everything(&self, asked: Asked) -> Result<Success, Failure> {
        let known = self.sync.ledger.full().await.map_err(ledger_failure)?;
        let mut full = match (known, asked.run) {
            (Some(known), Some(run)) if known.run == run && known.ended.is_some() => return Ok(done(&known)),
            (Some(known), Some(run)) if known.run == run => known,
            (Some(known), None) if known.goes_on(self.run.started_at) => known,
            (_, run) => self.begun(run),
        };
        let mut pairs = None;
        loop {
            let waiting = self.queue.lane_length(Flow::Vmh, Lane::Sweep).await.map_err(ledger_failure)?;
            if waiting + usize::from(self.page_size()) > PAGES * usize::from(self.page_size()) {
                return Err(Failure::Later {
                    after: AGAIN,
                    reason: format!("{waiting} records wait to be compared, then more are asked for"),
                });
            }
            // All pairs are one long call to Redis: not while this only looks for room, every second.
            let pairs: &Vec<String> = match &mut pairs {
                Some(pairs) => pairs,
                none => none.insert(self.sync.ledger.pair_ids().await.map_err(ledger_failure)?),
            };
            let page = self.page(&full.after, Vec::new(), Ask { attributes: false, total: full.listed == 0 }).await?;
            full.total = full.total.or(page.total);
            let ids = ids_of(&page);
            let last = self.is_last(&ids, &full.after);
            self.ask(&ids).await?;
            self.ask_for_missing(pairs, &full.after, last, &ids).await?;
            full.listed += u64::try_from(ids.len()).unwrap_or(0);
            if last {
                full.ended = Some(self.run.started_at);
            } else if let Some(last) = ids.last() {
                full.after.clone_from(last);
            }
            self.keep_full(&full).await?;
            if last {
                return Ok(done(&full));
            }
        }
    }

    fn begun(&self, run: Option<String>) -> Full {
        let began = self.run.started_at;
        let run = run.unwrap_or_else(|| began.timestamp_millis().to_string());
        Full { run, began: Some(began), ..Full::default() }
    }

    async fn keep_full(&self, full: &Full) -> Result<(), Failure> {
        let fence = (self.run.fence.0.as_str(), self.run.fence.1.as_str());
        if self.sync.ledger.keep_full(fence, full).await.map_err(ledger_failure)? {
            return Ok(());
        }
        Err(Failure::LeaseLost)
    }
}

fn done(full: &Full) -> Success {
    let detail: Value = json!({ "full": true, "listed": full.listed });
    Success { result: "swept".to_owned(), detail: Some(detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_payload_that_says_so_asks_for_everything() {
        let asked = |run: Option<&str>| Some(Asked { full: true, run: run.map(str::to_owned) });
        assert_eq!(asked_for(Some(r#"{"full":true}"#)), asked(None));
        assert_eq!(asked_for(Some(r#"{"full":true,"run":"a"}"#)), asked(Some("a")));
        for other in [
            None,
            Some(""),
            Some("full"),
            Some("{}"),
            Some(r#"{"full":"true"}"#),
            Some("[true]"),
            Some(r#"{"full":false}"#),
        ] {
            assert_eq!(asked_for(other), None, "{other:?}");
        }
    }
}
