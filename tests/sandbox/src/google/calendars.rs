//! Calendars, the list of them, and who they are shared with.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::calendar::Calendar;
use super::write::Author;
use super::{cursor, etag, list, refuse};
use crate::Fields;
use crate::effects::Change;
use crate::wire::{Answer, Ask};
use crate::world::World;

/// `GET users/me/calendarList`
pub(super) fn listed(world: &World, ask: &Ask) -> Result<Answer, Answer> {
    let options = &world.options.google;
    let begin: usize = match ask.param("pageToken") {
        Some(text) => cursor::decoded(&text).ok_or_else(|| refuse::invalid("Invalid page token value."))?,
        None => 0,
    };
    let size = list::size(options, ask)?.min(250);
    let all = &world.google.calendars;
    let items: Vec<Value> = all.iter().skip(begin).take(size).map(entry).collect();
    let mut answer = json!({"kind": "calendar#calendarList", "etag": etag(world.google.changes), "items": items});
    let end = begin + size;
    if end < all.len() {
        answer["nextPageToken"] = json!(cursor::encoded(&end));
    } else {
        answer["nextSyncToken"] = json!(cursor::encoded(&world.google.changes));
    }
    Ok(Answer::json(200, &answer))
}

fn entry(calendar: &Calendar) -> Value {
    let mut entry = calendar.fields.clone();
    entry.insert("kind".into(), json!("calendar#calendarListEntry"));
    entry.insert("accessRole".into(), json!("owner"));
    entry.insert("defaultReminders".into(), json!([]));
    Value::Object(entry)
}

/// A new calendar; titles need not be unique.
pub(crate) fn create(world: &mut World, author: &Author, body: &Fields) -> Result<Fields, Answer> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let summary = text("summary").to_owned();
    if summary.is_empty() {
        return Err(refuse::required("Missing title."));
    }
    let zone = Some(text("timeZone")).filter(|name| !name.is_empty()).unwrap_or("UTC");
    if zone.parse::<chrono_tz::Tz>().is_err() {
        return Err(refuse::invalid("Invalid time zone."));
    }
    world.google.new_calendars += 1;
    if world.options.google.calendar_budget.is_some_and(|most| world.google.new_calendars > most) {
        return Err(refuse::quota_exceeded());
    }
    let change = world.google.next_change();
    let id = format!("c_{}@group.calendar.google.com", Uuid::new_v4().simple());
    let mut fields = Fields::new();
    fields.insert("kind".into(), json!("calendar#calendar"));
    fields.insert("etag".into(), json!(etag(change)));
    fields.insert("id".into(), json!(id));
    for name in ["summary", "description", "location"] {
        if !text(name).is_empty() {
            fields.insert(name.into(), json!(text(name)));
        }
    }
    fields.insert("timeZone".into(), json!(zone));
    fields.insert("dataOwner".into(), json!(author.address()));
    let acl = vec![rule(author.address(), "user", "owner", change)];
    let (events, epoch, changed) = (BTreeMap::new(), change, change);
    world.google.calendars.push(Calendar { id: id.clone(), fields: fields.clone(), acl, events, epoch, changed });
    author.note(world, Change::Create, "calendars", id, body.clone(), fields.clone());
    Ok(fields)
}

/// Deletes a calendar with everything in it.
pub(crate) fn delete(world: &mut World, author: &Author, id: &str) -> Result<(), Answer> {
    world.google.calendar(id)?;
    world.google.calendars.retain(|calendar| calendar.id != id);
    author.note(world, Change::Delete, "calendars", id.to_owned(), Fields::new(), Fields::new());
    Ok(())
}

/// `GET calendars/{id}/acl`
pub(super) fn acl(world: &World, id: &str) -> Result<Answer, Answer> {
    let calendar = world.google.calendar(id)?;
    let (tag, token) = (etag(calendar.epoch), cursor::encoded(&calendar.epoch));
    Ok(Answer::json(200, &json!({"kind": "calendar#acl", "etag": tag, "items": calendar.acl, "nextSyncToken": token})))
}

/// Shares a calendar. A second rule for the same user takes the place of the first. `mail`: whether the user is told.
pub(crate) fn share(world: &mut World, author: &Author, id: &str, body: &Fields, mail: bool) -> Result<Fields, Answer> {
    world.google.calendar(id)?;
    let scope = |name: &str| body.get("scope").and_then(|scope| scope.get(name)).and_then(Value::as_str);
    let role = body.get("role").and_then(Value::as_str).unwrap_or_default();
    if !["none", "freeBusyReader", "reader", "writer", "owner"].contains(&role) {
        return Err(refuse::invalid("Invalid role."));
    }
    let (Some(kind), Some(user)) = (scope("type"), scope("value")) else {
        return Err(refuse::required("Missing scope."));
    };
    world.google.acl_inserts += 1;
    if world.options.google.acl_budget.is_some_and(|most| world.google.acl_inserts > most) {
        return Err(refuse::quota_exceeded());
    }
    let change = world.google.next_change();
    let shared = rule(user, kind, role, change);
    let expire = world.options.google.acl_expires_tokens;
    let known = world.google.calendar_mut(id)?;
    known.acl.retain(|old| old["id"] != shared["id"]);
    known.acl.push(shared.clone());
    if expire {
        known.epoch = change;
    }
    if mail {
        world.google.mails.push(user.to_owned());
    }
    author.note(world, Change::Create, "acl", format!("{id}/{kind}:{user}"), body.clone(), shared.clone());
    Ok(shared)
}

fn rule(user: &str, kind: &str, role: &str, change: u64) -> Fields {
    let fields = json!({
        "kind": "calendar#aclRule", "etag": etag(change), "id": format!("{kind}:{user}"),
        "scope": {"type": kind, "value": user}, "role": role,
    });
    fields.as_object().cloned().unwrap_or_default()
}
