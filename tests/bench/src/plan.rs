//! How long a whole calendar takes to plan, and the memory for it.
//!
//! Each size runs in a process of its own, so that the peak of its memory is nobody else's. What is timed is what a run
//! does between reading and writing: the mirror's events become items, and everything is planned. The Termine, events and
//! pairs are there before; in memory they count.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Instant;

use advosync::sync::calendar::event::{self, Marks};
use advosync::sync::calendar::items::{Items, days};
use advosync::sync::calendar::kept::Kept;
use advosync::sync::calendar::mirror::{self, Mirror};
use advosync::sync::calendar::pair::{Pair, Tie};
use advosync::sync::calendar::plan::{Seen, agreed, plan, shown};
use advosync::sync::calendar::scope::{MaxDeletions, Multiday, Rules, Scope, Window};
use advosync::sync::calendar::termin::Termin;
use anyhow::{Context, Result, ensure};
use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::report::Figure;
use crate::world::peak_mib;

/// How often each size is planned; the fastest counts, since nothing but disturbance makes it slower.
const ROUNDS: usize = 10;

/// What a size comes to.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    unchanged_ms: f64,
    changed_ms: f64,
    peak_mib: f64,
}

/// Plans calendars of 10,000 and of 20,000 Termine.
pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let (one, two) = (child(10_000).await?, child(20_000).await?);
    let figure = |name: &str, value, unit, goal| Figure::of_product(format!("plan.{name}"), value, unit, Some(goal));
    Ok(vec![
        figure("unchanged.10000", one.unchanged_ms, "ms", 100.0),
        figure("changed.10000", one.changed_ms, "ms", 100.0),
        figure("changed.20000_to_10000", two.changed_ms / one.changed_ms, "times", 2.2),
        figure("memory.10000", one.peak_mib, "MiB", 100.0),
    ])
}

async fn child(entries: usize) -> Result<Found> {
    let this = std::env::current_exe().context("who am I")?;
    let child = tokio::process::Command::new(this)
        .args(["calendar", "--entries", &entries.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = child.await.context("the planning process")?;
    ensure!(output.status.success(), "planning {entries} entries failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The child: plans one size and prints what it found.
pub(crate) fn run(entries: usize) -> Result<()> {
    let mut calendar = Calendar::new(entries)?;
    let unchanged_ms = calendar.time(0)?;
    calendar.change()?;
    let changed_ms = calendar.time(entries / 10 * 2)?;
    let found = Found { unchanged_ms, changed_ms, peak_mib: peak_mib("self")? };
    println!("{}", serde_json::to_string(&found)?);
    Ok(())
}

struct Calendar {
    scope: Scope,
    termine: BTreeMap<i64, Termin>,
    mirror: Mirror,
    pairs: BTreeMap<Tie, Pair>,
}

impl Calendar {
    /// Termine and events in step, over three years.
    fn new(entries: usize) -> Result<Self> {
        let from = NaiveDate::from_ymd_opt(2026, 1, 1).context("a date")?;
        let window = Window { from, to: from + Days::new(1100) };
        let rules = Rules {
            kanzlei: "Kanzlei".into(),
            multiday: Multiday::AllDay,
            blocked_title: "blocked".into(),
            max_deletions: MaxDeletions { count: 5, percent: 10 },
            write_protection: false,
        };
        let scope = Scope {
            kuerzel: "SB".into(),
            rules,
            anonymised: false,
            window,
            confirm_deletions: false,
            first_contact: false,
        };
        let mut calendar = Self { scope, termine: BTreeMap::new(), mirror: Mirror::new(), pairs: BTreeMap::new() };
        for number in 1..=i64::try_from(entries)? {
            calendar.add(number, from + Days::new(u64::try_from(number)? % 1000))?;
        }
        Ok(calendar)
    }

    fn add(&mut self, number: i64, day: NaiveDate) -> Result<()> {
        let record = json!({
            "frNr": number, "rowId": format!("row-{number}"), "datum": day.to_string(), "datumBis": day.to_string(),
            "uhrzeitVon": "09:30:00", "uhrzeitBis": "10:45:00", "text": format!("Besprechung in der Sache {number}/26"),
            "notiz": "Unterlagen mitbringen: Vollmacht, Schriftsatz vom letzten Monat, Kostenrechnung",
            "ort": "Besprechungsraum 2", "anwalt": "SB", "sb": "SB", "dauertermin": 0, "turnus": 0, "turnusArt": 0,
            "vorbereitungsDauer": "00:00:00", "privat": 0,
        });
        let Scope { kuerzel, rules, .. } = &self.scope;
        let record = record.as_object().context("an object")?;
        let termin = Termin::read(record, kuerzel, rules)?;
        let entry = shown(&termin, &self.scope);
        let id = event::id(&rules.kanzlei, kuerzel, number, 0);
        let hash = Some(entry.prints().digest());
        let marks =
            Marks { number: Some(number), kuerzel: Some(kuerzel.clone()), generation: 0, hash, anonymised: false };
        let mut body = event::body(None, &id, &entry, &marks, rules.multiday);
        // What Google adds to it.
        let added = json!({
            "kind": "calendar#event", "etag": format!("\"{number}\""), "status": "confirmed", "sequence": 0,
            "created": "2026-01-01T00:00:00.000Z", "updated": "2026-01-01T00:00:00.000Z", "iCalUID": format!("{id}@google.com"),
            "creator": { "email": "advosync@example.com" }, "organizer": { "email": "kalender@group.calendar.google.com" },
            "reminders": { "useDefault": true }, "eventType": "default", "htmlLink": "https://www.google.com/calendar/event?eid=x",
        });
        body.extend(added.as_object().context("an object")?.clone());
        body.retain(|_, value| !value.is_null());
        let pair = agreed(&termin, &self.scope, (&entry.prints(), days(&entry)), 0);
        mirror::take_one(&mut self.mirror, body, self.scope.rules.multiday);
        self.pairs.insert(Tie::Event(id), pair);
        self.termine.insert(number, termin);
        Ok(())
    }

    /// A tenth changes on each side.
    fn change(&mut self) -> Result<()> {
        let Scope { kuerzel, rules, .. } = &self.scope;
        for (number, termin) in self.termine.iter_mut().filter(|(number, _)| **number % 10 == 0) {
            termin.raw.insert("text".into(), json!(format!("Verlegt {number}")));
            *termin = Termin::read(&termin.raw, kuerzel, rules)?;
        }
        for kept in self.mirror.values_mut() {
            let mut event = kept.record();
            let number = event["extendedProperties"]["private"]["advoware_frnr"].as_str().unwrap_or_default();
            if number.ends_with('5') {
                event.insert("location".into(), Value::from("Saal 3"));
                *kept = Kept::of(&event, rules.multiday);
            }
        }
        Ok(())
    }

    fn time(&self, expected: usize) -> Result<f64> {
        let (nothing, nobody, none) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut best = f64::INFINITY;
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            let items = Items::of(&self.mirror, &BTreeSet::new(), self.scope.window);
            let plan = plan(&Seen {
                scope: &self.scope,
                termine: &self.termine,
                unreadable: &nothing,
                gone: &nobody,
                items: &items,
                vanished: &none,
                pairs: &self.pairs,
                intents: &BTreeMap::new(),
                held: &BTreeMap::new(),
                asked_enough: false,
            });
            best = best.min(begin.elapsed().as_secs_f64() * 1000.0);
            ensure!(plan.actions.len() == expected, "{} actions instead of {expected}", plan.actions.len());
        }
        Ok(best)
    }
}
