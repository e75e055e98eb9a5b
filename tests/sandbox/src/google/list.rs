//! Lists of events: whole, as a delta, and the instances of a series (google-calendar.md, List).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::calendar::{Calendar, Event};
use super::cursor::{Page, Sync, decoded, encoded};
use super::{etag, instance, refuse};
use crate::options::GoogleOptions;
use crate::wire::{Answer, Ask};
use crate::world::World;

/// Items of a page where nothing is asked for.
const PAGE: usize = 250;
/// Instances of a series without an end, where no bound is given.
const INSTANCES: usize = 730;
/// What a delta must not be asked for.
const NOT_IN_A_DELTA: [&str; 8] = [
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
];

type Bound = Option<DateTime<Utc>>;

/// `GET calendars/{id}/events`
pub(super) fn events(world: &World, ask: &Ask, id: &str) -> Result<Answer, Answer> {
    let options = &world.options.google;
    let calendar = world.google.calendar(id)?;
    if flag(ask, "singleEvents") {
        return Err(refuse::invalid("This sandbox plays singleEvents=false only."));
    }
    let now = world.clock.now();
    let since = ask.param("syncToken").map(|token| Sync::read(&token, calendar, options, now)).transpose()?;
    let window = window(options, ask, since.as_ref())?;
    if ask.param("orderBy").as_deref() == Some("startTime") {
        return Err(refuse::invalid("The requested ordering is not available for the particular query."));
    }
    let filter = Filter { ask, calendar, window, updated: bound(ask, "updatedMin")? };
    let mut found: Vec<&Event> = calendar
        .events
        .values()
        .filter(|event| match &since {
            Some(sync) => event.change > sync.change && filter.touches(event),
            None => filter.shows(event),
        })
        .collect();
    if options.reverse_order {
        found.reverse();
    }
    let (items, next, page) = cut(options, ask, calendar, &found, options.empty_page)?;
    let mut answer = head(calendar, &items);
    if let Some(token) = next {
        answer["nextPageToken"] = json!(token);
    } else if !NOT_IN_A_DELTA.iter().any(|name| !name.starts_with("timeM") && ask.param(name).is_some()) {
        let window = since.map_or(window, |sync| (sync.from, sync.to));
        answer["nextSyncToken"] = json!(encoded(&Sync::new(calendar, page.change, now, window)));
    }
    Ok(Answer::json(200, &answer))
}

/// The bounds of a list: the caller's, or of a delta those of the first list where the options say so.
fn window(options: &GoogleOptions, ask: &Ask, since: Option<&Sync>) -> Result<(Bound, Bound), Answer> {
    let Some(since) = since else { return Ok((bound(ask, "timeMin")?, bound(ask, "timeMax")?)) };
    let wrong = NOT_IN_A_DELTA.iter().find(|name| ask.param(name).is_some());
    let hidden = ask.param("showDeleted").as_deref() == Some("false");
    if let Some(name) = wrong.or(hidden.then_some(&"showDeleted")) {
        return Err(refuse::invalid(&format!("Sync token cannot be combined with {name}.")));
    }
    Ok(if options.delta_keeps_window { (since.from, since.to) } else { (None, None) })
}

/// `GET calendars/{id}/events/{series}/instances`
pub(super) fn instances(world: &World, ask: &Ask, id: &str, series: &str) -> Result<Answer, Answer> {
    let options = &world.options.google;
    let calendar = world.google.calendar(id)?;
    let master = calendar.events.get(series).filter(|event| !event.cancelled()).ok_or_else(refuse::not_found)?;
    if !master.is_series() {
        return Err(refuse::invalid("Not a recurring event."));
    }
    let (from, to) = (bound(ask, "timeMin")?, bound(ask, "timeMax")?);
    let zone = calendar.zone();
    let begin = master.span(zone).map_or_else(|| world.clock.now(), |(start, _)| start.instant(zone));
    let open_end = from.unwrap_or(begin).max(begin) + TimeDelta::days(20 * 366);
    let from_when = from.unwrap_or(begin - TimeDelta::days(366));
    let mut all = instance::all(calendar, master, from_when, to.unwrap_or(open_end));
    if !flag(ask, "showDeleted") {
        all.retain(|event| !event.cancelled());
    }
    if to.is_none() {
        all.truncate(INSTANCES);
    }
    all.sort_by(|a, b| a.id().cmp(b.id()));
    let found: Vec<&Event> = all.iter().collect();
    let (items, next, _) = cut(options, ask, calendar, &found, false)?;
    let mut answer = head(calendar, &items);
    if let Some(token) = next {
        answer["nextPageToken"] = json!(token);
    }
    Ok(Answer::json(200, &answer))
}

/// The page that is asked for, the token of the next one, and where this list began.
fn cut(
    options: &GoogleOptions,
    ask: &Ask,
    calendar: &Calendar,
    found: &[&Event],
    begin_empty: bool,
) -> Result<(Vec<Value>, Option<String>, Page), Answer> {
    let size = size(options, ask)?;
    let page: Option<Page> = match ask.param("pageToken") {
        Some(text) => Some(decoded(&text).ok_or_else(|| refuse::invalid("Invalid page token value."))?),
        None => None,
    };
    if begin_empty && page.is_none() {
        let page = Page { change: calendar.changed, after: None };
        return Ok((Vec::new(), Some(encoded(&page)), page));
    }
    let page = page.unwrap_or(Page { change: calendar.changed, after: None });
    let passed = |event: &&&Event| match &page.after {
        Some(after) if options.reverse_order => event.id() < after.as_str(),
        Some(after) => event.id() > after.as_str(),
        None => true,
    };
    let mut rest = found.iter().filter(passed);
    let shown: Vec<&Event> = rest.by_ref().take(size).copied().collect();
    let after = shown.last().map(|event| event.id().to_owned());
    let next = rest.next().map(|_| encoded(&Page { change: page.change, after }));
    Ok((shown.into_iter().map(Event::listed).collect(), next, page))
}

/// At least 1, at most what Google and the options allow.
pub(super) fn size(options: &GoogleOptions, ask: &Ask) -> Result<usize, Answer> {
    let wanted = match ask.param("maxResults").map(|text| text.parse::<usize>()) {
        None => PAGE,
        Some(Ok(wanted)) if wanted > 0 => wanted,
        Some(_) => return Err(refuse::invalid("Invalid integer value for maxResults.")),
    };
    Ok(wanted.min(2500).min(options.page_size.max(1)))
}

fn head(calendar: &Calendar, items: &[Value]) -> Value {
    json!({
        "kind": "calendar#events", "etag": etag(calendar.changed), "summary": calendar.summary(),
        "timeZone": calendar.zone().name(), "accessRole": "owner", "defaultReminders": [], "items": items,
    })
}

fn flag(ask: &Ask, name: &str) -> bool {
    ask.param(name).as_deref() == Some("true")
}

fn bound(ask: &Ask, name: &str) -> Result<Bound, Answer> {
    let Some(text) = ask.param(name) else { return Ok(None) };
    let at = DateTime::parse_from_rfc3339(&text).map_err(|_| refuse::error(400, "badRequest", "Bad Request"))?;
    Ok(Some(at.to_utc()))
}

/// What a whole list leaves out.
struct Filter<'a> {
    ask: &'a Ask,
    calendar: &'a Calendar,
    window: (Bound, Bound),
    updated: Bound,
}

impl Filter<'_> {
    fn shows(&self, event: &Event) -> bool {
        self.is_there(event) && self.touches(event) && self.fits(event)
    }

    /// Deleted events are not there, but cancelled exceptions of a series that lives are.
    fn is_there(&self, event: &Event) -> bool {
        let exception = event.master().is_some() && !event.dropped;
        !event.cancelled() || exception || (flag(self.ask, "showDeleted") && !event.dropped)
    }

    /// Whether it lies in the window; a series does if one of its instances may.
    fn touches(&self, event: &Event) -> bool {
        let (from, to) = self.window;
        if event.is_series() {
            instance::any(self.calendar, event, from, to)
        } else {
            instance::touches(event, self.calendar, from, to)
        }
    }

    fn fits(&self, event: &Event) -> bool {
        let has = |kind: &str, pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let properties = event.fields.get("extendedProperties").and_then(|all| all.get(kind));
            properties.and_then(|all| all.get(key)).and_then(Value::as_str) == Some(value)
        };
        let updated = DateTime::parse_from_rfc3339(event.text("updated")).ok();
        let recent = self.updated.is_none_or(|from| updated.is_some_and(|at| at >= from));
        recent
            && self.ask.params().iter().all(|(name, value)| match name.as_str() {
                "privateExtendedProperty" => has("private", value),
                "sharedExtendedProperty" => has("shared", value),
                "iCalUID" => event.text("iCalUID") == value,
                "q" => {
                    let wanted = value.to_lowercase();
                    ["summary", "description", "location"]
                        .iter()
                        .any(|n| event.text(n).to_lowercase().contains(&wanted))
                }
                _ => true,
            })
    }
}
