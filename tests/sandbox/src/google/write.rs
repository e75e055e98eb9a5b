//! Writes of events. An update of an instance makes an exception of it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::calendar::{Calendar, Event};
use super::series::Series;
use super::{body, etag, instance, refuse};
use crate::Fields;
use crate::effects::{Change, Draft, System};
use crate::options::GoogleOptions;
use crate::wire::{Answer, Ask};
use crate::world::World;

/// Who writes, and under which condition.
pub(crate) struct Author {
    /// The name in the log of effects.
    by: String,
    address: String,
    condition: Condition,
    /// Whether guests are told.
    mails: bool,
}

enum Condition {
    /// A person, who writes over what is there.
    None,
    /// The program, with its If-Match.
    IfMatch(Option<String>),
}

impl Author {
    pub(super) fn program(user: &str, ask: &Ask) -> Self {
        Self {
            by: user.to_owned(),
            address: user.to_owned(),
            condition: Condition::IfMatch(ask.header("if-match").map(str::to_owned)),
            mails: matches!(ask.param("sendUpdates").as_deref(), Some("all" | "externalOnly")),
        }
    }

    /// An employee at Google's own pages.
    pub(crate) fn person(options: &GoogleOptions) -> Self {
        let (by, address) = ("employee".to_owned(), options.person.clone());
        Self { by, address, condition: Condition::None, mails: false }
    }

    pub(super) fn note(&self, world: &mut World, change: Change, entity: &str, key: String, body: Fields, new: Fields) {
        world.note(Draft { system: System::Google, change, entity, key, by: &self.by, body, changed: new });
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    fn admitted(&self, options: &GoogleOptions, event: &Event) -> Result<(), Answer> {
        match &self.condition {
            Condition::IfMatch(None) if options.require_if_match => Err(refuse::condition_missing()),
            Condition::IfMatch(Some(wanted)) if wanted != "*" && wanted != event.text("etag") => {
                Err(refuse::condition_not_met())
            }
            _ => Ok(()),
        }
    }
}

/// A new event; the id may be the caller's choice, and one that was ever used stays taken.
pub(crate) fn insert(world: &mut World, author: &Author, calendar: &str, body: &Fields) -> Result<Fields, Answer> {
    let known = world.google.calendar(calendar)?;
    let id = match body.get("id") {
        None | Some(Value::Null) => Uuid::new_v4().simple().to_string(),
        Some(Value::String(id)) if valid_id(id) => id.clone(),
        Some(_) => return Err(refuse::invalid("Invalid resource id value.")),
    };
    if known.events.contains_key(&id) {
        return Err(refuse::duplicate());
    }
    let fields = body::settled(&world.options.google, known.zone(), body::writable(body), false)?;
    if fields["status"] == "cancelled" {
        return Err(refuse::invalid("Invalid status: a new event cannot be cancelled."));
    }
    let mut event = named(&id, author, world.clock.now());
    event.extend(fields.clone());
    let entry = Entry { kind: Change::Create, body: body.clone(), changed: fields };
    Ok(store(world, author, calendar, event, entry))
}

/// `[a-v0-9]{5,1024}`
fn valid_id(id: &str) -> bool {
    (5..=1024).contains(&id.len()) && id.chars().all(|c| matches!(c, 'a'..='v' | '0'..='9'))
}

/// What a new event has before its content.
fn named(id: &str, author: &Author, now: DateTime<Utc>) -> Fields {
    let who = json!({"email": author.address, "self": true});
    let event = json!({
        "kind": "calendar#event", "etag": "", "id": id, "status": "confirmed",
        "htmlLink": format!("https://calendar.example/event?eid={id}"), "created": moment(now), "updated": "",
        "creator": who, "organizer": who, "iCalUID": format!("{id}@google.com"), "sequence": 0,
    });
    event.as_object().cloned().unwrap_or_default()
}

/// PUT: what the body leaves out is gone, read-only fields stay.
pub(crate) fn replace(
    world: &mut World,
    author: &Author,
    calendar: &str,
    id: &str,
    body: &Fields,
) -> Result<Fields, Answer> {
    let event = current(world, author, calendar, id)?;
    update(world, author, calendar, &event, body::writable(body), body)
}

/// PATCH: merges, and an explicit null clears.
pub(crate) fn patch(
    world: &mut World,
    author: &Author,
    calendar: &str,
    id: &str,
    body: &Fields,
) -> Result<Fields, Answer> {
    let event = current(world, author, calendar, id)?;
    let whole = body::patched(&event.fields, body);
    update(world, author, calendar, &event, whole, body)
}

/// The event that is to be written, if it may be.
fn current(world: &World, author: &Author, calendar: &str, id: &str) -> Result<Event, Answer> {
    let options = &world.options.google;
    let event = world.google.calendar(calendar)?.found(id).ok_or_else(refuse::not_found)?;
    if event.cancelled() && !options.revive_deleted {
        return Err(refuse::forbidden());
    }
    author.admitted(options, &event)?;
    Ok(event)
}

fn update(
    world: &mut World,
    author: &Author,
    calendar: &str,
    old: &Event,
    wanted: Fields,
    body: &Fields,
) -> Result<Fields, Answer> {
    let zone = world.google.calendar(calendar)?.zone();
    let new = body::settled(&world.options.google, zone, wanted, old.master().is_some())?;
    if new["status"] == "cancelled" {
        cancel(world, author, calendar, old, body.clone());
        return Ok(world.google.calendar(calendar)?.events[old.id()].fields.clone());
    }
    let before = body::writable(&old.fields);
    let mut event: Fields = old
        .fields
        .iter()
        .filter(|(name, _)| !before.contains_key(*name))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    event.extend(new.clone());
    let moved = ["start", "end", "recurrence"].iter().any(|name| before.get(*name) != new.get(*name));
    let sequence = event.get("sequence").and_then(Value::as_u64).unwrap_or(0) + u64::from(moved);
    event.insert("sequence".into(), json!(sequence));
    let cleared = before.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let changed = new.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let changed = changed.map(|(name, value)| (name.clone(), value.clone())).chain(cleared).collect();
    let entry = Entry { kind: Change::Update, body: body.clone(), changed };
    let stored = store(world, author, calendar, event, entry);
    if moved && old.master().is_none() {
        reset_exceptions(world, calendar, old.id());
    }
    Ok(stored)
}

/// What the log says of a write.
struct Entry {
    kind: Change,
    body: Fields,
    changed: Fields,
}

/// Puts an event there with the etag of a new change, and notes it.
fn store(world: &mut World, author: &Author, calendar: &str, mut event: Fields, entry: Entry) -> Fields {
    let change = world.google.next_change();
    event.insert("etag".into(), json!(etag(change)));
    event.insert("updated".into(), json!(moment(world.clock.now())));
    let id = event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    if author.mails {
        let guests = event.get("attendees").and_then(Value::as_array).into_iter().flatten();
        let addresses = guests.filter_map(|guest| guest["email"].as_str()).map(str::to_owned);
        world.google.mails.extend(addresses);
    }
    if let Ok(known) = world.google.calendar_mut(calendar) {
        known.changed = change;
        known.events.insert(id.clone(), Event { fields: event.clone(), change, dropped: false });
    }
    author.note(world, entry.kind, "events", format!("{calendar}/{id}"), entry.body, entry.changed);
    event
}

/// Exceptions whose original start is none any more are gone, as Google resets them.
fn reset_exceptions(world: &mut World, calendar: &str, master: &str) {
    let Ok(known) = world.google.calendar(calendar) else { return };
    let series = known.events.get(master).and_then(|event| Series::of(&event.fields, known.zone()));
    let fits = |event: &Event| series.as_ref().is_some_and(|series| instance::fits(event, series, known));
    let (kept, lost): (Vec<&Event>, Vec<&Event>) = known.exceptions(master).partition(|event| fits(event));
    let lost: Vec<String> = lost.iter().filter(|event| !event.dropped).map(|event| event.id().to_owned()).collect();
    // A place that came back has an instance like any other.
    let back: Vec<String> = kept.iter().filter(|event| event.dropped).map(|event| event.id().to_owned()).collect();
    drop_exceptions(world, calendar, &lost);
    if let Ok(known) = world.google.calendar_mut(calendar) {
        known.events.retain(|id, _| !back.contains(id));
    }
}

fn drop_exceptions(world: &mut World, calendar: &str, ids: &[String]) {
    for id in ids {
        let change = world.google.next_change();
        let Ok(known) = world.google.calendar_mut(calendar) else { return };
        known.changed = change;
        if let Some(event) = known.events.get_mut(id) {
            event.fields.insert("status".into(), json!("cancelled"));
            event.fields.insert("etag".into(), json!(etag(change)));
            event.change = change;
            event.dropped = true;
        }
    }
}

/// DELETE: of a series the whole of it, of an instance a cancelled exception.
pub(crate) fn remove(world: &mut World, author: &Author, calendar: &str, id: &str) -> Result<(), Answer> {
    let event = world.google.calendar(calendar)?.found(id).ok_or_else(refuse::not_found)?;
    if event.cancelled() {
        return Err(refuse::deleted());
    }
    author.admitted(&world.options.google, &event)?;
    cancel(world, author, calendar, &event, Fields::new());
    Ok(())
}

fn cancel(world: &mut World, author: &Author, calendar: &str, old: &Event, body: Fields) {
    let mut event = old.fields.clone();
    event.insert("status".into(), json!("cancelled"));
    store(world, author, calendar, event, Entry { kind: Change::Delete, body, changed: Fields::new() });
    if old.is_series() {
        let ids = |known: &Calendar| known.exceptions(old.id()).map(|event| event.id().to_owned()).collect();
        let exceptions: Vec<String> = world.google.calendar(calendar).map(ids).unwrap_or_default();
        drop_exceptions(world, calendar, &exceptions);
    }
}

/// Sets fields of an event as they are given, without a check or a log entry: arranges what an import or another program
/// left behind.
pub(crate) fn arrange(
    world: &mut World,
    author: &Author,
    calendar: &str,
    id: &str,
    values: &Fields,
) -> Result<(), Answer> {
    let (now, change) = (world.clock.now(), world.google.next_change());
    let known = world.google.calendar_mut(calendar)?;
    let mut fields = known.found(id).map_or_else(|| named(id, author, now), |event| event.fields);
    fields.insert("etag".into(), json!(etag(change)));
    fields.insert("updated".into(), json!(moment(now)));
    for (name, value) in values {
        if value.is_null() {
            fields.shift_remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    known.changed = change;
    known.events.insert(id.to_owned(), Event { fields, change, dropped: false });
    Ok(())
}

/// UTC with milliseconds, as `created` and `updated` are.
fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
