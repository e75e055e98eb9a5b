//! The employee at Google's own pages, and what checkers look at. A calendar is named by its title (`AW-SB`) or its id.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use super::{People, Refused, fields, refused};
use crate::Fields;
use crate::google::calendar::{Calendar, Event};
use crate::google::series::Series;
use crate::google::write::Author;
use crate::google::{calendars, instance, write};
use crate::world::World;

impl People<'_> {
    fn in_calendar<T>(self, name: &str, work: impl FnOnce(&mut World, &Author, &str) -> T) -> Result<T, Refused> {
        let mut world = self.shared.world();
        let person = Author::person(&world.options.google);
        let id = world.google.named(name).map(|calendar| calendar.id.clone());
        let id = id.ok_or_else(|| refused(404, format!("There is no calendar {name}.")))?;
        Ok(work(&mut world, &person, &id))
    }

    fn looked_at<T>(self, name: &str, look: impl FnOnce(&Calendar) -> T) -> Option<T> {
        self.shared.world().google.named(name).map(look)
    }

    /// Somebody makes a calendar (in Europe/Berlin); returns its id.
    pub fn google_create_calendar(self, summary: &str) -> Result<String, Refused> {
        let mut world = self.shared.world();
        let person = Author::person(&world.options.google);
        let body = fields(&json!({"summary": summary, "timeZone": "Europe/Berlin"}));
        let made = calendars::create(&mut world, &person, &body)?;
        Ok(made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Somebody deletes a calendar with everything in it.
    pub fn google_delete_calendar(self, calendar: &str) -> Result<(), Refused> {
        Ok(self.in_calendar(calendar, calendars::delete)??)
    }

    /// The employee makes an event of any body that Google takes; returns its id.
    pub fn google_create(self, calendar: &str, event: &Value) -> Result<String, Refused> {
        let made =
            self.in_calendar(calendar, |world, person, id| write::insert(world, person, id, &fields(event)))??;
        Ok(made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// The employee changes fields of an event, a series, or an instance, by its id; an explicit null clears one. The
    /// whole event comes back.
    pub fn google_update(self, calendar: &str, event: &str, values: &Value) -> Result<Fields, Refused> {
        let done =
            self.in_calendar(calendar, |world, person, id| write::patch(world, person, id, event, &fields(values)));
        Ok(done??)
    }

    /// The employee deletes an event, a whole series, or an instance, by its id.
    pub fn google_delete(self, calendar: &str, event: &str) -> Result<(), Refused> {
        Ok(self.in_calendar(calendar, |world, person, id| write::remove(world, person, id, event))??)
    }

    /// The employee moves or edits the instance of a series that was to begin on a day (on the series' own clock);
    /// returns the exception.
    pub fn google_edit_instance(
        self,
        calendar: &str,
        series: &str,
        day: NaiveDate,
        values: &Value,
    ) -> Result<Fields, Refused> {
        self.google_update(calendar, &self.instance_id(calendar, series, day)?, values)
    }

    /// The employee cancels the instance of a series that was to begin on a day.
    pub fn google_cancel_instance(self, calendar: &str, series: &str, day: NaiveDate) -> Result<(), Refused> {
        self.google_delete(calendar, &self.instance_id(calendar, series, day)?)
    }

    /// The employee changes the rule of a series: lines such as `RRULE:FREQ=WEEKLY`.
    pub fn google_change_rule(self, calendar: &str, series: &str, lines: &[&str]) -> Result<Fields, Refused> {
        self.google_update(calendar, series, &json!({"recurrence": lines}))
    }

    /// Sets any fields of an event, without a check, a rewriting or a log entry; null takes one away, an id that is not
    /// there becomes an event. For what imports and other programs leave behind.
    pub fn google_arrange(self, calendar: &str, event: &str, values: &Value) -> Result<(), Refused> {
        let done =
            self.in_calendar(calendar, |world, person, id| write::arrange(world, person, id, event, &fields(values)));
        Ok(done??)
    }

    fn instance_id(self, calendar: &str, series: &str, day: NaiveDate) -> Result<String, Refused> {
        let id = self.looked_at(calendar, |known| {
            let event = known.events.get(series)?;
            let rule = Series::of(&event.fields, known.zone())?;
            let end = day.succ_opt()?.and_time(chrono::NaiveTime::MIN);
            let wall = rule.starts_before(end).into_iter().find(|at| at.date() == day)?;
            Some(format!("{series}_{}", rule.moment(wall).stamp()))
        });
        id.flatten().ok_or_else(|| refused(404, format!("The series {series} has no instance on {day}.")))
    }

    /// The resources of all calendars, oldest first.
    #[must_use]
    pub fn google_calendars(self) -> Vec<Fields> {
        self.shared.world().google.calendars.iter().map(|calendar| calendar.fields.clone()).collect()
    }

    /// The rules of a calendar's ACL.
    #[must_use]
    pub fn google_acl(self, calendar: &str) -> Vec<Fields> {
        self.looked_at(calendar, |known| known.acl.clone()).unwrap_or_default()
    }

    /// An event, series or instance as it is now, deleted ones (`status` `cancelled`) too.
    #[must_use]
    pub fn google_get(self, calendar: &str, event: &str) -> Option<Fields> {
        self.looked_at(calendar, |known| known.found(event).map(|event| event.fields))?
    }

    /// The live events of a calendar by id: single ones, series, and exceptions.
    #[must_use]
    pub fn google_events(self, calendar: &str) -> Vec<Fields> {
        let live = |known: &Calendar| {
            known.events.values().filter(|event| !event.cancelled()).map(|event| event.fields.clone()).collect()
        };
        self.looked_at(calendar, live).unwrap_or_default()
    }

    /// What an employee sees: single events and instances that touch a span of time, by start.
    #[must_use]
    pub fn google_instances(self, calendar: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Fields> {
        self.looked_at(calendar, |known| seen(known, from, to)).unwrap_or_default()
    }

    /// The addresses that got an e-mail, by a calendar that was shared or an invitation.
    #[must_use]
    pub fn google_mails(self) -> Vec<String> {
        self.shared.world().google.mails.clone()
    }
}

fn seen(calendar: &Calendar, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Fields> {
    let mut found: Vec<Event> = Vec::new();
    for event in calendar.events.values().filter(|event| !event.cancelled() && event.master().is_none()) {
        if event.is_series() {
            found.extend(instance::all(calendar, event, from, to).into_iter().filter(|event| !event.cancelled()));
        } else if instance::touches(event, calendar, Some(from), Some(to)) {
            found.push(event.clone());
        }
    }
    let zone = calendar.zone();
    found.sort_by_cached_key(|event| (event.span(zone).map(|(start, _)| start.instant(zone)), event.id().to_owned()));
    found.into_iter().map(|event| event.fields).collect()
}
