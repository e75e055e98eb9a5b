//! Notes: how the product tells people (espocrm.md, Telling a user). They fire no webhook of the entity.

use serde_json::{Value, json};

use super::actor::Actor;
use super::{object, records, refuse, search};
use crate::Fields;
use crate::clock::espo_time;
use crate::effects::{Change, Draft, System};
use crate::wire::{Answer, Ask};
use crate::world::World;

const ATTRIBUTES: [&str; 9] =
    ["id", "type", "post", "parentType", "parentId", "targetType", "usersIds", "createdAt", "createdById"];

pub(super) fn handle(world: &mut World, ask: &Ask, actor: &Actor, rest: &[&str]) -> Answer {
    let answer = match (ask.method.as_str(), rest) {
        ("POST", []) => create(world, ask, actor),
        ("GET", []) => search::answer(ask, world.espocrm.notes.clone(), &|name| ATTRIBUTES.contains(&name)),
        ("GET", [id]) => {
            let found = world.espocrm.notes.iter().find(|note| note.get("id").and_then(Value::as_str) == Some(id));
            found.map(|note| Answer::record(200, note.clone())).ok_or_else(|| refuse::no_record(id))
        }
        _ => Err(Answer::empty(405)),
    };
    answer.unwrap_or_else(|refused| refused)
}

/// The notes on a record.
pub(super) fn stream(world: &World, entity: &str, id: &str) -> Answer {
    let on = |note: &&Fields| note["parentType"] == json!(entity) && note["parentId"] == json!(id);
    let list: Vec<&Fields> = world.espocrm.notes.iter().filter(on).collect();
    Answer::json(200, &json!({"total": list.len(), "list": list}))
}

fn create(world: &mut World, ask: &Ask, actor: &Actor) -> Result<Answer, Answer> {
    let body = object(ask)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("type") != "Post" && !actor.admin {
        return Err(refuse::no_access("create"));
    }
    if text("post").trim().is_empty() {
        return Err(refuse::validation("Note", "post", "required"));
    }
    if text("targetType") == "users" && !actor.admin && !world.options.espocrm.message_permission {
        return Err(refuse::reason(403, "Not permitted to post to users."));
    }
    if !text("parentId").is_empty() {
        let (parent, id) = (text("parentType"), text("parentId"));
        if !world.options.espocrm.entities.iter().any(|entity| entity.name == parent) {
            return Err(refuse::no_controller(parent));
        }
        world.espocrm.table(parent).live(id).ok_or_else(|| refuse::no_record(id))?;
    }
    let now = world.clock.now();
    let id = records::new_id();
    let mut note = Fields::new();
    for name in ATTRIBUTES {
        note.insert(name.into(), body.get(name).cloned().unwrap_or_default());
    }
    note.insert("id".into(), json!(id));
    note.insert("createdAt".into(), json!(espo_time(now)));
    note.insert("createdById".into(), json!(actor.id));
    note.insert("createdByName".into(), json!(actor.name));
    world.espocrm.notes.push(note.clone());
    let (system, changed) = (System::EspoCrm, body.clone());
    world.note(Draft { system, change: Change::Create, entity: "Note", key: id, by: &actor.name, body, changed });
    Ok(Answer::record(200, note))
}
