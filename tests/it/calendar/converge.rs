//! Whatever the lawyer and the employee do, in any order: after a sync both sides say what was done last.
//!
//! Each entry is touched by one side at most between two syncs, so what is to come of it is known.

use advosync::sync::calendar::compare::plain;
use advosync_sandbox::{Fault, Fields, System};
use serde_json::{Value, json};

use super::support::{CALENDAR, Office, SB, day, done};

const CONFIRMED: &str = r#"{"confirm_deletions":true}"#;
const EXTRAS: [&str; 6] = ["", " & Co", " <Müller>", " (1) – 100 %", " mit  zwei", " \"Zitat\""];
const NOTES: [&str; 6] = ["", "Zeile 1\nZeile 2", "A & B", "5 < 6 > 4", "Akte 17/26", "<Mandant> kommt"];
const PLACES: [&str; 4] = ["", "Saal 3", "Büro", "A & B"];

/// Always the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }
}

/// What an entry is to say on both sides.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    name: String,
    extra: &'static str,
    notiz: &'static str,
    ort: &'static str,
    first: u64,
    /// The hour at which it begins, or how many days it lasts.
    when: When,
    shared: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    Hour(u64),
    Days(u64),
    Weekly(u64),
}

impl Entry {
    fn rolled(dice: &mut Dice, name: String) -> Self {
        let mut entry =
            Self { name, extra: "", notiz: "", ort: "", first: 1, when: When::Hour(8), shared: dice.roll(4) == 0 };
        for field in 0..4 {
            entry.change(dice, field);
        }
        if dice.roll(5) == 0 {
            entry.when = When::Weekly(dice.roll(12) + 8);
        }
        entry
    }

    /// Changes one of four fields.
    fn change(&mut self, dice: &mut Dice, field: u64) {
        match field {
            0 => self.extra = dice.pick(&EXTRAS),
            1 => self.notiz = dice.pick(&NOTES),
            2 => self.ort = dice.pick(&PLACES),
            _ => {
                self.first = dice.roll(300) + 1;
                self.when = match self.when {
                    When::Weekly(hour) => When::Weekly(hour),
                    _ if dice.roll(3) == 0 => When::Days(dice.roll(3) + 1),
                    _ => When::Hour(dice.roll(12) + 8),
                };
            }
        }
    }

    fn text(&self) -> String {
        format!("{}{}", self.name, self.extra)
    }

    fn termin(&self) -> Value {
        let (last, from, to, lasting, turnus) = match self.when {
            When::Hour(hour) => (self.first, format!("{hour:02}:30:00"), format!("{:02}:15:00", hour + 1), 0, 0),
            When::Days(days) => (self.first + days - 1, "00:00:00".to_owned(), "23:59:59".to_owned(), 1, 0),
            When::Weekly(hour) => (self.first + 70, format!("{hour:02}:30:00"), format!("{:02}:15:00", hour + 1), 1, 1),
        };
        json!({
            "text": self.text(), "notiz": self.notiz, "ort": self.ort, "datum": day(self.first), "datumBis": day(last),
            "uhrzeitVon": from, "uhrzeitBis": to, "dauertermin": lasting, "turnus": turnus, "turnusArt": turnus * 2,
            "anwalt": if self.shared { "ALLE" } else { SB }, "sb": SB,
        })
    }

    fn event(&self) -> Value {
        let at = |clock: String| json!({ "dateTime": format!("{}T{clock}", day(self.first)), "timeZone": "Europe/Berlin", "date": null });
        let whole = |at: u64| json!({ "date": day(at), "dateTime": null, "timeZone": null });
        let (start, end) = match self.when {
            When::Hour(hour) | When::Weekly(hour) => {
                (at(format!("{hour:02}:30:00")), at(format!("{:02}:15:00", hour + 1)))
            }
            When::Days(days) => (whole(self.first), whole(self.first + days)),
        };
        // As Google's pages send it.
        let notiz = self.notiz.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let mut event = json!({
            "summary": self.text(), "description": notiz, "location": self.ort, "start": start, "end": end,
        });
        if matches!(self.when, When::Weekly(_)) {
            let until = day(self.first + 70).format("%Y%m%dT215959Z");
            event["recurrence"] = json!([format!("RRULE:FREQ=WEEKLY;UNTIL={until}")]);
        }
        event
    }

    fn is(&self, name: &str) -> bool {
        name == self.name || name.starts_with(&format!("{} ", self.name))
    }
}

struct Monkey {
    office: Office,
    dice: Dice,
    entries: Vec<Entry>,
    made: u64,
    /// Whether the events still have their properties: the ledger makes do without, and writes nothing to bring them back.
    marked: bool,
}

impl Monkey {
    fn found<'a>(all: &'a [Fields], field: &str, entry: &Entry) -> Vec<&'a Fields> {
        all.iter().filter(|it| entry.is(it.get(field).and_then(Value::as_str).unwrap_or_default())).collect()
    }

    fn number(&self, entry: &Entry) -> i64 {
        Self::found(&self.office.termine(), "text", entry)[0]["frNr"].as_i64().unwrap()
    }

    fn id(&self, entry: &Entry) -> String {
        Self::found(&self.office.events(), "summary", entry)[0]["id"].as_str().unwrap().to_owned()
    }

    /// A round: some entries are made, some changed, some deleted.
    fn play(&mut self) {
        let mut kept = Vec::new();
        for mut entry in std::mem::take(&mut self.entries) {
            let field = self.dice.roll(4);
            match self.dice.roll(12) {
                0 => {
                    self.office.lawyer_deletes(self.number(&entry));
                    continue;
                }
                1 => {
                    self.office.employee_deletes(&self.id(&entry));
                    if !entry.shared {
                        continue;
                    }
                }
                2..4 => {
                    let number = self.number(&entry);
                    entry.change(&mut self.dice, field);
                    self.office.lawyer(number, &entry.termin());
                }
                4..6 => {
                    let id = self.id(&entry);
                    entry.change(&mut self.dice, field);
                    self.office.employee(&id, &entry.event());
                }
                _ => {}
            }
            kept.push(entry);
        }
        for _ in 0..3 {
            self.made += 1;
            let mut entry = Entry::rolled(&mut self.dice, format!("E{}", self.made));
            if self.dice.roll(2) == 0 {
                self.office.termin(&entry.termin());
            } else {
                entry.shared = false;
                self.office.event(&entry.event());
            }
            kept.push(entry);
        }
        self.entries = kept;
    }

    fn trouble(&mut self) {
        let sandbox = &self.office.world.sandbox;
        match self.dice.roll(8) {
            0 => sandbox.expire_sync_tokens(),
            1 => sandbox.fault(Fault::on(System::Google).put("*/events/*").once().lose_answer()),
            2 => sandbox.fault(Fault::on(System::Google).post("*/events").once().lose_answer()),
            3 => sandbox.fault(Fault::on(System::Advoware).put("*/Termine").once().lose_answer()),
            4 => sandbox.fault(Fault::on(System::Google).delete("*/events/*").once().lose_answer()),
            _ => {}
        }
    }

    async fn sync(&self) {
        done(self.office.run(SB, Some(CONFIRMED), None).await);
    }

    fn check(&self, told: &str) {
        let (termine, events) = (self.office.termine(), self.office.events());
        for entry in &self.entries {
            let (mine, theirs) = (Self::found(&termine, "text", entry), Self::found(&events, "summary", entry));
            assert_eq!((mine.len(), theirs.len()), (1, 1), "{told}: {entry:?}\n{mine:#?}\n{theirs:#?}");
            let said = |of: &Fields, name: &str| plain(of.get(name).and_then(Value::as_str).unwrap_or_default());
            for (field, name, value) in [
                ("text", "summary", &*entry.text()),
                ("notiz", "description", entry.notiz),
                ("ort", "location", entry.ort),
            ] {
                let both = (said(mine[0], field), said(theirs[0], name));
                assert_eq!(both, (plain(value), plain(value)), "{told}: {field} of {entry:?}\n{mine:#?}\n{theirs:#?}");
            }
            let (termin, event) = (entry.termin(), entry.event());
            let day_of = |it: &Value| it.as_str().unwrap_or_default().get(..10).unwrap_or_default().to_owned();
            assert_eq!(day_of(&mine[0]["datum"]), day_of(&termin["datum"]), "{told}: {entry:?}\n{mine:#?}");
            assert_eq!(day_of(&mine[0]["datumBis"]), day_of(&termin["datumBis"]), "{told}: {entry:?}\n{mine:#?}");
            for (side, name) in [("start", "date"), ("end", "date"), ("start", "dateTime"), ("end", "dateTime")] {
                let clock =
                    |event: &Value| event[side][name].as_str().map(|it| it.chars().take(19).collect::<String>());
                let shown = Value::Object(theirs[0].clone());
                assert_eq!(clock(&shown), clock(&event), "{told}: {side} of {entry:?}\n{mine:#?}\n{theirs:#?}");
            }
            let number = mine[0]["frNr"].to_string();
            if self.marked {
                assert_eq!(theirs[0]["extendedProperties"]["private"]["advoware_frnr"], number, "{told}");
            }
        }
        assert_eq!((termine.len(), events.len()), (self.entries.len(), self.entries.len()), "{told}");
    }
}

async fn play(seed: u64, rounds: u64, troubled: bool) {
    let office = Office::start().await;
    office.sync().await;
    let mut monkey = Monkey { office, dice: Dice(seed), entries: Vec::new(), made: 0, marked: true };
    for round in 0..rounds {
        let told = format!("seed {seed}, round {round}");
        monkey.play();
        if troubled {
            monkey.trouble();
        }
        monkey.sync().await;
        monkey.check(&told);
        if troubled {
            monkey.office.world.sandbox.clear_faults();
        }
        let mark = monkey.office.world.mark();
        monkey.sync().await;
        assert_eq!(monkey.office.writes(mark), [], "{told}: the second sync writes nothing");
        match monkey.dice.roll(6) {
            0 if troubled => {
                // Before anybody goes on: a deletion that the ledger cannot prove is left to people.
                monkey.office.lose_ledger();
                let mark = monkey.office.world.mark();
                monkey.sync().await;
                assert_eq!(monkey.office.writes(mark), [], "{told}: everything is paired again");
            }
            1 if troubled => {
                monkey.office.lose_properties();
                monkey.marked = false;
            }
            _ => {}
        }
    }
    let people = monkey.office.world.sandbox.people();
    assert_eq!(people.google_events(CALENDAR).len(), monkey.entries.len());
}

#[tokio::test]
async fn both_sides_say_what_was_done_last() {
    play(1, 20, false).await;
    play(2, 20, false).await;
}

#[tokio::test]
async fn both_sides_agree_although_answers_ledgers_and_properties_are_lost() {
    play(3, 20, true).await;
    play(4, 20, true).await;
}
