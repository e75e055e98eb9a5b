//! Resources whose records are addressed by path: `Beteiligte` and whatever is added like it.

use serde_json::{Value, json};

use super::resource::Resource;
use super::store::Store;
use crate::Fields;
use crate::effects::{Change, Draft, System};
use crate::options::{AdvowareOptions, DateShape, GetShape, PostShape, PutShape};
use crate::wire::{Answer, Ask};
use crate::world::World;

pub(crate) fn handle(world: &mut World, ask: &Ask, resource: &Resource, rest: &[&str]) -> Answer {
    match (ask.method.as_str(), rest) {
        ("GET", []) => list(world, ask, resource),
        ("POST", []) => create(world, ask, resource),
        (_, [number]) => match number.parse() {
            Ok(number) => one(world, ask, resource, number),
            Err(_) => Answer::text(400, "Die Nummer ist ungültig."),
        },
        _ => Answer::text(405, "Diese Methode wird nicht unterstützt."),
    }
}

/// GET, PUT and DELETE of one record.
pub(super) fn one(world: &mut World, ask: &Ask, resource: &Resource, number: i64) -> Answer {
    match ask.method.as_str() {
        "GET" => match world.advoware.stores.get(&resource.name).and_then(|store| store.records.get(&number)) {
            Some(record) => get_answer(&world.options.advoware, resource, record),
            None => missing(number),
        },
        "PUT" => replace(world, ask, resource, number),
        "DELETE" => delete(world, resource, number),
        _ => Answer::text(405, "Diese Methode wird nicht unterstützt."),
    }
}

fn list(world: &World, ask: &Ask, resource: &Resource) -> Answer {
    let options = &world.options.advoware;
    let wanted: Vec<(&String, String)> =
        resource.search.iter().filter_map(|name| Some((name, ask.param(name)?.to_lowercase()))).collect();
    let matches = |record: &Fields| {
        wanted.iter().all(|(name, text)| {
            let value = record.get(*name).and_then(Value::as_str).unwrap_or_default().to_lowercase();
            if options.search_by_prefix { value.starts_with(text) } else { value == *text }
        })
    };
    let found = world.advoware.stores.get(&resource.name).into_iter().flat_map(|store| store.records.values());
    let found: Vec<Value> =
        found.filter(|record| matches(record)).map(|record| shown(options, resource, record)).collect();
    Answer::json(200, &Value::Array(found))
}

pub(super) fn create(world: &mut World, ask: &Ask, resource: &Resource) -> Answer {
    let Some(Value::Object(body)) = ask.json() else {
        return Answer::text(400, "Der Inhalt ist kein gültiges JSON-Objekt.");
    };
    let store = world.advoware.stores.entry(resource.name.clone()).or_default();
    let number = store.create(resource, &body, false);
    let record = store.records[&number].clone();
    note(world, Change::Create, resource, number, body, set_fields(resource, &record));
    let options = &world.options.advoware;
    match options.post_shape {
        PostShape::Object => Answer::json(200, &shown(options, resource, &record)),
        PostShape::Array => Answer::json(200, &json!([shown(options, resource, &record)])),
        PostShape::Number => Answer::json(200, &json!(number)),
    }
}

fn replace(world: &mut World, ask: &Ask, resource: &Resource, number: i64) -> Answer {
    let Some(Value::Object(body)) = ask.json() else {
        return Answer::text(400, "Der Inhalt ist kein gültiges JSON-Objekt.");
    };
    let store = world.advoware.stores.entry(resource.name.clone()).or_default();
    let Some(changed) = store.replace(resource, number, &body) else { return missing(number) };
    let mut record = store.records[&number].clone();
    note(world, Change::Update, resource, number, body, changed);
    let options = &world.options.advoware;
    match options.put_shape {
        PutShape::WithRowId => Answer::json(200, &shown(options, resource, &record)),
        PutShape::WithoutRowId => {
            record.shift_remove("rowId");
            Answer::json(200, &shown(options, resource, &record))
        }
        PutShape::Empty => Answer::empty(200),
    }
}

fn delete(world: &mut World, resource: &Resource, number: i64) -> Answer {
    let store = world.advoware.stores.entry(resource.name.clone()).or_default();
    if store.records.remove(&number).is_none() {
        return missing(number);
    }
    note(world, Change::Delete, resource, number, Fields::new(), Fields::new());
    Answer::empty(200)
}

fn note(world: &mut World, change: Change, resource: &Resource, number: i64, body: Fields, changed: Fields) {
    let by = world.options.advoware.user.clone();
    let key = number.to_string();
    world.note(Draft { system: System::Advoware, change, entity: &resource.name, key, by: &by, body, changed });
}

pub(crate) fn set_fields(resource: &Resource, record: &Fields) -> Fields {
    let set = record.iter().filter(|(name, value)| !value.is_null() && **name != resource.key && *name != "rowId");
    set.map(|(name, value)| (name.clone(), value.clone())).collect()
}

pub(super) fn get_answer(options: &AdvowareOptions, resource: &Resource, record: &Fields) -> Answer {
    let record = shown(options, resource, record);
    match options.get_shape {
        GetShape::Object => Answer::json(200, &record),
        GetShape::Array => Answer::json(200, &json!([record])),
    }
}

/// A record as an answer shows it: dates in the chosen spelling. A date that has a time keeps it.
pub(super) fn shown(options: &AdvowareOptions, resource: &Resource, record: &Fields) -> Value {
    let mut record = record.clone();
    if options.date_shape == DateShape::DateTime {
        for name in &resource.dates {
            let text = record.get(name).and_then(Value::as_str).unwrap_or("0001-01-01");
            let spelled = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00") };
            record.insert(name.clone(), Value::String(spelled));
        }
    }
    Value::Object(record)
}

pub(super) fn missing(number: i64) -> Answer {
    Answer::text(404, &format!("Der Datensatz {number} wurde nicht gefunden."))
}

/// The records of a resource, for the operations of people.
pub(crate) fn store<'a>(world: &'a mut World, resource: &Resource) -> &'a mut Store {
    world.advoware.stores.entry(resource.name.clone()).or_default()
}
