//! Google Calendar v3 (contract: google-calendar.md).
//!
//! `token` signs in with the service account of `key`; `limit` counts requests; `calendars` answers for calendars and
//! their ACLs, `list` and `cursor` for lists of events, `write` for single ones, on a `calendar`. `body` checks and
//! rewrites what is written, with `time`, `rules` and `html`; `series` and `instance` are recurrence; `push` notifies.

pub(crate) mod body;
pub(crate) mod calendar;
pub(crate) mod calendars;
mod cursor;
mod html;
pub(crate) mod instance;
pub(crate) mod key;
mod limit;
mod list;
pub(crate) mod push;
pub(crate) mod refuse;
mod rules;
pub(crate) mod series;
pub(crate) mod time;
pub(crate) mod token;
pub(crate) mod write;

use serde_json::Value;

use self::calendar::Calendar;
use self::key::KeyFile;
use self::limit::Limiter;
use self::push::Channel;
use self::token::Tokens;
use self::write::Author;
use crate::Fields;
use crate::options::GoogleOptions;
use crate::wire::{Answer, Ask};
use crate::world::World;

/// The path of the API at the sandbox's port.
pub(crate) const API: &str = "/google/calendar/v3";

/// Google's memory.
#[derive(Debug)]
pub(crate) struct Google {
    pub(crate) tokens: Tokens,
    pub(crate) calendars: Vec<Calendar>,
    pub(crate) channels: Vec<Channel>,
    /// Addresses that got an e-mail: a calendar that was shared, an invitation.
    pub(crate) mails: Vec<String>,
    pub(crate) key_file: KeyFile,
    limiter: Limiter,
    /// Counts every change; etags and sync tokens are made of it.
    changes: u64,
    new_calendars: usize,
    acl_inserts: usize,
}

impl Google {
    pub(crate) fn new(options: &GoogleOptions) -> std::io::Result<Self> {
        Ok(Self {
            tokens: Tokens::default(),
            calendars: Vec::new(),
            channels: Vec::new(),
            mails: Vec::new(),
            key_file: KeyFile::at(options.key_file.as_deref())?,
            limiter: Limiter::default(),
            changes: 0,
            new_calendars: 0,
            acl_inserts: 0,
        })
    }

    /// Lets every sync token end.
    pub(crate) fn expire_sync_tokens(&mut self) {
        self.changes += 1;
        let epoch = self.changes;
        self.calendars.iter_mut().for_each(|calendar| calendar.epoch = epoch);
    }

    /// The first calendar with this id or title.
    pub(crate) fn named(&self, name: &str) -> Option<&Calendar> {
        let by_id = self.calendars.iter().find(|calendar| calendar.id == name);
        by_id.or_else(|| self.calendars.iter().find(|calendar| calendar.summary() == name))
    }

    fn calendar(&self, id: &str) -> Result<&Calendar, Answer> {
        self.calendars.iter().find(|calendar| calendar.id == id).ok_or_else(refuse::not_found)
    }

    fn calendar_mut(&mut self, id: &str) -> Result<&mut Calendar, Answer> {
        self.calendars.iter_mut().find(|calendar| calendar.id == id).ok_or_else(refuse::not_found)
    }

    fn next_change(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }
}

/// The etag of a change.
fn etag(change: u64) -> String {
    format!("\"{}\"", 3_500_000_000_000_000 + change * 1000)
}

/// Answers a request to the API.
pub(crate) fn handle(world: &mut World, ask: &Ask) -> Answer {
    let now = world.clock.now();
    let bearer = ask.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let Some(user) = bearer.and_then(|token| world.google.tokens.actor(token, now)) else {
        return refuse::bad_credentials();
    };
    let options = &world.options.google;
    if let Err(refused) = world.google.limiter.admit(options, &user, &ask.method, now) {
        return refused;
    }
    if ask.method != "GET" && options.calendar_budget.is_some_and(|most| world.google.new_calendars > most) {
        return refuse::quota_exceeded();
    }
    let author = Author::program(&user, ask);
    answer(world, ask, &author).unwrap_or_else(|refused| refused)
}

fn answer(world: &mut World, ask: &Ask, author: &Author) -> Result<Answer, Answer> {
    let segments = ask.segments_after(API).unwrap_or_default();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (ask.method.as_str(), segments.as_slice()) {
        ("GET", ["users", "me", "calendarList"]) => calendars::listed(world, ask),
        ("POST", ["calendars"]) => {
            calendars::create(world, author, &object(ask)?).map(|made| Answer::record(200, made))
        }
        ("GET", ["calendars", id]) => Ok(Answer::record(200, world.google.calendar(id)?.fields.clone())),
        ("DELETE", ["calendars", id]) => calendars::delete(world, author, id).map(|()| Answer::empty(204)),
        ("GET", ["calendars", id, "acl"]) => calendars::acl(world, id),
        ("POST", ["calendars", id, "acl"]) => {
            let mail = ask.param("sendNotifications").as_deref() != Some("false");
            calendars::share(world, author, id, &object(ask)?, mail).map(|rule| Answer::record(200, rule))
        }
        ("GET", ["calendars", id, "events"]) => list::events(world, ask, id),
        ("POST", ["calendars", id, "events"]) => {
            write::insert(world, author, id, &object(ask)?).map(|event| written(200, event))
        }
        ("POST", ["calendars", id, "events", "watch"]) => push::watch(world, author, id, &object(ask)?),
        ("GET", ["calendars", id, "events", event, "instances"]) => list::instances(world, ask, id, event),
        ("GET", ["calendars", id, "events", event]) => {
            let found = world.google.calendar(id)?.found(event).ok_or_else(refuse::not_found)?;
            Ok(written(200, found.fields))
        }
        ("PUT", ["calendars", id, "events", event]) => {
            write::replace(world, author, id, event, &object(ask)?).map(|event| written(200, event))
        }
        ("PATCH", ["calendars", id, "events", event]) => {
            write::patch(world, author, id, event, &object(ask)?).map(|event| written(200, event))
        }
        ("DELETE", ["calendars", id, "events", event]) => {
            write::remove(world, author, id, event).map(|()| Answer::empty(204))
        }
        ("POST", ["channels", "stop"]) => push::stop(world, author, &object(ask)?),
        (_, ["users", "me", "calendarList"] | ["channels", "stop"] | ["calendars", ..]) => Err(refuse::no_method()),
        _ => Err(refuse::not_found()),
    }
}

/// An event with its etag as a header, too.
fn written(status: u16, event: Fields) -> Answer {
    let etag = event.get("etag").and_then(Value::as_str).unwrap_or_default().to_owned();
    Answer::record(status, event).with("ETag", &etag)
}

fn object(ask: &Ask) -> Result<Fields, Answer> {
    match ask.json() {
        Some(Value::Object(body)) => Ok(body),
        _ => Err(refuse::error(400, "parseError", "Parse Error")),
    }
}
