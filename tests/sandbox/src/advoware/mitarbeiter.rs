//! Employees: a list, filtered by `aktiv` (advoware.md, Mitarbeiter).

use serde_json::Value;

use super::resource::Resource;
use crate::Fields;
use crate::wire::{Answer, Ask};
use crate::world::World;

pub(super) fn handle(world: &World, ask: &Ask, resource: &Resource) -> Answer {
    if ask.method != "GET" {
        return Answer::text(403, "Diese Operation wird nicht angeboten.");
    }
    let active = ask.param("aktiv").and_then(|text| text.parse::<bool>().ok());
    let all = world.advoware.stores.get(&resource.name).into_iter().flat_map(|store| store.records.values());
    let wanted = all.filter(|record| active.is_none() || record.get("aktiv").and_then(Value::as_bool) == active);
    let shown = |record: &Fields| {
        resource.fields.iter().map(|name| (name.clone(), record.get(name).cloned().unwrap_or_default())).collect()
    };
    Answer::json(200, &Value::Array(wanted.map(|record| Value::Object(shown(record))).collect()))
}
