//! The data model as the API shows and changes it: `Metadata` and `Admin/fieldManager` (source of 9.x, the controllers
//! Metadata and `FieldManager`).

use serde_json::{Map, Value, json};

use super::actor::Actor;
use super::entity::{Entity, Field, Kind};
use super::{object, refuse};
use crate::Fields;
use crate::effects::{Change, Draft, System};
use crate::wire::{Answer, Ask};
use crate::world::World;

/// `GET Metadata?key=entityDefs.CBeteiligte`. What is not there, or what the user may not read, is 200 with an empty
/// body: the controller's null is written as nothing.
pub(super) fn read(world: &World, ask: &Ask, actor: &Actor) -> Answer {
    let options = &world.options.espocrm;
    let may_read = |entity: &&Entity| actor.admin || !options.denied.contains(&format!("{}.read", entity.name));
    let defs: Map<String, Value> =
        options.entities.iter().filter(may_read).map(|entity| (entity.name.clone(), shown(entity))).collect();
    let all = json!({"entityDefs": defs});
    let key = ask.param("key").unwrap_or_default();
    let found = key.split('.').filter(|part| !part.is_empty()).try_fold(&all, |value, part| value.get(part));
    found.map_or_else(|| Answer::empty(200), |value| Answer::json(200, value))
}

fn shown(entity: &Entity) -> Value {
    let mut fields: Map<String, Value> = entity.fields.iter().map(|it| (it.name.clone(), definition(it))).collect();
    let name = if entity.person { "personName" } else { "varchar" };
    fields.insert("name".into(), json!({"type": name}));
    for at in ["createdAt", "modifiedAt"] {
        fields.insert(at.into(), json!({"type": "datetime", "readOnly": true}));
    }
    json!({"fields": fields, "links": {}, "collection": {"orderBy": "createdAt", "order": "desc"}})
}

fn definition(field: &Field) -> Value {
    let mut shown = json!({"type": type_name(&field.kind)});
    let mut put = |name: &str, value: Value| shown[name] = value;
    if let Kind::Enum(options) = &field.kind {
        put("options", json!(options));
    }
    if field.required {
        put("required", json!(true));
    }
    if let Some(length) = field.max_length {
        put("maxLength", json!(length));
    }
    if field.unique {
        put("unique", json!(true));
    }
    if !field.default.is_null() {
        put("default", field.default.clone());
    }
    shown
}

const fn type_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Varchar => "varchar",
        Kind::Text => "text",
        Kind::Int => "int",
        Kind::Bool => "bool",
        Kind::Date => "date",
        Kind::DateTime => "datetime",
        Kind::Enum(_) => "enum",
        Kind::Email => "email",
        Kind::Phone => "phone",
        Kind::List => "linkMultiple",
    }
}

/// `POST Admin/fieldManager/CBeteiligte`: makes a field and rebuilds at once. Refusing a user who is no admin, the real
/// one gives no reason.
pub(super) fn create_field(world: &mut World, ask: &Ask, actor: &Actor, scope: &str) -> Answer {
    if !actor.admin {
        return Answer::empty(403);
    }
    try_create_field(world, ask, actor, scope).unwrap_or_else(|refused| refused)
}

fn try_create_field(world: &mut World, ask: &Ask, actor: &Actor, scope: &str) -> Result<Answer, Answer> {
    let body = object(ask)?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        return Err(Answer::empty(400));
    }
    let Some(entity) = world.options.espocrm.entities.iter_mut().find(|entity| entity.name == scope) else {
        return Err(refuse::reason(500, &format!("Entity type {scope} is not customizable.")));
    };
    if entity.knows(name) {
        return Err(refuse::reason(409, &format!("Field '{name}' already exists in '{scope}'.")));
    }
    let field = field(name, &body).ok_or_else(|| refuse::reason(400, "No type."))?;
    let mut answer = definition(&field);
    answer["isCustom"] = json!(true);
    answer["label"] = body.get("label").cloned().unwrap_or_else(|| json!(name));
    entity.fields.push(field);
    let (system, key, changed) = (System::EspoCrm, format!("{scope}.{name}"), body.clone());
    world.note(Draft { system, change: Change::Create, entity: "Field", key, by: &actor.name, body, changed });
    Ok(Answer::json(200, &answer))
}

/// Parameters that a type does not list are dropped silently; `unique` is one of them for every type.
fn field(name: &str, body: &Fields) -> Option<Field> {
    let kind = match body.get("type")?.as_str()? {
        "varchar" => Kind::Varchar,
        "text" => Kind::Text,
        "int" => Kind::Int,
        "bool" => Kind::Bool,
        "date" => Kind::Date,
        "datetime" => Kind::DateTime,
        "email" => Kind::Email,
        "phone" => Kind::Phone,
        "enum" => {
            let options = body.get("options").and_then(Value::as_array).cloned().unwrap_or_default();
            Kind::Enum(options.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => return None,
    };
    Some(Field {
        required: body.get("required").and_then(Value::as_bool).unwrap_or(false),
        max_length: body.get("maxLength").and_then(Value::as_u64).and_then(|length| length.try_into().ok()),
        default: body.get("default").cloned().unwrap_or_default(),
        ..Field::new(name, kind)
    })
}
