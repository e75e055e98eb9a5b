//! The mirror of a Google calendar: what every list call has told so far, by event id.
//!
//! Deleted events leave it. A cancelled exception stays as long as its series does, since Google mentions it only once
//! (contract "Events", Recurrence).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::kept::Kept;
use super::scope::Multiday;
use super::{Record, event};

/// All events of one calendar, by id.
pub type Mirror = BTreeMap<String, Kept>;

/// Takes a list into the mirror: all of the calendar, or what has changed. The answer: which ids changed; those that are
/// not in the mirror afterwards are gone.
pub fn take(mirror: &mut Mirror, listing: Vec<Record>, whole: bool, multiday: Multiday) -> BTreeSet<String> {
    let mut touched = BTreeSet::new();
    if whole {
        touched.extend(std::mem::take(mirror).into_keys());
    }
    // Series first: what becomes of an exception that is told in the same list must not depend on the order.
    let (exceptions, others): (Vec<Record>, Vec<Record>) = listing.into_iter().partition(is_exception);
    for record in others {
        take_event(mirror, &record, multiday, &mut touched);
    }
    for record in exceptions {
        let Some(stub) = event::stub(&record) else { continue };
        let id = stub.id.to_owned();
        touched.insert(id.clone());
        // A cancelled exception without its series says nothing.
        let lonely = stub.instance_of.is_none_or(|(series, _)| !mirror.contains_key(series));
        if stub.cancelled && lonely {
            mirror.remove(&id);
        } else {
            mirror.insert(id, Kept::of(&record, multiday));
        }
    }
    touched
}

/// Takes one event that was read or written by its id.
pub fn take_one(mirror: &mut Mirror, record: Record, multiday: Multiday) -> BTreeSet<String> {
    take(mirror, vec![record], false, multiday)
}

fn is_exception(record: &Record) -> bool {
    record.contains_key("recurringEventId")
}

fn take_event(mirror: &mut Mirror, record: &Record, multiday: Multiday, touched: &mut BTreeSet<String>) {
    let Some(stub) = event::stub(record) else { return };
    let id = stub.id.to_owned();
    touched.insert(id.clone());
    let before = mirror.get(&id);
    // A delta of a deleted exception may hold nothing but its id.
    if stub.cancelled && before.is_some_and(|before| before.instance_of.is_some()) {
        if let Some(kept) = mirror.get_mut(&id) {
            let mut record = kept.record();
            record.insert("status".to_owned(), Value::from("cancelled"));
            *kept = Kept::of(&record, multiday);
        }
        return;
    }
    let fits = !stub.cancelled && before.is_none_or(|before| same_instances(before, record));
    if !fits {
        forget_exceptions(mirror, &id, stub.cancelled, touched);
    }
    if stub.cancelled {
        mirror.remove(&id);
    } else {
        mirror.insert(id, Kept::of(record, multiday));
    }
}

/// Whether the instances of a series begin as before.
fn same_instances(before: &Kept, now: &Record) -> bool {
    let before = before.record();
    ["start", "recurrence"].iter().all(|name| before.get(*name) == now.get(*name))
}

/// Google forgets exceptions that no longer fit, and which ones were cancelled; those that go on it tells again.
fn forget_exceptions(mirror: &mut Mirror, series: &str, all: bool, touched: &mut BTreeSet<String>) {
    mirror.retain(|id, kept| {
        let of_series = kept.instance_of.as_ref().is_some_and(|(of, _)| of == series);
        let forget = of_series && (all || kept.cancelled);
        if forget {
            touched.insert(id.clone());
        }
        !forget
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// These tests have no times that it would matter for.
    const MULTIDAY: Multiday = Multiday::AllDay;

    fn record(value: Value) -> Record {
        let Value::Object(record) = value else { panic!("{value} is no event") };
        record
    }

    fn series(start: &str) -> Record {
        record(
            json!({ "id": "s", "status": "confirmed", "start": { "date": start }, "recurrence": ["RRULE:FREQ=DAILY"] }),
        )
    }

    fn exception(day: &str, status: &str) -> Record {
        let start = json!({ "date": day });
        record(json!({
            "id": format!("s_{}", day.replace('-', "")), "status": status, "recurringEventId": "s",
            "originalStartTime": start, "start": start,
        }))
    }

    fn mirror(records: Vec<Record>) -> Mirror {
        let mut mirror = Mirror::new();
        take(&mut mirror, records, true, MULTIDAY);
        mirror
    }

    #[test]
    fn deleted_events_leave_and_cancelled_exceptions_stay() {
        let mut mirror = mirror(vec![
            exception("2026-03-02", "cancelled"),
            series("2026-03-01"),
            record(json!({ "id": "a", "status": "confirmed" })),
            record(json!({ "id": "b", "status": "cancelled" })),
        ]);
        assert_eq!(mirror.keys().collect::<Vec<_>>(), ["a", "s", "s_20260302"]);
        let touched = take(&mut mirror, vec![record(json!({ "id": "a", "status": "cancelled" }))], false, MULTIDAY);
        assert_eq!((touched, mirror.len()), (BTreeSet::from(["a".to_owned()]), 2));
    }

    #[test]
    fn a_bare_deletion_of_an_exception_keeps_what_it_belongs_to() {
        let mut mirror = mirror(vec![series("2026-03-01"), exception("2026-03-02", "confirmed")]);
        take(&mut mirror, vec![record(json!({ "id": "s_20260302", "status": "cancelled" }))], false, MULTIDAY);
        assert_eq!(mirror["s_20260302"].record()["recurringEventId"], "s");
        assert_eq!(mirror["s_20260302"].record()["status"], "cancelled");
    }

    #[test]
    fn a_series_that_begins_anew_forgets_its_cancelled_instances_and_a_deleted_one_all() {
        let all =
            vec![series("2026-03-01"), exception("2026-03-02", "cancelled"), exception("2026-03-03", "confirmed")];
        let mut moved = mirror(all.clone());
        let touched =
            take(&mut moved, vec![series("2026-03-05"), exception("2026-03-06", "cancelled")], false, MULTIDAY);
        assert_eq!(moved.keys().collect::<Vec<_>>(), ["s", "s_20260303", "s_20260306"]);
        assert!(touched.contains("s_20260302"));
        let mut renamed = mirror(all.clone());
        let mut other = series("2026-03-01");
        other.insert("summary".into(), json!("x"));
        take(&mut renamed, vec![other], false, MULTIDAY);
        assert_eq!(renamed.len(), 3);
        let mut deleted = mirror(all);
        take(&mut deleted, vec![record(json!({ "id": "s", "status": "cancelled" }))], false, MULTIDAY);
        assert!(deleted.is_empty());
    }

    #[test]
    fn an_exception_without_its_series_stays_unless_it_is_cancelled() {
        let invited = exception("2026-03-02", "confirmed");
        let mirror = mirror(vec![invited, exception("2026-03-03", "cancelled")]);
        assert_eq!(mirror.keys().collect::<Vec<_>>(), ["s_20260302"]);
    }

    #[test]
    fn a_whole_list_replaces_everything() {
        let mut mirror = mirror(vec![record(json!({ "id": "a" })), record(json!({ "id": "b" }))]);
        let touched =
            take(&mut mirror, vec![record(json!({ "id": "b" })), record(json!({ "id": "c" }))], true, MULTIDAY);
        assert_eq!(mirror.keys().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(touched.len(), 3);
    }
}
