//! Lists: paging, order, selection (espocrm.md, Lists).

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::{brackets, filter, refuse};
use crate::Fields;
use crate::wire::{Answer, Ask};

/// The most that one page holds, and what it holds when nothing is asked for.
const MAX_SIZE: u64 = 200;

/// Filters, orders and cuts the rows as the request asks for.
pub(crate) fn answer(ask: &Ask, mut rows: Vec<Fields>, known: &dyn Fn(&str) -> bool) -> Result<Answer, Answer> {
    let search = asked(ask)?;
    let max_size = number(&search, "maxSize").unwrap_or(MAX_SIZE);
    if max_size > MAX_SIZE {
        return Err(refuse::reason(403, "Max size should not exceed 200. Use offset and limit."));
    }
    // A `where` that is no array, such as JSON in the query, is ignored silently: everything comes back.
    let items = search.get("where").and_then(Value::as_array).cloned().unwrap_or_default();
    filter::check(&items, known)?;
    rows.retain(|row| items.iter().all(|item| filter::fits(item, row)));
    order(&search, &mut rows, known)?;

    let total = if ask.header("x-no-total") == Some("true") { json!(-1) } else { json!(rows.len()) };
    let offset = usize::try_from(number(&search, "offset").unwrap_or(0)).unwrap_or(usize::MAX);
    let page = rows.into_iter().skip(offset).take(usize::try_from(max_size).unwrap_or(usize::MAX));
    let list: Vec<Value> = match selected(&search) {
        Some(names) => page.map(|row| Value::Object(cut(row, &names))).collect(),
        None => page.map(Value::Object).collect(),
    };
    Ok(Answer::json(200, &json!({"total": total, "list": list})))
}

/// `searchParams` where it is given, else the parameters themselves.
fn asked(ask: &Ask) -> Result<Map<String, Value>, Answer> {
    match ask.param("searchParams") {
        Some(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(search)) => Ok(search),
            _ => Err(refuse::reason(400, "Bad searchParams.")),
        },
        None => Ok(brackets::nested(&ask.params())),
    }
}

fn number(search: &Map<String, Value>, name: &str) -> Option<u64> {
    let value = search.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Rows come in the order of creation; without a wish the newest is first.
fn order(search: &Map<String, Value>, rows: &mut [Fields], known: &dyn Fn(&str) -> bool) -> Result<(), Answer> {
    let Some(by) = search.get("orderBy").and_then(Value::as_str) else {
        rows.reverse();
        return Ok(());
    };
    if !known(by) {
        return Err(refuse::reason(400, "Bad orderBy."));
    }
    rows.sort_by(|a, b| match (a.get(by), b.get(by)) {
        (Some(a), Some(b)) => filter::compare(a, b).unwrap_or_else(|| b.is_null().cmp(&a.is_null())),
        _ => Ordering::Equal,
    });
    if search.get("order").and_then(Value::as_str).is_some_and(|order| order.eq_ignore_ascii_case("desc")) {
        rows.reverse();
    }
    Ok(())
}

fn selected(search: &Map<String, Value>) -> Option<Vec<String>> {
    match search.get("select")? {
        Value::String(names) if !names.is_empty() => Some(names.split(',').map(str::to_owned).collect()),
        Value::Array(names) => Some(names.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

fn cut(row: Fields, names: &[String]) -> Fields {
    row.into_iter().filter(|(name, _)| name == "id" || names.contains(name)).collect()
}
