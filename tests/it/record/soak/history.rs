//! What the sandbox has logged, as the values that each field had at either side, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Call, Change, Effect, Fields, System};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value;

use crate::support::world::US;

/// How soon after an effect a process must have died for the effect not to have been written down.
const REACH: TimeDelta = TimeDelta::milliseconds(1_500);
/// A caller may have given up by then: half of its time, for on a busy machine the rest goes by elsewhere.
const TIMED_OUT_MS: f64 = 500.0;

/// One of the two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// `EspoCRM`.
    Crm,
    /// Advoware.
    Advoware,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Crm => Self::Advoware,
            Self::Advoware => Self::Crm,
        }
    }
}

/// A field of both systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// Advoware's name.
    pub advoware: &'static str,
    /// `EspoCRM`'s, but for names.
    pub crm: &'static str,
    /// What a note calls it.
    pub label: &'static str,
}

const fn field(advoware: &'static str, crm: &'static str, label: &'static str) -> Field {
    Field { advoware, crm, label }
}

/// A person's first name; a company has none.
pub const FIRST: Field = field("vorname", "firstName", "Vorname");
/// A person's last name, or a company's.
pub const NAME: Field = field("name", "lastName", "Name");
/// A date.
pub const BIRTH: Field = field("geburtsdatum", "dateOfBirth", "Geburtsdatum");
/// All others.
pub const PLAIN: [Field; 6] = [
    BIRTH,
    field("anrede", "anrede", "Anrede"),
    field("rechtsform", "rechtsform", "Rechtsform"),
    field("handelsRegisterNummer", "handelsregisterNummer", "Handelsregisternummer"),
    field("emailGesch", "emailAddress", "E-Mail"),
    field("telGesch", "phoneNumber", "Telefon"),
];

/// All fields that are synced.
pub fn fields() -> impl Iterator<Item = Field> {
    [FIRST, NAME].into_iter().chain(PLAIN)
}

impl Field {
    /// Its value in a record as the other system would say it; blank is empty.
    pub fn read(self, side: Side, record: &Fields) -> String {
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let filled = |names: [&str; 2]| names.map(text).into_iter().find(|it| !it.is_empty()).unwrap_or_default();
        match side {
            Side::Advoware if self == BIRTH => text(self.advoware).chars().take(10).collect(),
            Side::Advoware => text(self.advoware),
            Side::Crm if self == NAME && text(FIRST.crm).is_empty() => filled(["firmenname", NAME.crm]),
            Side::Crm if self == NAME => filled([NAME.crm, "firmenname"]),
            Side::Crm => text(self.crm),
        }
    }

    /// A value as a note shows it.
    pub fn shown(self, value: &str) -> String {
        let day = || value.parse::<NaiveDate>().map_or(value.to_owned(), |day| day.format("%d.%m.%Y").to_string());
        match value {
            "" => "leer".to_owned(),
            _ if self == BIRTH => format!("„{}“", day()),
            _ => format!("„{value}“"),
        }
    }

    /// Whether it belongs to the names, which go over together where one side turns a person into a company.
    pub fn is_name(self) -> bool {
        self == FIRST || self == NAME
    }
}

/// A value that a field got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The number of the effect.
    pub number: u64,
    /// Whether the program wrote it, and not a person.
    pub ours: bool,
    /// The value; blank is empty.
    pub value: String,
}

/// The values of a field at one side, oldest first.
pub type Line = Vec<Step>;

/// A side of a record or party: which, and its id or number.
pub type Place = (Side, String);

/// All that is known from outside of the program.
#[derive(Debug, Default, Clone)]
pub struct Log {
    /// Every write that took effect.
    pub effects: Vec<Effect>,
    /// Every request.
    pub calls: Vec<Call>,
    /// From when to when a process was killed or stood still.
    pub blows: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// The same, sorted.
pub struct History<'a> {
    log: &'a Log,
    lines: BTreeMap<(Place, Field), Line>,
    /// Which parties a record had, by what the program wrote to the record.
    pub links: BTreeSet<(String, String)>,
    /// Records that a person has deleted.
    pub deleted: BTreeSet<String>,
    /// The last call of each that has written, by the number of its effect.
    writes: BTreeMap<u64, &'a Call>,
    reads: BTreeMap<Place, Vec<&'a Call>>,
}

impl<'a> History<'a> {
    /// Sorts a log.
    pub fn of(log: &'a Log) -> Self {
        let mut history = Self {
            log,
            lines: BTreeMap::new(),
            links: BTreeSet::new(),
            deleted: BTreeSet::new(),
            writes: BTreeMap::new(),
            reads: BTreeMap::new(),
        };
        for call in &log.calls {
            let Some(saw) = call.saw else { continue };
            if call.method != "GET" {
                history.writes.insert(saw, call);
            } else if call.status == Some(200)
                && let Some(place) = place_of(call)
            {
                history.reads.entry(place).or_default().push(call);
            }
        }
        let mut records: BTreeMap<Place, Fields> = BTreeMap::new();
        for effect in &log.effects {
            let side = match (effect.system, effect.entity.as_str()) {
                (System::EspoCrm, CBETEILIGTE) => Side::Crm,
                (System::Advoware, BETEILIGTE) => Side::Advoware,
                _ => continue,
            };
            history.take(effect, side, records.entry((side, effect.key.clone())).or_default());
        }
        history
    }

    fn take(&mut self, effect: &Effect, side: Side, record: &mut Fields) {
        let ours = effect.by == US;
        if effect.change == Change::Delete {
            if side == Side::Crm {
                self.deleted.insert(effect.key.clone());
            }
            return;
        }
        if let (true, Some(number)) = (ours, effect.changed.get("advowareId").and_then(Value::as_i64)) {
            self.links.insert((effect.key.clone(), number.to_string()));
        }
        let before: Vec<String> = fields().map(|field| field.read(side, record)).collect();
        record.extend(effect.changed.clone());
        for (field, before) in fields().zip(before) {
            let value = field.read(side, record);
            if value != before {
                let line = self.lines.entry(((side, effect.key.clone()), field)).or_default();
                line.push(Step { number: effect.number, ours, value });
            }
        }
    }

    /// The values of a field, oldest first; before them it was blank.
    pub fn line(&self, place: &Place, field: Field) -> &[Step] {
        self.lines.get(&(place.clone(), field)).map_or(&[], Vec::as_slice)
    }

    /// Everything that was written.
    pub fn effects(&self) -> &'a [Effect] {
        &self.log.effects
    }

    /// The number of the last effect that whoever wrote this had seen of the place it wrote to.
    pub fn had_seen(&self, place: &Place, number: u64) -> Option<u64> {
        let write = self.writes.get(&number)?;
        let reads = self.reads.get(place)?;
        reads.iter().rev().find(|read| read.number < write.number)?.saw
    }

    /// Whether the program may not have written down that it wrote this: its answer was lost or an error, or a process died
    /// right then.
    pub fn is_interrupted(&self, number: u64) -> bool {
        let Some(effect) = self.log.effects.iter().find(|it| it.number == number).filter(|it| it.by == US) else {
            return false;
        };
        let unheard = self.writes.get(&number).is_some_and(|call| {
            !call.status.is_some_and(|it| (200..300).contains(&it)) || call.took_ms.is_some_and(|it| it > TIMED_OUT_MS)
        });
        unheard || self.log.blows.iter().any(|(from, to)| *from <= effect.at + REACH && effect.at <= *to)
    }
}

impl Log {
    /// What happened to the records that a text names, for whoever looks into a fault.
    pub fn story(&self, text: &str) -> String {
        let history = History::of(self);
        let mut keys: BTreeSet<&str> = self.effects.iter().map(|it| &*it.key).filter(|it| text.contains(it)).collect();
        let linked = history.links.iter().filter(|(id, _)| keys.contains(&**id)).map(|(_, number)| &**number);
        keys.extend(linked.collect::<Vec<_>>());
        let of = |it: &&Effect| {
            let on = it.body.get("parentId").and_then(Value::as_str);
            keys.contains(&*it.key) || on.is_some_and(|it| keys.contains(it))
        };
        let line = |effect: &Effect| {
            let call = self.calls.iter().find(|it| it.method != "GET" && it.saw == Some(effect.number));
            let answer = call.map(|it| (it.status, it.took_ms));
            let interrupted = if history.is_interrupted(effect.number) { " interrupted" } else { "" };
            let (number, at, by, key) = (effect.number, effect.at.format("%T%.3f"), &effect.by, &effect.key);
            let body = Value::Object(if effect.entity == "Note" { &effect.body } else { &effect.changed }.clone());
            format!("  {number} {at} {by} {:?} {key} {answer:?}{interrupted} {body}", effect.change)
        };
        let lines: Vec<String> = self.effects.iter().filter(of).map(line).collect();
        lines.join("\n")
    }
}

/// Which record or party a call is about.
fn place_of(call: &Call) -> Option<Place> {
    let side = match call.system {
        System::EspoCrm if call.path.contains("/CBeteiligte/") => Side::Crm,
        System::Advoware if call.path.contains("/Beteiligte/") => Side::Advoware,
        _ => return None,
    };
    Some((side, call.path.rsplit('/').next()?.to_owned()))
}

/// What a field had after an effect.
pub fn value_at(line: &[Step], number: u64) -> &str {
    line.iter().rev().find(|step| step.number <= number).map_or("", |step| &step.value)
}

/// The first effect from `from` on, and before `to`, after which a field had this value.
pub fn first_with(line: &[Step], value: &str, from: u64, to: u64) -> Option<u64> {
    if value_at(line, from) == value {
        return Some(from);
    }
    line.iter().find(|step| from < step.number && step.number < to && step.value == value).map(|step| step.number)
}
