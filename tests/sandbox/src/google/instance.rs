//! Instances of a series: `<master>_20260305T130000Z`, or `<master>_20260305` of an all-day series, both by the original
//! start. One that nobody has changed is not stored, and is made up when it is asked for.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::calendar::{Calendar, Event};
use super::series::{Series, read_stamp};
use super::time::Moment;
use crate::options::Offsets;

/// The instance of an id, as its series has it.
pub(super) fn virtual_one(calendar: &Calendar, id: &str) -> Option<Event> {
    let (master, stamp) = id.rsplit_once('_')?;
    let master = calendar.events.get(master).filter(|master| !master.cancelled())?;
    let series = Series::of(&master.fields, calendar.zone())?;
    let at = read_stamp(stamp)?;
    if !series.has(at) {
        return None;
    }
    let wall = match (at, series.start()) {
        (Moment::Time(at), Moment::Time(start)) => at.with_timezone(&start.timezone()).naive_local(),
        _ => at.wall(),
    };
    made_up(calendar, master, series.moment(wall))
}

/// The instance of a series that begins at a moment.
fn made_up(calendar: &Calendar, master: &Event, original: Moment) -> Option<Event> {
    let zone = calendar.zone();
    let (start, end) = master.span(zone)?;
    let end = end.at(original.wall() + (end.wall() - start.wall()));
    let shown = |moment: Moment| moment.shown(zone, Offsets::OfZone, true);
    let mut fields = master.fields.clone();
    fields.shift_remove("recurrence");
    let etag = format!("\"{}{}\"", master.text("etag").trim_matches('"'), original.stamp());
    fields.insert("id".into(), json!(instance_id(master.id(), original)));
    fields.insert("etag".into(), json!(etag));
    fields.insert("recurringEventId".into(), json!(master.id()));
    fields.insert("originalStartTime".into(), shown(original));
    fields.insert("start".into(), shown(original));
    fields.insert("end".into(), shown(end));
    Some(Event { fields, change: master.change, dropped: false })
}

fn instance_id(master: &str, original: Moment) -> String {
    format!("{master}_{}", original.stamp())
}

/// Whether an exception still has a place in its series.
pub(super) fn fits(exception: &Event, series: &Series, calendar: &Calendar) -> bool {
    let original = Moment::read(exception.fields.get("originalStartTime"), calendar.zone());
    original.is_ok_and(|original| series.has(original) && exception.id().ends_with(&format!("_{}", original.stamp())))
}

/// All instances of a series that touch a span of time, by original start, exceptions in their place.
pub(crate) fn all(calendar: &Calendar, master: &Event, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Event> {
    let zone = calendar.zone();
    let Some(series) = Series::of(&master.fields, zone) else { return Vec::new() };
    let exceptions: BTreeMap<&str, &Event> =
        calendar.exceptions(master.id()).filter(|event| !event.dropped).map(|event| (event.id(), event)).collect();
    // Wide enough for every zone; what is beyond the span goes below.
    let walls = series.starts_before(to.naive_utc() + TimeDelta::days(2));
    let mut found: Vec<Event> = Vec::new();
    let mut begun: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
    for wall in walls {
        let original = series.moment(wall);
        let id = instance_id(master.id(), original);
        begun.insert(id.clone());
        found.extend(
            exceptions.get(id.as_str()).map(|&event| event.clone()).or_else(|| made_up(calendar, master, original)),
        );
    }
    // An instance that was moved here from beyond the span.
    found.extend(exceptions.values().filter(|event| !begun.contains(event.id())).map(|&event| event.clone()));
    found.retain(|event| touches(event, calendar, Some(from), Some(to)));
    found
}

/// Whether an instance of a series touches a span, cancelled ones included. Cheap also where the series is long: a list
/// asks it of every series.
pub(super) fn any(calendar: &Calendar, master: &Event, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> bool {
    let zone = calendar.zone();
    let (Some(series), Some((start, end))) = (Series::of(&master.fields, zone), master.span(zone)) else { return true };
    let length = end.wall() - start.wall();
    let touched = |wall| {
        let begin = series.moment(wall).instant(zone);
        let end = series.moment(wall + length).instant(zone);
        from.is_none_or(|from| end > from) && to.is_none_or(|to| begin < to)
    };
    // A day early, so that no zone's offset hides one that still runs at the span's begin.
    let early = from.map(|from| from.naive_utc() - length - TimeDelta::days(1));
    let late = to.map(|to| to.naive_utc() + TimeDelta::days(1));
    series.any(early, late, touched)
        || calendar.exceptions(master.id()).any(|event| !event.dropped && touches(event, calendar, from, to))
}

/// Whether an event overlaps a span; bounds are exclusive, as timeMin and timeMax are.
pub(crate) fn touches(
    event: &Event,
    calendar: &Calendar,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
) -> bool {
    let zone = calendar.zone();
    let Some((start, end)) = event.span(zone) else { return true };
    let (start, end) = (start.instant(zone), end.instant(zone));
    from.is_none_or(|from| end > from || (start == end && start >= from)) && to.is_none_or(|to| start < to)
}
