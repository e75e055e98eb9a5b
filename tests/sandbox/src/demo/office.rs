//! The firm's calendars: what the lawyer and the employees do, and what either side shows.

use std::time::Duration;

use advosync_sandbox::{Fields, TERMINE};
use anyhow::{Context, bail};
use chrono::{Datelike, Days, NaiveDate, Utc, Weekday};
use serde_json::{Value, json};

use crate::product::TOKEN;
use crate::stage::Stage;

/// The property in which an event says whose Termin it shows.
const NUMBER: &str = "advoware_frnr";

impl Stage {
    /// Somebody joins the firm.
    pub(crate) fn hire(&self, kuerzel: &str, name: &str) -> anyhow::Result<()> {
        let values = json!({ "kuerzel": kuerzel, "name": name, "vorname": "Sam", "aktiv": true });
        self.sandbox.people().lawyer_create("Mitarbeiter", &values).context("Advoware's stand-in").map(|_| ())
    }

    /// The lawyer makes a Termin; its number.
    pub(crate) fn termin(&self, values: &Value) -> anyhow::Result<i64> {
        self.sandbox.people().lawyer_create(TERMINE, values).context("Advoware's stand-in")
    }

    /// The lawyer changes a Termin.
    pub(crate) fn change_termin(&self, number: i64, values: &Value) -> anyhow::Result<()> {
        self.sandbox.people().lawyer_update(TERMINE, number, values).context("Advoware's stand-in").map(|_| ())
    }

    /// A Termin as it is now; none: it is gone.
    pub(crate) fn termin_of(&self, number: i64) -> Option<Fields> {
        self.sandbox.people().advoware_get(TERMINE, number)
    }

    /// The Termine of this title, by day.
    pub(crate) fn termine_named(&self, title: &str) -> Vec<Fields> {
        let mut found = self.sandbox.people().advoware_list(TERMINE);
        found.retain(|termin| text(termin, "text") == title);
        found.sort_by_key(|termin| text(termin, "datum").to_owned());
        found
    }

    /// The event that shows a Termin in somebody's calendar: exactly one, or none.
    pub(crate) fn event_of(&self, kuerzel: &str, number: i64) -> anyhow::Result<Option<Fields>> {
        let mut found = self.sandbox.people().google_events(&calendar(kuerzel));
        let number = number.to_string();
        found.retain(|event| event.get("extendedProperties").is_some_and(|all| all["private"][NUMBER] == number));
        if found.len() > 1 {
            bail!("the calendar of {kuerzel} shows the Termin {number} {} times", found.len());
        }
        Ok(found.pop())
    }

    /// As [`Stage::event_of`], where it has to be there.
    pub(crate) fn shown_event(&self, kuerzel: &str, number: i64) -> anyhow::Result<Fields> {
        self.event_of(kuerzel, number)?.with_context(|| format!("the calendar of {kuerzel} lacks the Termin {number}"))
    }

    /// An admin asks for calendars over HTTP, and everything comes to its end.
    pub(crate) async fn trigger(&self, body: &Value) -> anyhow::Result<()> {
        let url = format!("{}/advoware/calendar/sync", self.product.url);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        let answer =
            client.post(&url).bearer_auth(TOKEN).json(body).send().await.context("the trigger was not answered")?;
        let (status, said) = (answer.status().as_u16(), answer.text().await?);
        self.account.did(format!("POST /advoware/calendar/sync {body}"));
        self.account.saw("advosync", format!("{status} {said}"));
        let said: Value = serde_json::from_str(&said).unwrap_or_default();
        if status != 200 || said["status"] != "triggered" {
            bail!("the trigger was not taken");
        }
        self.settled("calendar").await?;
        let dead = &self.product.flow("calendar").await?["dead"];
        if dead.as_u64() != Some(0) {
            bail!("{dead} calendar jobs have failed for good");
        }
        Ok(())
    }
}

/// The name of somebody's calendar.
pub(crate) fn calendar(kuerzel: &str) -> String {
    format!("AW-{kuerzel}")
}

/// A field's text, empty where it has none.
pub(crate) fn text<'a>(record: &'a Fields, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The id of an event.
pub(crate) fn id(event: &Fields) -> String {
    text(event, "id").to_owned()
}

/// An event in one line.
pub(crate) fn event_line(event: &Fields) -> String {
    let start = event.get("start").and_then(|start| start["dateTime"].as_str()).unwrap_or_default();
    let rule = event.get("recurrence").map(|rule| format!(", {rule}")).unwrap_or_default();
    format!("\"{}\" at {}{rule}", text(event, "summary"), start.get(..16).unwrap_or(start))
}

/// A Termin in one line.
pub(crate) fn termin_line(termin: &Fields) -> String {
    let number = termin.get("frNr").and_then(Value::as_i64).unwrap_or_default();
    let (day, from) = (text(termin, "datum"), text(termin, "uhrzeitVon"));
    format!("frNr {number}: \"{}\" on {} at {from}", text(termin, "text"), day.get(..10).unwrap_or(day))
}

/// A Monday in one or two weeks, so that everything is ahead and inside the window.
pub(crate) fn monday() -> NaiveDate {
    let day = Utc::now().date_naive() + Days::new(7);
    let back = day.weekday().days_since(Weekday::Mon);
    day + Days::new(u64::from(7 - back))
}

/// A moment of an event, in Berlin.
pub(crate) fn moment(day: NaiveDate, clock: &str) -> Value {
    json!({ "dateTime": format!("{day}T{clock}:00"), "timeZone": "Europe/Berlin" })
}
