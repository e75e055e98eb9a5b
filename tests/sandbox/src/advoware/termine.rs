//! Appointments: listed by Kürzel and dates, addressed by a query parameter (advoware.md, Termine). A series is listed
//! once, if it touches the dates.

use serde_json::Value;

use super::records;
use super::resource::{Address, Resource};
use crate::Fields;
use crate::wire::{Answer, Ask};
use crate::world::World;

pub(super) fn handle(world: &mut World, ask: &Ask, resource: &Resource, rest: &[&str]) -> Answer {
    let Address::Query(parameter) = &resource.address else { return Answer::empty(404) };
    if !rest.is_empty() {
        return Answer::text(404, "Diese Adresse gibt es nicht.");
    }
    // A wrongly cased parameter counts as not given, so a GET becomes a list.
    let number = ask.param(parameter).and_then(|text| text.parse::<i64>().ok());
    match (ask.method.as_str(), number) {
        ("GET", None) => list(world, ask, resource),
        ("POST", _) => records::create(world, ask, resource),
        ("PUT" | "DELETE", None) => Answer::text(400, "Die Terminnummer fehlt."),
        ("PUT" | "DELETE", Some(number)) if number < 0 => Answer::text(403, "Erzeugte Termine sind nicht änderbar."),
        (_, Some(number)) => records::one(world, ask, resource, number),
        _ => Answer::text(405, "Diese Methode wird nicht unterstützt."),
    }
}

/// The end of a series that has none.
const OPEN_END: &str = "9999-12-31";

fn list(world: &World, ask: &Ask, resource: &Resource) -> Answer {
    let options = &world.options.advoware;
    let kuerzel = ask.param("kuerzel");
    let from = ask.param("from").unwrap_or_else(|| "0000-00-00".into());
    let to = ask.param("to").unwrap_or_else(|| "9999-12-31".into());
    let wanted = |record: &Fields| {
        let start = day(record, "datum");
        let open = || if is_series(record) { OPEN_END.to_owned() } else { start.clone() };
        let end = Some(day(record, "datumBis")).filter(|end| !end.is_empty()).unwrap_or_else(open);
        kuerzel.as_deref().is_none_or(|kuerzel| belongs(record, kuerzel)) && start <= to && end >= from
    };
    let found = world.advoware.stores.get(&resource.name).into_iter().flat_map(|store| store.records.values());
    let found: Vec<Value> =
        found.filter(|record| wanted(record)).map(|record| records::shown(options, resource, record)).collect();
    Answer::json(200, &Value::Array(found))
}

/// The day of a date field; what means "no date" is blank.
fn day(record: &Fields, name: &str) -> String {
    let text = record.get(name).and_then(Value::as_str).unwrap_or_default();
    if text.starts_with("0001-01-01") { String::new() } else { text.get(..10).unwrap_or(text).to_owned() }
}

/// `datumBis` of a series is the end of the series, and may be missing.
fn is_series(record: &Fields) -> bool {
    let number = |name| record.get(name).and_then(Value::as_i64).unwrap_or(0);
    number("dauertermin") == 1 && number("turnus") >= 1
}

/// An employee's own entries and those for everybody.
fn belongs(record: &Fields, kuerzel: &str) -> bool {
    let field = |name| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let anwalt = field("anwalt");
    anwalt == kuerzel || field("sb") == kuerzel || matches!(anwalt, "" | "ALLE" | "Allgemein")
}
