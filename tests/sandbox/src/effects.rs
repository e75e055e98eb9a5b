//! The log that checkers trust: every write that took effect and every request that was seen.
//!
//! Effects are never dropped, since a test counts them; calls are a ring of the latest [`CALLS_KEPT`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Fields;
use crate::wire::Ask;

/// Calls that are kept one by one; the counts go on beyond it.
const CALLS_KEPT: usize = 100_000;
/// Bytes of a request's body that a call keeps.
const BODY_KEPT: usize = 64 * 1024;

/// Who was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// Advoware's REST API.
    Advoware,
    /// Advoware's discovery and token service.
    AdvowareSignIn,
    /// `EspoCRM`'s REST API.
    #[serde(rename = "espocrm")]
    EspoCrm,
    /// `EspoCRM`'s webhook sender; here the product is the one who is asked.
    Webhooks,
    /// Google Calendar's API.
    Google,
    /// Google's token service.
    GoogleSignIn,
    /// Google's push notifications; here, too, the product is asked.
    GooglePush,
}

impl System {
    /// The system behind a path of the sandbox's port.
    pub(crate) fn of(path: &str) -> Option<Self> {
        [
            ("/advoware/", Self::Advoware),
            ("/espocrm/", Self::EspoCrm),
            ("/security/", Self::AdvowareSignIn),
            ("/AdvonetConfigurator/", Self::AdvowareSignIn),
            ("/google/calendar/", Self::Google),
            ("/google/oauth/", Self::GoogleSignIn),
        ]
        .into_iter()
        .find(|(prefix, _)| path.starts_with(prefix))
        .map(|(_, system)| system)
    }
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A record came into being.
    Create,
    /// A record was written, also where no field changed.
    Update,
    /// A record was removed.
    Delete,
}

/// A write that took effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Counts up from 1 over all systems.
    pub number: u64,
    /// When, by the sandbox's clock, UTC.
    pub at: DateTime<Utc>,
    /// Where.
    pub system: System,
    /// What.
    pub change: Change,
    /// Entity or resource, such as `CBeteiligte`; at Google `calendars`, `acl`, `events` or `channels`.
    pub entity: String,
    /// The record's id or number; at Google `<calendar>/<event>` and `<calendar>/<rule>`.
    pub key: String,
    /// The user name of who wrote; `lawyer` for a person at Advoware. At Google the service account's address or the user
    /// it acted as; `employee` for a person.
    pub by: String,
    /// What was sent.
    pub body: Fields,
    /// The fields whose value changed, with the new value; an update leaves out rowId, modifiedAt and modifiedById, a
    /// create names everything that is set.
    pub changed: Fields,
}

/// A request that was seen, whether or not it took effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Counts up from 1 since the start.
    pub number: u64,
    /// When it arrived, by the sandbox's clock, UTC.
    pub at: DateTime<Utc>,
    /// Who was asked.
    pub system: System,
    /// The method, upper case.
    pub method: String,
    /// The whole path at the sandbox's port.
    pub path: String,
    /// The raw query.
    pub query: String,
    /// The body as text, at most 64 KiB of it; token requests are left out.
    pub body: String,
    /// What was answered; `None` while it runs and where the connection was cut.
    pub status: Option<u16>,
    /// How long the answer took to make, ms; faults and gates that held it included.
    #[serde(default)]
    pub took_ms: Option<f64>,
    /// Whether a scripted fault touched it.
    pub faulted: bool,
    /// The number of the last effect that it saw, its own included: what it read is not older, what it wrote went over all
    /// others. `None` where it never got so far.
    #[serde(default)]
    pub saw: Option<u64>,
}

/// How often a system was asked since the last reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All requests.
    pub calls: u64,
    /// GET and HEAD.
    pub reads: u64,
    /// Every other method.
    pub writes: u64,
}

/// Effects, calls and counts.
#[derive(Debug, Default)]
pub(crate) struct Log {
    effects: Vec<Effect>,
    calls: VecDeque<Call>,
    last_call: u64,
    counts: BTreeMap<System, Counts>,
    /// Requests that are not answered yet.
    arrivals: VecDeque<(u64, Instant)>,
}

/// An effect before the log numbers it.
pub(crate) struct Draft<'a> {
    pub(crate) system: System,
    pub(crate) change: Change,
    pub(crate) entity: &'a str,
    pub(crate) key: String,
    pub(crate) by: &'a str,
    pub(crate) body: Fields,
    pub(crate) changed: Fields,
}

impl Log {
    pub(crate) fn effect(&mut self, at: DateTime<Utc>, draft: Draft<'_>) {
        let number = self.effects.len() as u64 + 1;
        let Draft { system, change, entity, key, by, body, changed } = draft;
        let (entity, by) = (entity.to_owned(), by.to_owned());
        self.effects.push(Effect { number, at, system, change, entity, key, by, body, changed });
    }

    /// Notes a request on arrival; its number goes to [`Log::answered`].
    pub(crate) fn arrived(&mut self, at: DateTime<Utc>, system: System, ask: &Ask) -> u64 {
        self.last_call += 1;
        let counts = self.counts.entry(system).or_default();
        counts.calls += 1;
        if matches!(ask.method.as_str(), "GET" | "HEAD") {
            counts.reads += 1;
        } else {
            counts.writes += 1;
        }
        if self.calls.len() == CALLS_KEPT {
            self.calls.pop_front();
        }
        let secret = matches!(system, System::AdvowareSignIn | System::GoogleSignIn);
        let body = if secret { &[][..] } else { &ask.body[..ask.body.len().min(BODY_KEPT)] };
        self.calls.push_back(Call {
            number: self.last_call,
            at,
            system,
            method: ask.method.clone(),
            path: ask.path.clone(),
            query: ask.query.clone(),
            body: String::from_utf8_lossy(body).into_owned(),
            status: None,
            took_ms: None,
            faulted: false,
            saw: None,
        });
        self.arrivals.push_back((self.last_call, Instant::now()));
        if self.arrivals.len() > CALLS_KEPT {
            self.arrivals.pop_front();
        }
        self.last_call
    }

    /// Notes that a request has been handled, under the lock under which it was.
    pub(crate) fn handled(&mut self, number: u64) {
        let saw = self.effects.len() as u64;
        if let Some(call) = self.calls.iter_mut().rev().find(|call| call.number == number) {
            call.saw = Some(saw);
        }
    }

    pub(crate) fn answered(&mut self, number: u64, status: Option<u16>, faulted: bool) {
        let arrived =
            self.arrivals.iter().position(|(call, _)| *call == number).and_then(|at| self.arrivals.remove(at));
        if let Some(call) = self.calls.iter_mut().rev().find(|call| call.number == number) {
            call.took_ms = arrived.map(|(_, at)| at.elapsed().as_secs_f64() * 1000.0);
            call.status = status;
            call.faulted = faulted;
        }
    }

    pub(crate) fn effects_since(&self, number: u64) -> Vec<Effect> {
        self.effects.iter().filter(|effect| effect.number > number).cloned().collect()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.iter().cloned().collect()
    }

    pub(crate) fn counts(&self) -> BTreeMap<System, Counts> {
        self.counts.clone()
    }

    /// Forgets calls and counts; effects stay.
    pub(crate) fn reset(&mut self) {
        self.calls.clear();
        self.counts.clear();
    }
}
