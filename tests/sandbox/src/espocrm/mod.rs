//! `EspoCRM`'s REST API (contract: espocrm.md).
//!
//! `actor` signs in, `entity` is the data model and `metadata` shows and changes it, `validate` and `refuse` are the rules of a write, `records` performs it
//! on a `table`; `search`, `brackets` and `filter` answer lists; `notes` and `hooks` are the two built-in entities that
//! the product writes.

pub(crate) mod actor;
mod brackets;
pub(crate) mod entity;
mod filter;
mod hooks;
mod metadata;
mod notes;
pub(crate) mod records;
mod refuse;
mod search;
pub(crate) mod table;
mod validate;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::actor::{Actor, BadSignIns};
use self::entity::Entity;
use self::table::Table;
use crate::Fields;
use crate::wire::{Answer, Ask};
use crate::world::World;

pub(crate) use refuse::REASON;

/// The path of the API at the sandbox's port.
pub(crate) const API: &str = "/espocrm/api/v1";

/// `EspoCRM`'s memory.
#[derive(Debug, Default)]
pub(crate) struct EspoCrm {
    tables: BTreeMap<String, Table>,
    bad_sign_ins: BadSignIns,
    pub(crate) notes: Vec<Fields>,
}

impl EspoCrm {
    pub(crate) fn table(&mut self, entity: &str) -> &mut Table {
        self.tables.entry(entity.to_owned()).or_default()
    }
}

/// Answers a request.
pub(crate) fn handle(world: &mut World, ask: &Ask) -> Answer {
    let actor = match actor::sign_in(world, ask) {
        Ok(actor) => actor,
        Err(refused) => return refused,
    };
    let segments = ask.segments_after(API).unwrap_or_default();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let Some((&name, rest)) = segments.split_first() else { return Answer::empty(404) };
    match (name, rest) {
        ("App", ["user"]) if ask.method == "GET" => app_user(world, &actor),
        ("Metadata", []) if ask.method == "GET" => metadata::read(world, ask, &actor),
        ("Admin", ["fieldManager", scope]) if ask.method == "POST" => metadata::create_field(world, ask, &actor, scope),
        ("Note", _) => notes::handle(world, ask, &actor, rest),
        ("Webhook", _) => hooks::handle(world, ask, &actor, rest),
        ("User", []) if ask.method == "GET" => users(world, ask),
        // The product's user is none (espocrm.md, Telling a user).
        ("Notification", _) if !actor.admin => refuse::no_access("create"),
        _ => match world.options.espocrm.entities.iter().find(|entity| entity.name == name).cloned() {
            Some(entity) => answer(world, ask, &actor, &entity, rest).unwrap_or_else(|refused| refused),
            None => refuse::no_controller(name),
        },
    }
}

fn answer(world: &mut World, ask: &Ask, actor: &Actor, entity: &Entity, rest: &[&str]) -> Result<Answer, Answer> {
    let may = |world: &World, action: &str| {
        let denied = world.options.espocrm.denied.contains(&format!("{}.{action}", entity.name));
        if denied && !actor.admin { Err(refuse::no_access(action)) } else { Ok(()) }
    };
    match (ask.method.as_str(), rest) {
        ("GET", []) => {
            may(world, "read")?;
            let rows = world.espocrm.table(&entity.name).all_live().map(|row| row.shown(entity)).collect();
            search::answer(ask, rows, &|name| entity.knows(name))
        }
        ("POST", []) => {
            may(world, "create")?;
            let check_duplicates = ask.header("x-skip-duplicate-check") != Some("true");
            let record = records::create(world, actor, entity, &object(ask)?, check_duplicates)?;
            Ok(Answer::record(200, record))
        }
        ("GET", [id]) => {
            may(world, "read")?;
            let row = world.espocrm.table(&entity.name).live(id).ok_or_else(|| refuse::no_record(id))?;
            Ok(Answer::record(200, row.shown(entity)))
        }
        ("GET", [id, "stream"]) => {
            may(world, "read")?;
            Ok(notes::stream(world, &entity.name, id))
        }
        ("PUT" | "PATCH", [id]) => {
            may(world, "edit")?;
            let version = ask.header("x-version-number").and_then(|text| text.parse().ok());
            Ok(Answer::record(200, records::update(world, actor, entity, id, &object(ask)?, version)?))
        }
        ("DELETE", [id]) => {
            may(world, "delete")?;
            records::delete(world, actor, entity, id)?;
            Ok(Answer::json(200, &json!(true)))
        }
        _ => Err(Answer::empty(405)),
    }
}

/// The body as an object; what is no JSON gives 500 with an empty body (espocrm.md, Errors).
fn object(ask: &Ask) -> Result<Fields, Answer> {
    match ask.json() {
        Some(Value::Object(body)) => Ok(body),
        _ => Err(Answer::empty(500)),
    }
}

fn user(actor: &Actor) -> Value {
    let kind = if actor.admin { "admin" } else { "api" };
    json!({"id": actor.id, "userName": actor.name, "name": actor.name, "type": kind, "isActive": true})
}

/// Who asks, and what its role says of messages; an admin may send them to all.
fn app_user(world: &World, actor: &Actor) -> Answer {
    let may = actor.admin || world.options.espocrm.message_permission;
    let level = if may { "all" } else { "no" };
    Answer::json(200, &json!({"user": user(actor), "acl": {"messagePermission": level}}))
}

fn users(world: &World, ask: &Ask) -> Answer {
    let options = &world.options.espocrm;
    let rows =
        [Actor::api(options), Actor::person(options)].into_iter().filter_map(|actor| user(&actor).as_object().cloned());
    let known = |name: &str| ["id", "userName", "name", "type", "isActive"].contains(&name);
    search::answer(ask, rows.collect(), &known).unwrap_or_else(|refused| refused)
}
