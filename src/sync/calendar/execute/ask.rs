//! Asks for single entries by their id, before anything is concluded from their absence (C1).

use futures::StreamExt as _;
use serde_json::Value;

use super::TERMINE;
use super::failure::{Problem, advoware_problem, google_problem};
use super::rounds::{Step, asked_name};
use super::state::Delta;
use crate::clients::advoware::{self, Key};
use crate::sync::calendar::Record;
use crate::sync::calendar::pair::Tie;
use crate::sync::calendar::plan::Question;

/// So many questions are asked at once. Few, because asking ends as soon as the bound on deletions is passed.
const AT_ONCE: usize = 4;

impl Step<'_> {
    /// Asks until everything is answered, or until the bound on deletions is passed.
    pub(super) async fn ask(&self, questions: Vec<Question>) {
        let asked = futures::stream::iter(questions).map(async |question| {
            if self.tried().is_over() || self.state().asked_enough(&self.scope) {
                return;
            }
            let answer = match &question {
                Question::Termin(number) => self.ask_termin(*number).await,
                Question::Item(tie) => self.ask_item(tie).await,
            };
            self.note(&asked_name(&question), answer);
        });
        asked.buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    async fn ask_termin(&self, number: i64) -> Result<(), Problem> {
        let found = self.get_termin(number).await?;
        self.settle(Delta { termine: vec![(number, found)], ..Delta::default() }).await
    }

    /// One Termin; none: Advoware says that there is none.
    pub(super) async fn get_termin(&self, number: i64) -> Result<Option<Record>, Problem> {
        let text = number.to_string();
        match self.sync.advoware.get(TERMINE, Key::Query("frnr", &text)).await {
            Ok(record) => {
                // A parameter that is not understood is ignored, and any Termin comes back.
                let said =
                    record.get("frNr").map(|number| number.as_str().map_or_else(|| number.to_string(), str::to_owned));
                if said.as_deref() == Some(text.as_str()) {
                    return Ok(Some(record));
                }
                let message = format!("Advoware was asked for the Termin {number} and answered with another one");
                Err(Problem::Passed { code: "advoware_unreadable", message })
            }
            Err(advoware::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(advoware_problem(error)),
        }
    }

    async fn ask_item(&self, tie: &Tie) -> Result<(), Problem> {
        let found = self.get_event(tie).await?;
        let delta = match found {
            Some(event) => Delta { events: vec![(tie.event_id(), Some(event))], ..Delta::default() },
            None => Delta { vanished: vec![tie.clone()], ..Delta::default() },
        };
        self.settle(delta).await
    }

    /// One event or instance as Google holds it; none: there is none, or it is cancelled.
    pub(super) async fn get_event(&self, tie: &Tie) -> Result<Option<Record>, Problem> {
        let found = self.sync.google.get(&self.calendar, &tie.event_id()).await.map_err(google_problem)?;
        Ok(found.filter(|event| event.get("status").and_then(Value::as_str) != Some("cancelled")))
    }
}
