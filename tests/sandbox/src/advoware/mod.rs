//! Advoware's REST API (contract: advoware.md).
//!
//! `token` signs in, `resource` describes what can be asked for, `store` keeps records and changes rowIds, `records`
//! answers for resources that are addressed by path, `termine` and `mitarbeiter` for the two that are not.

mod mitarbeiter;
pub(crate) mod records;
pub(crate) mod resource;
pub(crate) mod store;
mod termine;
pub(crate) mod token;

use std::collections::BTreeMap;

use self::resource::Address;
use self::store::Store;
use self::token::Tokens;
use crate::wire::{Answer, Ask};
use crate::world::World;

/// The path of the API at the sandbox's port.
pub(crate) const BASE: &str = "/advoware/";
const API: &str = "/advoware/api/v1/advonet/";

/// Advoware's memory.
#[derive(Debug, Default)]
pub(crate) struct Advoware {
    pub(crate) tokens: Tokens,
    pub(crate) stores: BTreeMap<String, Store>,
}

/// Answers a request to the API.
pub(crate) fn handle(world: &mut World, ask: &Ask) -> Answer {
    let now = world.clock.now();
    let bearer = ask.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if !bearer.is_some_and(|token| world.advoware.tokens.valid(token, now)) {
        return Answer::text(401, "Das Token fehlt, ist ungültig oder abgelaufen.");
    }
    let Some(segments) = ask.segments_after(API) else {
        return Answer::text(404, "Diese Adresse gibt es nicht.");
    };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let Some((&name, rest)) = segments.split_first() else {
        return Answer::text(404, "Diese Adresse gibt es nicht.");
    };
    let Some(resource) = world.options.advoware.resources.iter().find(|resource| resource.name == name).cloned() else {
        return Answer::text(404, &format!("Die Ressource '{name}' gibt es nicht."));
    };
    if ask.method == "DELETE" && world.options.advoware.delete_forbidden {
        return Answer::text(403, "Diese Operation wird nicht angeboten.");
    }
    match resource.address {
        Address::Path => records::handle(world, ask, &resource, rest),
        Address::Query(_) => termine::handle(world, ask, &resource, rest),
        Address::ListOnly => mitarbeiter::handle(world, ask, &resource),
    }
}
