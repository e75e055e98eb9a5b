//! What the checker is for: logs by hand, a good one and what is wrong in it.

use std::collections::BTreeMap;

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Call, Change, Effect, Fields, System};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::check::{Shown, Verdict, verdict};
use super::history::Log;
use crate::support::world::US;

/// The record and the party of a good history.
const A: &str = "a";
const ONE: i64 = 1;

/// A log that is written by hand.
#[derive(Default, Clone)]
struct Story {
    log: Log,
    records: BTreeMap<String, Fields>,
    parties: BTreeMap<i64, Fields>,
}

fn at(second: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(second).unwrap())
}

impl Story {
    fn last(&self) -> u64 {
        self.log.effects.len() as u64
    }

    fn effect(&mut self, system: System, change: Change, entity: &str, key: &str, by: &str, body: &Value) {
        let number = self.last() + 1;
        let body = body.as_object().unwrap().clone();
        let (entity, key, by, changed) = (entity.to_owned(), key.to_owned(), by.to_owned(), body.clone());
        // Ten seconds apart, so that a blow is right after one of them and no other.
        self.log.effects.push(Effect { number, at: at(number * 10), system, change, entity, key, by, body, changed });
    }

    fn call(&mut self, system: System, method: &str, path: String) {
        let number = self.log.calls.len() as u64 + 1;
        self.log.calls.push(Call {
            number,
            at: at(self.last() * 10),
            system,
            method: method.to_owned(),
            path,
            query: String::new(),
            body: String::new(),
            status: Some(200),
            took_ms: Some(1.0),
            faulted: false,
            saw: Some(self.last()),
        });
    }

    fn write_crm(&mut self, id: &str, by: &str, body: &Value) {
        let change = if self.records.contains_key(id) { Change::Update } else { Change::Create };
        self.effect(System::EspoCrm, change, CBETEILIGTE, id, by, body);
        self.records.entry(id.to_owned()).or_default().extend(body.as_object().unwrap().clone());
    }

    fn write_advoware(&mut self, number: i64, by: &str, body: &Value) {
        let change = if self.parties.contains_key(&number) { Change::Update } else { Change::Create };
        self.effect(System::Advoware, change, BETEILIGTE, &number.to_string(), by, body);
        self.parties.entry(number).or_default().extend(body.as_object().unwrap().clone());
    }

    /// The user writes.
    fn user(&mut self, id: &str, body: &Value) {
        self.write_crm(id, "admin", body);
    }

    /// The lawyer writes.
    fn lawyer(&mut self, number: i64, body: &Value) {
        self.write_advoware(number, "lawyer", body);
    }

    /// A run reads both sides.
    fn read(&mut self) {
        self.call(System::EspoCrm, "GET", format!("/espocrm/api/v1/CBeteiligte/{A}"));
        self.call(System::Advoware, "GET", format!("/advoware/api/v1/advonet/Beteiligte/{ONE}"));
    }

    /// The program writes to a party.
    fn put(&mut self, number: i64, body: &Value) {
        self.write_advoware(number, US, body);
        self.call(System::Advoware, "PUT", format!("/advoware/api/v1/advonet/Beteiligte/{number}"));
    }

    /// The program writes to a record.
    fn update(&mut self, id: &str, body: &Value) {
        self.write_crm(id, US, body);
        self.call(System::EspoCrm, "PUT", format!("/espocrm/api/v1/CBeteiligte/{id}"));
    }

    /// The program writes a note of one line.
    fn note(&mut self, id: &str, line: &str) {
        let post = format!(
            "Abgleich mit Advoware am 01.01.2026, 10:00 Uhr\n\nIn EspoCRM und in Advoware verschieden geändert:\n- {line}"
        );
        let body = json!({ "type": "Post", "parentType": CBETEILIGTE, "parentId": id, "post": post });
        self.effect(System::EspoCrm, Change::Create, "Note", "n", US, &body);
        self.call(System::EspoCrm, "POST", "/espocrm/api/v1/Note".to_owned());
    }

    /// What both systems show in the end: all say that they are in step.
    fn shown(&self) -> Shown {
        let mut shown = Shown::default();
        for (id, record) in &self.records {
            let mut record = record.clone();
            for (name, value) in [("id", json!(id)), ("advowareRowId", json!("v")), ("syncStatus", json!("clean"))] {
                record.insert(name.to_owned(), value);
            }
            record.entry("syncErrorMessage").or_insert(Value::Null);
            shown.records.push(record);
        }
        for (number, party) in &self.parties {
            let mut party = party.clone();
            party.insert("betNr".to_owned(), json!(number));
            party.insert("rowId".to_owned(), json!("v"));
            shown.parties.push(party);
        }
        shown
    }

    fn verdict(&self) -> Verdict {
        verdict(&self.log, &self.shown())
    }

    /// The faults begin with these words.
    fn check(&self, expected: &[&str]) {
        check(&self.verdict(), expected);
    }
}

fn check(found: &Verdict, expected: &[&str]) {
    let faults = &found.faults;
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    assert!(faults.iter().zip(expected).all(|(fault, expected)| fault.starts_with(expected)), "{faults:#?}");
}

const LINE: &str = "Anrede: EspoCRM „Frau“ gilt, Advoware „Dr.“ wurde ersetzt";

/// A record that is created at Advoware and told of it.
fn created() -> Story {
    let mut story = Story::default();
    story.user(A, &json!({ "firstName": "Max", "lastName": "Muster", "emailAddress": "1@x" }));
    story.put(ONE, &json!({ "vorname": "Max", "name": "Muster", "emailGesch": "1@x" }));
    story.update(A, &json!({ "advowareId": ONE }));
    story
}

/// An edit of each side that goes over, and one of both.
fn edited() -> Story {
    let mut story = created();
    story.user(A, &json!({ "emailAddress": "2@x", "anrede": "Frau" }));
    story.lawyer(ONE, &json!({ "telGesch": "+493", "anrede": "Dr." }));
    story.read();
    story.put(ONE, &json!({ "emailGesch": "2@x", "anrede": "Frau" }));
    story.update(A, &json!({ "phoneNumber": "+493" }));
    story
}

fn good() -> Story {
    let mut story = edited();
    story.note(A, LINE);
    story.lawyer(ONE, &json!({ "emailGesch": "3@x" }));
    story.read();
    story.update(A, &json!({ "emailAddress": "3@x" }));
    story
}

#[test]
fn a_good_history_has_no_faults() {
    let found = good().verdict();
    check(&found, &[]);
    let unseen = found.unseen.len();
    assert_eq!((found.noted, found.outdated, unseen, found.settled_otherwise, found.repeated), (1, 1, 0, 0, 0));
}

#[test]
fn a_value_that_is_replaced_without_a_note_is_lost() {
    edited().check(&["LOST: anrede of a: \"Dr.\""]);
}

#[test]
fn a_note_counts_for_its_record_its_field_and_its_values_only() {
    for (id, line) in [
        ("b", LINE),
        (A, "Rechtsform: EspoCRM „Frau“ gilt, Advoware „Dr.“ wurde ersetzt"),
        (A, "Anrede: EspoCRM „Frau“ gilt, Advoware „Prof.“ wurde ersetzt"),
        (A, "Anrede: EspoCRM leer gilt, Advoware „Dr.“ wurde ersetzt"),
        (A, "Anrede: Advoware „Frau“ gilt, EspoCRM „Dr.“ wurde ersetzt"),
    ] {
        let mut story = edited();
        story.note(id, line);
        story.check(&["LOST", "UNTRUE"]);
    }
}

#[test]
fn what_came_between_reading_and_writing_is_counted_and_nothing_else_passes_for_it() {
    let mut story = created();
    story.user(A, &json!({ "emailAddress": "2@x" }));
    story.read();
    story.lawyer(ONE, &json!({ "anrede": "Dr.", "emailGesch": "4@x" }));
    let read = story.clone();
    // The whole object goes over what nobody had seen.
    let late = json!({ "emailGesch": "2@x", "anrede": null });
    story.put(ONE, &late);
    let found = story.verdict();
    check(&found, &[]);
    assert_eq!(found.unseen.values().map(Vec::len).collect::<Vec<_>>(), [2], "{:?}", found.unseen);
    let mut story = read;
    story.read();
    story.put(ONE, &late);
    story.check(&["LOST: anrede", "LOST: emailGesch"]);
}

#[test]
fn a_party_that_is_made_twice_is_found() {
    let mut story = good();
    story.put(2, &json!({ "vorname": "Max", "name": "Muster" }));
    story.check(&["DOUBLE: the party 2"]);
    story.update(A, &json!({ "advowareId": 2 }));
    assert!(story.verdict().faults.iter().any(|it| it == "DOUBLE: a had the parties 1 and 2"));
    let mut story = good();
    story.user("b", &json!({ "firstName": "Max", "lastName": "Muster" }));
    story.update("b", &json!({ "advowareId": ONE }));
    assert!(story.verdict().faults.iter().any(|it| it.starts_with("SHARED")));
}

#[test]
fn a_party_of_a_record_that_was_deleted_at_once_is_none_too_many() {
    let mut story = good();
    story.user("b", &json!({ "firstName": "Erika", "lastName": "Kurz" }));
    story.put(2, &json!({ "vorname": "Erika", "name": "Kurz" }));
    story.check(&["ALONE: b", "DOUBLE: the party 2"]);
    story.effect(System::EspoCrm, Change::Delete, CBETEILIGTE, "b", "admin", &json!({}));
    story.records.remove("b");
    story.check(&[]);
}

#[test]
fn sides_that_differ_and_records_that_say_otherwise_are_found() {
    let mut story = good();
    story.user(A, &json!({ "rechtsform": "GmbH" }));
    story.check(&["UNEQUAL: rechtsform of a (1): \"GmbH\""]);
    let story = good();
    for (attribute, value, fault) in [
        ("advowareRowId", json!("before"), "STALE"),
        ("advowareId", json!(7), "ALONE"),
        ("advowareId", Value::Null, "ALONE"),
        ("syncStatus", json!("failed"), "NOT CLEAN"),
        ("syncErrorMessage", json!("why"), "NOT CLEAN"),
    ] {
        let mut shown = story.shown();
        shown.records[0].insert(attribute.to_owned(), value);
        check(&verdict(&story.log, &shown), &[fault]);
    }
}

#[test]
fn a_newer_value_that_is_turned_back_is_found_with_and_without_a_note() {
    // The user's newer value had gone over, and the older one comes back: as after a snapshot that was stored too early.
    let mut story = good();
    story.user(A, &json!({ "emailAddress": "5@x" }));
    story.read();
    story.put(ONE, &json!({ "emailGesch": "5@x" }));
    story.read();
    story.update(A, &json!({ "emailAddress": "3@x" }));
    story.put(ONE, &json!({ "emailGesch": "3@x" }));
    story.check(&["TURNED BACK: emailGesch of a: \"5@x\""]);
    // The lawyer's is the only new one, and gives way to what both sides had.
    let mut story = good();
    story.lawyer(ONE, &json!({ "telGesch": "+494" }));
    story.read();
    story.put(ONE, &json!({ "telGesch": "+493" }));
    story.check(&["LOST: telGesch"]);
    let mut story = good();
    story.lawyer(ONE, &json!({ "emailGesch": "6@x" }));
    story.read();
    story.put(ONE, &json!({ "emailGesch": "2@x" }));
    story.update(A, &json!({ "emailAddress": "2@x" }));
    story.note(A, "E-Mail: EspoCRM „2@x“ gilt, Advoware „6@x“ wurde ersetzt");
    assert!(story.verdict().faults.iter().any(|it| it.starts_with("NOT NEWS: emailGesch")));
}

#[test]
fn a_note_of_a_conflict_that_was_none_is_untrue() {
    let mut story = good();
    // The two values were there at one time, and only one of them was new.
    story.note(A, "E-Mail: EspoCRM „2@x“ gilt, Advoware „3@x“ wurde ersetzt");
    story.check(&["UNTRUE"]);
    // Nor were these ever there at one time.
    story.note(A, "E-Mail: EspoCRM „2@x“ gilt, Advoware „1@x“ wurde ersetzt");
    story.check(&["UNTRUE", "UNTRUE"]);
    story.note(A, "Telefon: EspoCRM leer gilt, Advoware „+495“ wurde ersetzt");
    story.check(&["UNTRUE", "UNTRUE", "UNTRUE"]);
}

#[test]
fn a_conflict_that_ended_otherwise_before_its_note_was_written_is_told_truly() {
    let mut story = good();
    story.user(A, &json!({ "rechtsform": "GmbH" }));
    story.lawyer(ONE, &json!({ "rechtsform": "AG" }));
    // The worker dies here, and the user takes the lawyer's value over by hand.
    story.user(A, &json!({ "rechtsform": "AG" }));
    story.note(A, "Rechtsform: EspoCRM „GmbH“ gilt, Advoware „AG“ wurde ersetzt");
    story.check(&[]);
    assert_eq!(story.verdict().settled_otherwise, 1);
}

#[test]
fn a_note_comes_twice_only_after_a_crash() {
    let mut story = edited();
    story.note(A, LINE);
    let written = at(story.last() * 10);
    story.note(A, LINE);
    story.check(&["TWICE"]);
    let mut killed = story.clone();
    killed.log.blows.push((written, written + TimeDelta::seconds(1)));
    killed.check(&[]);
    assert_eq!(killed.verdict().repeated, 1);
    killed.log.blows = vec![(written + TimeDelta::seconds(5), written + TimeDelta::seconds(6))];
    killed.check(&["TWICE"]);
    // Or after an answer that was lost.
    let calls = story.log.calls.len();
    story.log.calls[calls - 2].status = None;
    story.check(&[]);
}

#[test]
fn after_a_crash_what_went_over_may_count_as_new_once_more() {
    // The user's edit went over, the worker died, and the lawyer edited before anybody looked: told as a conflict.
    let story = |blow: bool| {
        let mut story = good();
        story.user(A, &json!({ "emailAddress": "5@x" }));
        story.read();
        story.put(ONE, &json!({ "emailGesch": "5@x" }));
        if blow {
            let died = at(story.last() * 10);
            story.log.blows.push((died, died));
        }
        story.lawyer(ONE, &json!({ "emailGesch": "6@x" }));
        story.read();
        story.put(ONE, &json!({ "emailGesch": "5@x" }));
        story.note(A, "E-Mail: EspoCRM „5@x“ gilt, Advoware „6@x“ wurde ersetzt");
        story
    };
    story(true).check(&[]);
    story(false).check(&["NOT NEWS"]);
}

#[test]
fn after_a_crash_what_came_over_may_count_as_new_once_more() {
    // The lawyer's edit came over, the worker died, and the lawyer edited again: the older value wins, and that is told.
    let story = |blow: bool| {
        let mut story = edited();
        story.note(A, LINE);
        story.lawyer(ONE, &json!({ "emailGesch": "3@x" }));
        story.read();
        story.update(A, &json!({ "emailAddress": "3@x" }));
        if blow {
            let died = at(story.last() * 10);
            story.log.blows.push((died, died));
        }
        story.lawyer(ONE, &json!({ "emailGesch": "4@x" }));
        story.read();
        story.put(ONE, &json!({ "emailGesch": "3@x" }));
        story.note(A, "E-Mail: EspoCRM „3@x“ gilt, Advoware „4@x“ wurde ersetzt");
        story
    };
    story(true).check(&[]);
    story(false).check(&["NOT NEWS"]);
}

#[test]
fn what_a_person_took_back_was_no_edit() {
    let story = |taken_back: Value| {
        let mut story = good();
        story.user(A, &json!({ "rechtsform": "GmbH" }));
        story.lawyer(ONE, &json!({ "rechtsform": "AG" }));
        story.user(A, &json!({ "rechtsform": taken_back }));
        story.read();
        story.update(A, &json!({ "rechtsform": "AG" }));
        story
    };
    story(Value::Null).check(&[]);
    story(json!("KG")).check(&["LOST: rechtsform of a: \"KG\""]);
}
