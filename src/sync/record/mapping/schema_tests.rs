//! The JSON Schema for editors says what the reader says.

use serde_json::{Map, Value, json};

use super::keys;
use super::parse::{DIRECTIONS, ON_DELETE, parse};
use crate::sync::record::convert::Conversion;

const SCHEMA: &str = include_str!("../../../../mappings/mapping.schema.json");
const SHIPPED: [&str; 2] =
    [include_str!("../../../../mappings/beteiligte.toml"), include_str!("../../../../mappings/beispiele/akten.toml")];

/// Every key that there is.
const FULL: &str = r#"
    name = "akten"
    on_delete = "keep"
    import = true
    [espocrm]
    entity = "CAkten"
    link = "a1"
    row_id = "a2"
    status = "a3"
    last_sync = "a4"
    error = "a5"
    retries = "a6"
    [advoware]
    path = "api/Akten"
    id = "nr"
    version = "rowId"
    modified = "am"
    [person]
    espocrm = { first = "e1", last = "e2", company = "e3" }
    advoware = { first = "b1", name = "b2" }
    [[field]]
    espocrm = "e4"
    advoware = "b4"
    label = "Vier"
    convert = "enum"
    values = { eins = 1, zwei = "2" }
    direction = "both"
    required = true
    read_only = false
    [[field]]
    espocrm = ["e5", "e6"]
    separator = ", "
    advoware = "b5"
    [create]
    advoware = { art = 1, ort = "Berlin", neu = true }
    [search]
    keys = { b2 = "name" }
    unless_different = ["b4"]
    [import_filter]
    art = ["A", ""]
    ort = "Berlin"
    [sweep]
    recheck_hours = 1
    looks_per_hour = 0
    list = false
    page = 100
    trial_hours = 1
    trials = 0
"#;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

/// The part of JSON Schema that the file uses; another keyword is refused, so that none is overlooked. Patterns are left
/// to editors: they only say sooner what the reader says.
fn fits(schema: &Value, node: &Value, value: &Value) -> Result<(), String> {
    let node = match node {
        Value::Bool(true) => return Ok(()),
        Value::Bool(false) => return Err(format!("{value} may not be here")),
        node => node.as_object().expect("a schema is an object"),
    };
    let one = |node: &Value| fits(schema, node, value);
    for (keyword, rule) in node {
        let good = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "pattern" | "then" | "else" => true,
            "$ref" => {
                let pointer = rule.as_str().expect("a reference").trim_start_matches('#');
                one(schema.pointer(pointer).expect("a definition")).map(|()| true)?
            }
            "type" => match rule.as_str().expect("a type") {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "integer" => value.is_i64() || value.is_u64(),
                "boolean" => value.is_boolean(),
                other => panic!("type {other}"),
            },
            "properties" => {
                for (name, node) in rule.as_object().expect("properties") {
                    value.get(name).map_or(Ok(()), |value| fits(schema, node, value))?;
                }
                true
            }
            "additionalProperties" => {
                let known = node.get("properties").and_then(Value::as_object);
                let further = value.as_object().into_iter().flatten();
                for (_, value) in further.filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name))) {
                    fits(schema, rule, value)?;
                }
                true
            }
            "items" => {
                value.as_array().into_iter().flatten().try_for_each(|item| fits(schema, rule, item)).map(|()| true)?
            }
            "required" => {
                let names = rule.as_array().expect("names");
                names.iter().all(|name| !value.is_object() || value.get(name.as_str().expect("a name")).is_some())
            }
            "enum" => rule.as_array().expect("values").contains(value),
            "const" => value == rule,
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= limit(rule)),
            "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= limit(rule)),
            "minProperties" => value.as_object().is_none_or(|all| all.len() as u64 >= limit(rule)),
            "minimum" => value.as_i64().is_none_or(|number| Some(number) >= rule.as_i64()),
            "maximum" => value.as_i64().is_none_or(|number| Some(number) <= rule.as_i64()),
            "allOf" => rule.as_array().expect("schemas").iter().try_for_each(one).map(|()| true)?,
            "anyOf" => rule.as_array().expect("schemas").iter().any(|node| one(node).is_ok()),
            "if" => {
                let branch = if one(rule).is_ok() { "then" } else { "else" };
                node.get(branch).map_or(Ok(()), one).map(|()| true)?
            }
            other => panic!("keyword {other}"),
        };
        if !good {
            return Err(format!("{value}: {keyword} {rule}"));
        }
    }
    Ok(())
}

fn limit(rule: &Value) -> u64 {
    rule.as_u64().expect("a limit")
}

fn document(source: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(source).expect("TOML")).expect("JSON")
}

fn accepted(schema: &Value, document: &Value) -> Result<(), String> {
    fits(schema, schema, document)
}

#[test]
fn the_schema_and_the_reader_know_the_same_keys_words_and_bounds() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("definitions");
    assert_eq!(definitions.len(), keys::ALL.len() - 1, "a definition without a table of keys, or the other way");
    let full = document(FULL);
    for table in keys::ALL {
        let node = if table.definition.is_empty() { &schema } else { &schema["$defs"][table.definition] };
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let described = node["properties"].as_object().expect(table.definition);
        let known = table.keys.iter().map(|&key| key.to_owned()).collect();
        assert_eq!(sorted(described.keys().cloned().collect()), sorted(known), "{}", table.definition);
        assert!(
            described.values().all(|it| it.get("description").is_some() || it.get("$ref").is_some()),
            "{described:?}"
        );
        // The tests below change every key of this document, so it must have all of them.
        let path = format!("/{}", table.definition.replacen('_', "/", 1));
        let place = if table.definition.is_empty() { "" } else { &path };
        let tables = full.pointer(place).expect(place);
        // No field can have all keys: a list of attributes and an enum exclude each other.
        let tables = tables.as_array().map_or_else(|| vec![tables], |all| all.iter().collect());
        let written = |key: &&&str| tables.iter().any(|table| table.get(**key).is_some());
        assert_eq!(table.keys.iter().filter(written).count(), table.keys.len(), "{}", table.definition);
    }
    let words = |path: &str| schema.pointer(path).expect(path).clone();
    assert_eq!(words("/$defs/field/properties/convert/enum"), json!(Conversion::NAMES));
    assert_eq!(words("/$defs/field/properties/direction/enum"), json!(DIRECTIONS.map(|(name, _)| name)));
    assert_eq!(words("/properties/on_delete/enum"), json!(ON_DELETE.map(|(name, _)| name)));
    // What the schema calls the default is what a file gets that says nothing.
    let bare = parse("x.toml", &FULL[..FULL.find("[sweep]").expect("a table")]).expect("valid").0.sweep;
    for (name, value) in [
        ("recheck_hours", json!(bare.recheck_hours)),
        ("looks_per_hour", json!(bare.looks_per_hour)),
        ("list", json!(bare.list)),
        ("page", json!(bare.page)),
        ("trial_hours", json!(bare.trial_hours)),
        ("trials", json!(bare.trials)),
    ] {
        assert_eq!(words(&format!("/$defs/sweep/properties/{name}/default")), value, "{name}");
    }
}

#[test]
fn the_shipped_files_follow_the_schema_and_name_it() {
    for source in SHIPPED.iter().chain([&FULL]) {
        accepted(&schema(), &document(source)).expect("the schema takes it");
        parse("x.toml", source).expect("the reader takes it");
    }
    for (source, line) in SHIPPED.iter().zip(["#:schema ./mapping.schema.json", "#:schema ../mapping.schema.json"]) {
        assert_eq!(source.lines().next(), Some(line), "taplo reads it from the first line");
    }
}

/// All documents that differ from this one in one place: a key taken away or added, a value of another type or beyond
/// every bound.
fn changed(value: &Value) -> Vec<Value> {
    let mut all =
        vec![json!(5), json!(-1), json!(99_999_999), json!("zz"), json!(""), json!(true), json!([]), json!({})];
    all.retain(|other| other != value);
    match value {
        Value::Object(table) => {
            let with = |key: &str, value: Option<Value>| {
                let mut table: Map<String, Value> = table.clone();
                match value {
                    Some(value) => drop(table.insert(key.to_owned(), value)),
                    None => drop(table.remove(key)),
                }
                Value::Object(table)
            };
            all.push(with("unknown", Some(json!("zz"))));
            for (key, value) in table {
                all.push(with(key, None));
                all.extend(changed(value).into_iter().map(|value| with(key, Some(value))));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for other in changed(item) {
                    let mut items = items.clone();
                    items[index] = other;
                    all.push(Value::Array(items));
                }
            }
        }
        _ => {}
    }
    all
}

#[test]
fn whatever_is_changed_the_schema_and_the_reader_agree_on_keys_types_and_bounds() {
    let schema = schema();
    // What the schema can say; names that refer to each other, doubles and blanks are the reader's alone.
    let structural = [
        "missing (",
        "unknown key",
        "must be a",
        "is not within",
        "is empty",
        "an empty list",
        "names no",
        "a list needs",
        "must not be empty",
    ];
    let is_structural =
        |problem: &str| structural.iter().any(|it| problem.contains(it)) || problem.contains("is none of:");
    let (mut tried, mut refused) = (0, 0);
    for document in changed(&document(FULL)).into_iter().filter(Value::is_object) {
        let Ok(source) = toml::to_string(&document) else { continue };
        tried += 1;
        let (ours, theirs) = (parse("x.toml", &source).err(), accepted(&schema, &document));
        refused += usize::from(theirs.is_err());
        if let Err(why) = &theirs {
            assert!(ours.is_some(), "only the schema refuses this, {why}:\n{source}");
        }
        let faults = ours.unwrap_or_default();
        if let Some(fault) = faults.iter().find(|fault| is_structural(&fault.problem)) {
            assert!(theirs.is_err(), "only the reader refuses this, {fault}:\n{source}");
        }
    }
    assert!(tried > 400 && refused > 250, "{refused} of {tried}");
}
