//! What must be so at the end, by what both systems show and by what people did; nothing that the program says of itself.

use std::collections::{BTreeMap, BTreeSet};

use advosync_sandbox::{Fields, Sandbox, TERMINE};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde_json::Value;

use super::people::{Deed, Field, History, Kind, Side, What};
use crate::calendar::series_support::day;

/// An appointment, as a person reads it at either side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// What names the entry through all edits: the first word of its title.
    pub token: String,
    /// The title.
    pub text: String,
    /// The place.
    pub ort: String,
    /// `2026-12-01T09:00`, or the day.
    pub start: String,
    /// Likewise.
    pub end: String,
}

impl Shown {
    fn day(&self) -> NaiveDate {
        self.start[..10].parse().unwrap()
    }
}

/// Both systems.
pub struct Seen {
    termine: Vec<Fields>,
    calendars: BTreeMap<String, Vec<Fields>>,
    names: Vec<String>,
}

impl Seen {
    /// As they are now.
    pub fn of(sandbox: &Sandbox, kuerzel: &[String]) -> Self {
        let people = sandbox.people();
        let at = |ahead| day(ahead).and_time(NaiveTime::MIN).and_utc();
        let calendar =
            |kuerzel: &String| (kuerzel.clone(), people.google_instances(&format!("AW-{kuerzel}"), at(-30), at(150)));
        let names = people.google_calendars();
        Self {
            termine: people.advoware_list(TERMINE),
            calendars: kuerzel.iter().map(calendar).collect(),
            names: names.iter().map(|it| text(it, "summary")).collect(),
        }
    }

    /// What Advoware has for somebody, series by their instances.
    fn advoware(&self, kuerzel: &str) -> Vec<Shown> {
        let whose = |it: &&Fields| {
            let anwalt = text(it, "anwalt");
            anwalt == kuerzel || text(it, "sb") == kuerzel || anwalt == "ALLE"
        };
        let mut all: Vec<Shown> = self.termine.iter().filter(whose).flat_map(instances).collect();
        all.sort();
        all
    }

    fn google(&self, kuerzel: &str) -> Vec<Shown> {
        let mut all: Vec<Shown> = self.calendars[kuerzel].iter().map(event).collect();
        all.sort();
        all
    }

    /// Everything that is wrong.
    pub fn faults(&self, history: &History) -> Vec<String> {
        let mut faults = Vec::new();
        for kuerzel in self.calendars.keys() {
            let name = format!("AW-{kuerzel}");
            let there = self.names.iter().filter(|it| **it == name).count();
            if there != 1 {
                faults.push(format!("{there} calendars have the name {name}"));
            }
            self.compare(kuerzel, history, &mut faults);
        }
        self.doubles(history, &mut faults);
        self.losses(history, &mut faults);
        faults
    }

    /// Both sides say the same.
    fn compare(&self, kuerzel: &str, history: &History, faults: &mut Vec<String>) {
        let count = |all: Vec<Shown>| {
            all.into_iter().fold(BTreeMap::<Shown, i64>::new(), |mut counts, shown| {
                *counts.entry(shown).or_default() += 1;
                counts
            })
        };
        let (ours, theirs) = (count(self.advoware(kuerzel)), count(self.google(kuerzel)));
        let all: BTreeSet<&Shown> = ours.keys().chain(theirs.keys()).collect();
        for shown in all {
            let (here, there) = (ours.get(shown).unwrap_or(&0), theirs.get(shown).unwrap_or(&0));
            // The copy of a Termin that was deleted before anybody had written down that it was made is left alone.
            let orphan = *here == 0 && *there == 1 && history.is_orphan(kuerzel, &shown.token);
            if here != there && !orphan {
                faults.push(format!("{kuerzel}: {here} in Advoware and {there} at Google of {shown:?}"));
            }
        }
    }

    /// Nothing is there twice at both sides.
    fn doubles(&self, history: &History, faults: &mut Vec<String>) {
        let mut seen: BTreeMap<(String, Option<NaiveDate>), usize> = BTreeMap::new();
        for shown in self.termine.iter().flat_map(instances) {
            // Only what recurs is there once a day; nobody moves an instance to another day.
            let recurs = history.created.get(&shown.token).is_none_or(|it| it.kind != Kind::Single);
            let on = recurs.then(|| shown.day());
            *seen.entry((shown.token, on)).or_default() += 1;
        }
        for ((token, on), times) in seen.into_iter().filter(|(_, times)| *times > 1) {
            // What the lawyer changes right after it was made may not be known again by who made it and was killed.
            if times == 2 && history.was_met(&token) || times <= history.edited_beside_a_delete(&token) {
                continue;
            }
            faults.push(format!("{token} is in Advoware {times} times {on:?}"));
        }
    }

    /// What people made and did not delete is there, and says what they said last.
    fn losses(&self, history: &History, faults: &mut Vec<String>) {
        let mut there: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
        for shown in self.termine.iter().flat_map(instances) {
            there.entry(shown.token.clone()).or_default().push(shown);
        }
        let none = Vec::new();
        for (token, made) in &history.created {
            let found = there.get(token).unwrap_or(&none);
            let deeds: Vec<&Deed> = history.deeds.iter().filter(|it| it.token == *token).collect();
            let deleted = |on: NaiveDate| deeds.iter().any(|it| it.what == What::Delete && it.covers(on));
            let days: BTreeSet<NaiveDate> = found.iter().map(Shown::day).collect();
            match made.kind {
                Kind::Single if found.is_empty() && !deeds.iter().any(|it| it.what == What::Delete) => {
                    faults.push(format!("{token} is lost"));
                }
                Kind::Single => faults.extend(single(history, token, made.shared, &deeds, found)),
                _ => {
                    let lost: Vec<_> = made.days.iter().filter(|on| !days.contains(on) && !deleted(**on)).collect();
                    if !lost.is_empty() {
                        faults.push(format!("{token} is lost on {lost:?}; it is there on {days:?}"));
                    }
                }
            }
        }
    }
}

/// What is certain of an entry that does not recur.
fn single(history: &History, token: &str, shared: bool, deeds: &[&Deed], found: &[Shown]) -> Option<String> {
    if let [Deed { what: What::Delete, side, at, .. }] = deeds {
        let ours = |it: &&(String, DateTime<Utc>)| it.0 == *token && it.1 <= *at && *at - it.1 < history.apart;
        let calm = !history.ours.iter().any(|it| ours(&it));
        let gone = *side == Side::Advoware || !shared;
        return (gone && calm && !found.is_empty()).then(|| format!("{token} was deleted and is there: {found:?}"));
    }
    let [shown] = found else { return None };
    if deeds.iter().any(|it| it.what == What::Delete) || !alone(deeds, history.apart) {
        return None;
    }
    for field in [Field::Text, Field::Ort, Field::Hour] {
        let value = |it: &&Deed| match &it.what {
            What::Edit(edited, value) if *edited == field => Some(value.clone()),
            _ => None,
        };
        let Some(last) = deeds.iter().rev().find_map(value) else { continue };
        let is = match field {
            Field::Text => shown.text == last,
            Field::Ort => shown.ort == last,
            Field::Hour => shown.start.get(11..13) == Some(last.as_str()),
        };
        if !is {
            return Some(format!("the edit of {token} to {last} is lost: {shown:?}; {deeds:?}"));
        }
    }
    None
}

/// Whether all edits were made at one side, and none while another may still have been under way.
fn alone(deeds: &[&Deed], apart: TimeDelta) -> bool {
    let one_side = deeds.windows(2).all(|two| two[0].side == two[1].side);
    one_side && deeds.windows(2).all(|two| two[1].at - two[0].at >= apart)
}

/// The appointments that a Termin stands for.
fn instances(termin: &Fields) -> Vec<Shown> {
    let number = |name| termin.get(name).and_then(Value::as_i64).unwrap_or(0);
    let on_day = |name| -> Option<NaiveDate> { text(termin, name).get(..10)?.parse().ok() };
    let first = on_day("datum").expect("all Termine have a day");
    let shown = |on: NaiveDate| {
        let clock = |name| text(termin, name)[..5].to_owned();
        let whole = number("dauertermin") == 1 && number("turnus") == 0;
        let last_day = || on_day("datumBis").expect("an end");
        let title = text(termin, "text");
        Shown {
            token: token(&title),
            text: title,
            ort: text(termin, "ort"),
            start: if whole { on.to_string() } else { format!("{on}T{}", clock("uhrzeitVon")) },
            end: if whole { last_day().to_string() } else { format!("{on}T{}", clock("uhrzeitBis")) },
        }
    };
    let step = match (number("dauertermin"), number("turnus"), number("turnusArt")) {
        (1, turnus @ 1.., 1) => turnus,
        (1, turnus @ 1.., 2) => turnus * 7,
        _ => return vec![shown(first)],
    };
    let last = on_day("datumBis").expect("a series here has an end");
    let all = (0..).map(|n: u64| first + Days::new(n * step.unsigned_abs()));
    all.take_while(|on| *on <= last).map(shown).collect()
}

fn event(event: &Fields) -> Shown {
    let at = |name: &str, back: u64| {
        let at = &event[name];
        match (at["dateTime"].as_str(), at["date"].as_str()) {
            (Some(at), _) => at[..16].to_owned(),
            (None, Some(day)) => (day.parse::<NaiveDate>().unwrap() - Days::new(back)).to_string(),
            _ => String::new(),
        }
    };
    let title = text(event, "summary");
    Shown { token: token(&title), text: title, ort: text(event, "location"), start: at("start", 0), end: at("end", 1) }
}

/// The first word of a title.
pub fn token(title: &str) -> String {
    title.split(' ').next().unwrap_or_default().to_owned()
}

/// A text of a record; none is an empty one.
pub fn text(record: &Fields, name: &str) -> String {
    record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
