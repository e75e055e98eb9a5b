//! A calendar with its events. A deleted event stays, so that its id stays taken and deltas can tell of it.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::{Value, json};

use super::instance;
use super::time::Moment;
use crate::Fields;

/// One calendar.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    pub(crate) id: String,
    /// The resource as `calendars.get` shows it.
    pub(crate) fields: Fields,
    pub(crate) acl: Vec<Fields>,
    pub(crate) events: BTreeMap<String, Event>,
    /// Sync tokens of an earlier epoch have ended.
    pub(crate) epoch: u64,
    /// The number of the last change in it.
    pub(crate) changed: u64,
}

/// One event: single, series (master), or exception of a series.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// All its fields, also once it is deleted.
    pub(crate) fields: Fields,
    /// The number of its last change: deltas are cut by it.
    pub(crate) change: u64,
    /// An exception whose place in the series is gone, or whose series is deleted.
    pub(crate) dropped: bool,
}

impl Calendar {
    pub(crate) fn summary(&self) -> &str {
        self.fields.get("summary").and_then(Value::as_str).unwrap_or_default()
    }

    /// Its own time zone.
    pub(crate) fn zone(&self) -> Tz {
        let name = self.fields.get("timeZone").and_then(Value::as_str);
        name.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
    }

    /// Stored exceptions of a series, cancelled ones too.
    pub(crate) fn exceptions<'a>(&'a self, master: &'a str) -> impl Iterator<Item = &'a Event> + 'a {
        let prefix = format!("{master}_");
        let all = self.events.range(prefix.clone()..).take_while(move |(id, _)| id.starts_with(&prefix));
        all.map(|(_, event)| event)
    }

    /// An event as it is now: stored, or an instance that nobody has changed.
    pub(crate) fn found(&self, id: &str) -> Option<Event> {
        let stored = self.events.get(id).filter(|event| !event.dropped);
        stored.cloned().or_else(|| instance::virtual_one(self, id))
    }
}

impl Event {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.text("status") == "cancelled"
    }

    /// The series that it is an exception of.
    pub(crate) fn master(&self) -> Option<&str> {
        self.fields.get("recurringEventId").and_then(Value::as_str)
    }

    pub(crate) fn is_series(&self) -> bool {
        self.fields.contains_key("recurrence")
    }

    /// Begin and end; what was arranged without them has none.
    pub(crate) fn span(&self, calendar: Tz) -> Option<(Moment, Moment)> {
        let read = |name: &str| Moment::read(self.fields.get(name), calendar).ok();
        Some((read("start")?, read("end")?))
    }

    /// The event as a list shows it: of a deleted one only what Google guarantees.
    pub(crate) fn listed(&self) -> Value {
        if !self.cancelled() {
            return Value::Object(self.fields.clone());
        }
        let mut shown = json!({"id": self.id(), "status": "cancelled"});
        for name in ["recurringEventId", "originalStartTime"] {
            if let Some(value) = self.fields.get(name) {
                shown[name] = value.clone();
            }
        }
        shown
    }
}
