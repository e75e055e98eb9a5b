//! Creating, changing and deleting records, with the webhook events and log entries that follow.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::actor::Actor;
use super::entity::Entity;
use super::table::Row;
use super::{refuse, validate};
use crate::Fields;
use crate::clock::espo_time;
use crate::effects::{Change, Draft, System};
use crate::webhooks::payload;
use crate::wire::Answer;
use crate::world::World;

/// `EspoCRM`'s ids: 17 hex characters.
pub(crate) fn new_id() -> String {
    Uuid::new_v4().simple().to_string()[..17].to_owned()
}

/// Makes a record; the whole record comes back.
pub(crate) fn create(
    world: &mut World,
    actor: &Actor,
    entity: &Entity,
    body: &Fields,
    check_duplicates: bool,
) -> Result<Fields, Answer> {
    let values = validate::clean(entity, body);
    validate::check(entity, &values, true)?;
    let mut fields = blank(entity, &new_id(), &world.clock.now(), actor);
    fields.extend(values.clone());
    set_name(entity, &mut fields, body);
    if check_duplicates {
        refuse_duplicates(world, entity, &fields)?;
    }
    refuse_taken(world, entity, &values, None)?;

    let id = text(&fields, "id");
    let row = world.espocrm.table(&entity.name).insert(&id, fields);
    let shown = row.shown(entity);
    let data = payload::create(&row.fields);
    let changed = data.clone();
    world.hooks.happened(&entity.name, "create", &actor.id, data);
    note(world, Change::Create, entity, &id, actor, body, changed);
    Ok(shown)
}

/// A new record with the defaults of its entity, everything else null.
pub(crate) fn blank(entity: &Entity, id: &str, now: &DateTime<Utc>, actor: &Actor) -> Fields {
    let now = espo_time(*now);
    let mut fields = Fields::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("id", json!(id));
    set("name", Value::Null);
    set("deleted", json!(false));
    for field in &entity.fields {
        set(&field.name, field.default.clone());
    }
    set("createdAt", json!(now));
    set("modifiedAt", json!(now));
    set("streamUpdatedAt", if entity.stream { json!(now) } else { Value::Null });
    set("createdById", json!(actor.id));
    set("createdByName", json!(actor.name));
    set("modifiedById", Value::Null);
    set("modifiedByName", Value::Null);
    set("isFollowed", json!(false));
    fields
}

/// Changes what a body sets. A write that changes nothing still takes effect on an entity with a stream.
pub(crate) fn update(
    world: &mut World,
    actor: &Actor,
    entity: &Entity,
    id: &str,
    body: &Fields,
    version: Option<i64>,
) -> Result<Fields, Answer> {
    let now = espo_time(world.clock.now());
    let row = world.espocrm.table(&entity.name).live(id).ok_or_else(|| refuse::no_record(id))?.clone();
    let values = validate::clean(entity, body);
    refuse_stale(entity, &row, &values, version)?;
    validate::check(entity, &values, false)?;
    refuse_taken(world, entity, &values, Some(id))?;

    let mut fields = row.fields.clone();
    fields.extend(values);
    set_name(entity, &mut fields, body);
    let changed: Fields = fields
        .iter()
        .filter(|(name, value)| row.fields.get(*name) != Some(value))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let other_modifier = row.fields.get("modifiedById").and_then(Value::as_str) != Some(&actor.id);
    let bumps = entity.stream || !changed.is_empty();
    if bumps {
        fields.insert("modifiedAt".into(), json!(now));
        fields.insert("modifiedById".into(), json!(actor.id));
        fields.insert("modifiedByName".into(), json!(actor.name));
    }
    let row = world.espocrm.table(&entity.name).replace(id, fields, !changed.is_empty());
    let shown = row.shown(entity);
    if bumps && (other_modifier || !changed.is_empty()) {
        let data = payload::update(id, &changed, other_modifier.then_some(actor));
        world.hooks.happened(&entity.name, "update", &actor.id, data);
    }
    note(world, Change::Update, entity, id, actor, body, changed);
    Ok(shown)
}

/// Removes a record; it can no longer be read.
pub(crate) fn delete(world: &mut World, actor: &Actor, entity: &Entity, id: &str) -> Result<(), Answer> {
    if !world.espocrm.table(&entity.name).delete(id) {
        return Err(refuse::no_record(id));
    }
    world.hooks.happened(&entity.name, "delete", &actor.id, payload::delete(id));
    note(world, Change::Delete, entity, id, actor, &Fields::new(), Fields::new());
    Ok(())
}

/// A Person's name is computed; elsewhere it is an attribute like others.
pub(crate) fn set_name(entity: &Entity, fields: &mut Fields, body: &Fields) {
    let name = if entity.person {
        let parts = ["firstName", "lastName"].map(|part| text(fields, part));
        parts.join(" ").trim().to_owned()
    } else {
        match body.get("name").and_then(Value::as_str) {
            Some(name) => name.trim().to_owned(),
            None => return,
        }
    };
    fields.insert("name".into(), if name.is_empty() { Value::Null } else { json!(name) });
}

fn text(fields: &Fields, name: &str) -> String {
    fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn refuse_duplicates(world: &mut World, entity: &Entity, new: &Fields) -> Result<(), Answer> {
    let same = |row: &Fields| {
        entity
            .duplicate_fields
            .iter()
            .any(|name| new.get(name).is_some_and(|v| !v.is_null()) && row.get(name) == new.get(name))
    };
    let found: Vec<Fields> = world
        .espocrm
        .table(&entity.name)
        .all_live()
        .filter(|row| same(&row.fields))
        .map(|row| row.shown(entity))
        .collect();
    if found.is_empty() { Ok(()) } else { Err(refuse::duplicate(found)) }
}

/// A unique index of the database; the contract names no answer, so it is the one of an uncaught database error.
fn refuse_taken(world: &mut World, entity: &Entity, values: &Fields, own: Option<&str>) -> Result<(), Answer> {
    for field in entity.fields.iter().filter(|field| field.unique) {
        let Some(value) = values.get(&field.name).filter(|value| !value.is_null()) else { continue };
        let mut others = world.espocrm.table(&entity.name).all_live();
        if others.any(|row| own != row.id() && row.fields.get(&field.name) == Some(value)) {
            return Err(Answer::empty(500));
        }
    }
    Ok(())
}

fn refuse_stale(entity: &Entity, row: &Row, values: &Fields, version: Option<i64>) -> Result<(), Answer> {
    match version {
        Some(version) if entity.optimistic && version != row.version => {
            let differing = values.keys().filter(|name| row.fields.get(*name) != values.get(*name));
            let current =
                differing.map(|name| (name.clone(), row.fields.get(name).cloned().unwrap_or_default())).collect();
            Err(refuse::modified(&current, row.version))
        }
        _ => Ok(()),
    }
}

fn note(world: &mut World, change: Change, entity: &Entity, id: &str, actor: &Actor, body: &Fields, changed: Fields) {
    let (key, body) = (id.to_owned(), body.clone());
    world.note(Draft { system: System::EspoCrm, change, entity: &entity.name, key, by: &actor.name, body, changed });
}
