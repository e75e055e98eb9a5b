//! The `Webhook` entity (espocrm.md, Creating webhooks).

use serde_json::{Value, json};

use super::actor::Actor;
use super::{object, refuse, search};
use crate::Fields;
use crate::effects::{Change, Draft, System};
use crate::webhooks::queue::Hook;
use crate::wire::{Answer, Ask};
use crate::world::World;

const ATTRIBUTES: [&str; 7] = ["id", "event", "url", "isActive", "skipOwn", "userId", "secretKey"];

pub(super) fn handle(world: &mut World, ask: &Ask, actor: &Actor, rest: &[&str]) -> Answer {
    answer(world, ask, actor, rest).unwrap_or_else(|refused| refused)
}

fn answer(world: &mut World, ask: &Ask, actor: &Actor, rest: &[&str]) -> Result<Answer, Answer> {
    match (ask.method.as_str(), rest) {
        ("POST", []) => create(world, actor, object(ask)?),
        ("GET", []) => {
            let rows = world.hooks.hooks().iter().filter(|hook| owns(actor, hook)).map(shown).collect();
            search::answer(ask, rows, &|name| ATTRIBUTES.contains(&name))
        }
        ("GET", [id]) => Ok(Answer::record(200, shown(own(world, actor, id)?))),
        ("PUT" | "PATCH", [id]) => {
            let body = object(ask)?;
            own(world, actor, id)?;
            let hook = world.hooks.hook_mut(id).ok_or_else(|| refuse::no_record(id))?;
            if let Some(url) = body.get("url").and_then(Value::as_str) {
                url.clone_into(&mut hook.url);
            }
            hook.skip_own = body.get("skipOwn").and_then(Value::as_bool).unwrap_or(hook.skip_own);
            hook.active = body.get("isActive").and_then(Value::as_bool).unwrap_or(hook.active);
            let record = shown(hook);
            note(world, Change::Update, actor, id, body);
            Ok(Answer::record(200, record))
        }
        ("DELETE", [id]) => {
            own(world, actor, id)?;
            world.hooks.remove_hook(id);
            note(world, Change::Delete, actor, id, Fields::new());
            Ok(Answer::json(200, &json!(true)))
        }
        _ => Err(Answer::empty(405)),
    }
}

/// The same event and url twice is allowed, and delivers twice.
fn create(world: &mut World, actor: &Actor, body: Fields) -> Result<Answer, Answer> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    for name in ["event", "url"] {
        if text(name).is_empty() {
            return Err(refuse::validation("Webhook", name, "required"));
        }
    }
    let (entity, action) = text("event").split_once('.').unwrap_or_default();
    let known = world.options.espocrm.entities.iter().any(|known| known.name == entity);
    if !known || !matches!(action, "create" | "update" | "delete") {
        return Err(refuse::reason(403, "Event is not allowed."));
    }
    let owner = owner(world, actor, &body)?;
    // Without an owner there are no own changes: the real one resets the flag.
    let skip_own = owner.is_some() && body.get("skipOwn").and_then(Value::as_bool).unwrap_or(false);
    let hook = Hook::new(text("event"), text("url"), skip_own, owner);
    let (id, record) = (hook.id.clone(), shown(&hook));
    world.hooks.add_hook(hook);
    note(world, Change::Create, actor, &id, body);
    Ok(Answer::record(201, record))
}

/// An API user owns what it makes; an admin may name an API user.
fn owner(world: &World, actor: &Actor, body: &Fields) -> Result<Option<String>, Answer> {
    if !actor.admin {
        return Ok(Some(actor.id.clone()));
    }
    match body.get("userId").and_then(Value::as_str) {
        None | Some("") => Ok(None),
        Some(id) if id == world.options.espocrm.api_user_id => Ok(Some(id.to_owned())),
        Some(_) => Err(refuse::reason(403, "User must be an API User.")),
    }
}

fn owns(actor: &Actor, hook: &Hook) -> bool {
    actor.admin || hook.user_id.as_ref() == Some(&actor.id)
}

fn own<'a>(world: &'a World, actor: &Actor, id: &str) -> Result<&'a Hook, Answer> {
    let hook = world.hooks.hooks().iter().find(|hook| hook.id == id).ok_or_else(|| refuse::no_record(id))?;
    if owns(actor, hook) { Ok(hook) } else { Err(refuse::no_access("read")) }
}

fn shown(hook: &Hook) -> Fields {
    let record = json!({
        "id": hook.id, "event": hook.event, "url": hook.url, "isActive": hook.active, "skipOwn": hook.skip_own,
        "userId": hook.user_id, "secretKey": hook.secret, "deleted": false,
    });
    record.as_object().cloned().unwrap_or_default()
}

fn note(world: &mut World, change: Change, actor: &Actor, id: &str, body: Fields) {
    let (system, key, changed) = (System::EspoCrm, id.to_owned(), body.clone());
    world.note(Draft { system, change, entity: "Webhook", key, by: &actor.name, body, changed });
}
