//! What must hold across the sections of one mapping file.

use super::defaults;
use super::parse::Parts;
use super::reader::{Located, Reader};
use super::{Direction, Field, Source};

/// EspoCRM keeps these itself; writing them would be ignored or worse.
const ESPOCRM_OWN: [&str; 6] = ["id", "deleted", "createdAt", "createdById", "modifiedAt", "modifiedById"];

/// A place that names an attribute.
pub(super) struct Use {
    name: String,
    at: usize,
    key: String,
}

impl Use {
    pub(super) fn of(found: &Located<String>) -> Self {
        Self { name: found.value.clone(), at: found.at, key: found.key.clone() }
    }
}

pub(super) fn across(reader: &mut Reader<'_>, parts: &Parts) {
    entity_name(reader, &parts.name);
    path(reader, &parts.path);
    attribute_form(reader, &Use::of(&parts.entity));
    for used in parts.espocrm_uses.iter().chain(&parts.advoware_uses) {
        attribute_form(reader, used);
    }
    for used in &parts.espocrm_uses {
        if ESPOCRM_OWN.contains(&used.name.as_str()) {
            reader.fault(used.at, &used.key, format!("`{}` belongs to EspoCRM and cannot be synced", used.name));
        }
    }
    used_once(reader, &parts.espocrm_uses);
    used_once(reader, &parts.advoware_uses);
    if parts.fields.is_empty() && reader.faults.is_empty() {
        reader.fault(0, "field", "missing: nothing would be synced");
    }
    for key in &parts.search_keys {
        if let Some(field) = existing_field(reader, &parts.fields, key)
            && field.direction == Direction::ToEspocrm
        {
            let problem = format!("`{}` never flows to Advoware, so a new record cannot be found by it", key.value);
            reader.fault(key.at, &key.key, problem);
        }
    }
    for key in &parts.search_keys {
        let joined = |field: &&Field| field.advoware == key.value && matches!(field.source, Source::Joined(_));
        if parts.fields.iter().any(|field| joined(&field)) {
            let problem =
                format!("`{}` is joined from several attributes, by which EspoCRM cannot be searched", key.value);
            reader.fault(key.at, &key.key, problem);
        }
    }
    for key in &parts.unless_different {
        existing_field(reader, &parts.fields, key);
    }
    for (field, _) in &parts.import.filter {
        attribute_form(reader, &Use::of(field));
    }
    for (field, _) in &parts.defaults {
        attribute_form(reader, &Use::of(field));
    }
    defaults::check(reader, parts);
    parts.import.check(reader, !parts.search_keys.is_empty());
}

fn entity_name(reader: &mut Reader<'_>, name: &Located<String>) {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.value.bytes().all(allowed) {
        let problem = format!("`{}` stands in topics and routes: use only a-z, 0-9 and _", name.value);
        reader.fault(name.at, &name.key, problem);
    }
}

fn path(reader: &mut Reader<'_>, path: &Located<String>) {
    let segment = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    if !path.value.is_empty() && !path.value.split('/').all(segment) {
        let problem =
            format!("`{}` must be a path below Advoware's base, such as api/v1/advonet/Beteiligte", path.value);
        reader.fault(path.at, &path.key, problem);
    }
}

fn attribute_form(reader: &mut Reader<'_>, used: &Use) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !used.name.bytes().all(allowed) {
        reader.fault(used.at, &used.key, format!("`{}` is no attribute name (letters, digits, _)", used.name));
    }
}

fn used_once(reader: &mut Reader<'_>, uses: &[Use]) {
    for (index, used) in uses.iter().enumerate() {
        let first = uses[..index].iter().find(|earlier| earlier.name == used.name && !used.name.is_empty());
        if let Some(first) = first {
            let problem =
                format!("`{}` is used already by `{}` in line {}", used.name, first.key, reader.line(first.at));
            reader.fault(used.at, &used.key, problem);
        }
    }
}

fn existing_field<'f>(reader: &mut Reader<'_>, fields: &'f [Field], name: &Located<String>) -> Option<&'f Field> {
    let field = fields.iter().find(|field| field.advoware == name.value);
    if field.is_none() && !name.value.is_empty() {
        let known: Vec<_> = fields.iter().map(|field| field.advoware.as_str()).collect();
        let problem = format!("`{}` is no field of this mapping; fields: {}", name.value, known.join(", "));
        reader.fault(name.at, &name.key, problem);
    }
    field
}
