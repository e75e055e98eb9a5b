//! Parties that only Advoware has and the mapping wants: one EspoCRM record each, once (`import = true`).

use std::fs;
use std::time::Duration;

use advosync::queue::{Batch, Ended, Lane, Topic};
use advosync::sync::ledger::{Import, Ledger, Progress, Written};
use advosync::sync::record::import::{Facts, candidates};
use advosync::sync::record::mapping::Mappings;
use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Change, Effect, Entity, Fault, Field, Kind, Match, Phase, System};
use chrono::Utc;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{company, on_post, person};
use crate::support::redis::Redis;
use crate::support::world::{HASTY, World};

/// All records at `EspoCRM`.
const RECORDS: &str = "*/CBeteiligte";

/// Parties whose `beruf`, which is not mapped, is blank or says so.
const FILTER: &str = "[import_filter]\nberuf = [\"mandant\", \"\"]\n";

struct Office {
    world: World,
    _mappings: TempDir,
}

impl std::ops::Deref for Office {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Office {
    /// With a worker, short waits, and a mapping that imports.
    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Likewise, with further settings.
    async fn with(further: &[(&str, &str)]) -> Self {
        let mappings = mappings();
        let folder = mappings.path().to_str().unwrap();
        let ours =
            [("ADVOSYNC_MAPPINGS", folder), ("ESPOCRM_API_TIMEOUT_SECONDS", "1"), ("ADVOSYNC_MAX_ATTEMPTS", "2")];
        let settings = [&ours[..], &HASTY, further].concat();
        Self { world: World::with(&settings).await, _mappings: mappings }
    }

    fn party_of(&self, values: &Value) -> i64 {
        self.sandbox.people().lawyer_create(BETEILIGTE, values).unwrap()
    }

    async fn enqueue(&self, numbers: &[i64], lane: Lane) {
        let keys: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        self.queue.enqueue(&Batch::new(topic(), lane, &keys, "test")).await.unwrap();
    }

    /// Imports a party and waits for the end of that: its one-word result.
    async fn import(&self, number: i64) -> String {
        let mut waiter = self.queue.waiter(topic(), &number.to_string()).await.unwrap();
        self.enqueue(&[number], Lane::First).await;
        self.until("the import has ended", async || {
            let seen = self.stats().await;
            seen.ready + seen.sweep + seen.running + seen.parked + seen.scheduled == 0
        })
        .await;
        match waiter.poll().await.unwrap() {
            Some(Ended::Done { result, .. }) => result,
            other => panic!("{number} is not imported: {other:?}"),
        }
    }

    /// `EspoCRM`'s records with this number.
    fn records_of(&self, number: i64) -> Vec<String> {
        let all = self.sandbox.people().crm_list(CBETEILIGTE);
        let of = all.iter().filter(|record| record["advowareId"] == number);
        of.map(|record| record["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The one record with this number.
    fn record_of(&self, number: i64) -> String {
        let ids = self.records_of(number);
        assert_eq!(ids.len(), 1, "records with the number {number}: {ids:?}");
        ids[0].clone()
    }

    /// These parties have one record each, made by one POST each, and nothing is written any more, whoever asks.
    async fn imported(&self, numbers: &[i64]) {
        self.deliver().await;
        self.settle_all().await;
        let mark = self.mark();
        let mut ids = Vec::new();
        for number in numbers {
            let id = self.record_of(*number);
            assert_eq!(self.in_step(&id), *number);
            assert_eq!(self.done(&id).await, "unchanged");
            ids.push(id);
        }
        self.enqueue(numbers, Lane::Sweep).await;
        self.rest().await;
        assert_eq!(self.writes(mark), []);
        assert_eq!(made(&self.writes_to(System::EspoCrm, 0)), numbers.len(), "records made");
        assert_eq!((self.stats().await.dead, self.creates()), (0, 0));
        assert_eq!(self.redis.cli(&["HLEN", "ledger:beteiligte:intents"]), "0");
        assert_eq!(self.redis.cli(&["HLEN", "ledger:beteiligte:intent_keys"]), "0");
    }
}

/// A folder with the shipped mapping, which imports.
fn mappings() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = include_str!("../../../mappings/beteiligte.toml");
    fs::write(folder.path().join("ours.toml"), format!("import = true\n{shipped}\n{FILTER}")).unwrap();
    folder
}

fn topic() -> Topic {
    Topic::Import { entity: "beteiligte".to_owned() }
}

fn made(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| effect.change == Change::Create).count()
}

fn max(last: &str) -> Value {
    json!({ "vorname": "Max", "name": last, "geburtsdatum": "1980-05-17", "anrede": "Herr", "telGesch": "+4930123456" })
}

/// The create of a record with this text in its body.
fn post_of(text: &str) -> Match {
    Match::on(System::EspoCrm).request("POST", RECORDS).containing(text)
}

fn on_import(text: &str) -> Fault {
    Fault::on(System::EspoCrm).post(RECORDS).containing(text).once()
}

#[tokio::test]
async fn a_party_is_imported_once_and_in_step() {
    let office = Office::start().await;
    let firm =
        json!({ "name": "Muster GmbH", "rechtsform": "GmbH", "emailGesch": "info@example.org", "beruf": "Mandant" });
    let numbers = [office.party_of(&max("Muster")), office.party_of(&firm)];
    for number in numbers {
        assert_eq!(office.import(number).await, "imported");
    }
    let record = office.record(&office.record_of(numbers[1]));
    assert_eq!((&record["firmenname"], &record["lastName"]), (&json!("Muster GmbH"), &Value::Null));
    office.imported(&numbers).await;
    assert_eq!(office.import(numbers[0]).await, "known");
    // Edits of either side go over from now on.
    let id = office.record_of(numbers[0]);
    office.edit(&id, &json!({ "emailAddress": "neu@example.org" }));
    office.lawyer(numbers[0], &json!({ "anrede": "Frau" }));
    office.rest().await;
    assert_eq!(office.in_step(&id), numbers[0]);
    assert_eq!((&office.record(&id)["anrede"], office.notes(&id).len()), (&json!("Frau"), 0));
    // Somebody deletes it: it was imported once.
    office.sandbox.people().crm_delete(CBETEILIGTE, &id).unwrap();
    office.rest().await;
    let mark = office.mark();
    assert_eq!(office.import(numbers[0]).await, "imported_before");
    assert_eq!((office.writes(mark), office.records_of(numbers[0])), (vec![], vec![]));
}

#[tokio::test]
async fn what_is_not_wanted_or_cannot_be_taken_stays_in_advoware() {
    let office = Office::start().await;
    let other = office.party_of(&json!({ "name": "Gegner GmbH", "beruf": "Gegner" }));
    let nameless = office.party_of(&json!({ "vorname": "Max", "name": " " }));
    assert_eq!(office.import(other).await, "not_wanted");
    assert_eq!(office.import(nameless).await, "left");
    assert_eq!(office.import(4711).await, "gone");
    assert_eq!(office.writes(0), []);
    // A value that EspoCRM refuses is left out there, and is not taken away in Advoware for that.
    let number = office.party_of(&json!({ "name": "Muster AG", "telGesch": "nur mobil" }));
    assert_eq!(office.import(number).await, "imported");
    let id = office.record_of(number);
    let mark = office.mark();
    office.rest().await;
    assert_eq!(office.done(&id).await, "unchanged");
    assert_eq!((office.clean(&id), office.writes(mark)), (number, vec![]));
    assert_eq!(
        (&office.record(&id)["phoneNumber"], &office.party(number)["telGesch"]),
        (&Value::Null, &json!("nur mobil"))
    );
    // What EspoCRM refuses altogether fails like anything else, and is left alone then.
    let long = office.party_of(&json!({ "name": "Lang ".repeat(60) }));
    office.enqueue(&[long], Lane::First).await;
    office.until("it is dead", async || office.stats().await.dead == 1).await;
    let entry = office.redis.cli(&["HGET", "ledger:beteiligte:imports", &long.to_string()]);
    assert!(entry.contains("\"state\":\"left\"") && entry.contains("firmenname"), "{entry}");
    assert_eq!(office.redis.cli(&["HLEN", "ledger:beteiligte:intents"]), "0");
}

#[tokio::test]
async fn a_namesake_is_no_double_and_an_unlinked_record_of_that_name_is_linked() {
    let office = Office::start().await;
    let (twin, first) = office.created(&person("Max", "Zwilling")).await;
    let second = office.party_of(&max("Zwilling"));
    assert_eq!(office.import(second).await, "imported", "the other one has a number of its own");
    assert_eq!((office.in_step(&twin), office.in_step(&office.record_of(second))), (first, second));
    // Nobody was told of this record.
    let unlinked = office.create(&company("Frei GmbH"));
    office.sandbox.forget_webhooks();
    let number = office.party_of(&json!({ "name": "Frei GmbH", "rechtsform": "GmbH" }));
    let mark = office.mark();
    assert_eq!(office.import(number).await, "left");
    assert_eq!(office.clean(&unlinked), number, "its own run has linked it");
    assert_eq!(made(&office.writes_to(System::EspoCrm, mark)), 0);
    assert_eq!(office.import(number).await, "known");
    // After a loss of the ledger the record itself says whose the party is.
    office.lose_ledger();
    let mark = office.mark();
    assert_eq!(office.import(number).await, "exists");
    assert_eq!((office.writes(mark), office.clean(&unlinked)), (vec![], number));
    // EspoCRM's own check finds a record of another name, by its address.
    let same = json!({ "firstName": "Moritz", "lastName": "Frei", "emailAddress": "frei@example.com" });
    let other = office.create(&same);
    office.sandbox.forget_webhooks();
    let party = office.party_of(&json!({ "vorname": "M.", "name": "Frei", "emailGesch": "frei@example.com" }));
    assert_eq!(office.import(party).await, "left");
    assert_eq!(office.records_of(party), [] as [&str; 0], "a person decides");
    assert_ne!(office.in_step(&other), party);
    assert_eq!(office.import(party).await, "imported", "by now that one has a number of its own");
}

#[tokio::test]
async fn an_import_whose_answer_is_lost_makes_one_record() {
    let office = Office::start().await;
    let faults = [
        ("Lost", on_import("Lost").lose_answer()),
        ("Broken", on_import("Broken").answer_after(500, "")),
        ("Slow", on_import("Slow").delay_after(Duration::from_millis(1250))),
        ("Cut", on_import("Cut").cut()),
    ];
    let numbers = faults.map(|(name, fault)| {
        office.sandbox.fault(fault);
        office.party_of(&max(name))
    });
    office.enqueue(&numbers, Lane::First).await;
    office.settle().await;
    assert_eq!(office.sandbox.faults_struck(), 4, "every fault was met");
    // The user and the lawyer go on meanwhile, on different fields.
    let id = office.record_of(numbers[0]);
    office.edit(&id, &json!({ "emailAddress": "neu@example.org", "anrede": null }));
    office.sandbox.forget_webhooks();
    office.lawyer(numbers[0], &json!({ "telGesch": "+4930654321" }));
    office.settle_all().await;
    office.imported_after_edits(&numbers, &id).await;
}

impl Office {
    /// [`Office::imported`], but that one record was edited before it was known.
    async fn imported_after_edits(&self, numbers: &[i64], edited: &str) {
        let (record, party) = (self.record(edited), self.party(numbers[0]));
        assert_eq!((&record["phoneNumber"], &record["anrede"]), (&json!("+4930654321"), &Value::Null));
        assert_eq!((&party["emailGesch"], self.notes(edited).len()), (&json!("neu@example.org"), 0));
        self.imported(numbers).await;
    }
}

#[tokio::test]
async fn an_import_that_is_killed_or_asked_for_twice_makes_one_record() {
    let mut office = Office::with(&[("ADVOSYNC_LEASE", "600ms")]).await;
    let sandbox = office.sandbox.clone();
    let numbers = ["Unsent", "Unanswered"].map(|name| office.party_of(&max(name)));
    let unsent = sandbox.gate(post_of("Unsent"), Phase::Before);
    sandbox.fault(on_import("Unsent").cut());
    let unanswered = sandbox.gate(post_of("Unanswered"), Phase::After);
    for lane in Lane::ALL {
        office.enqueue(&numbers, lane).await;
    }
    unsent.arrived().await;
    unanswered.arrived().await;
    office.world.kill_worker();
    drop((unsent, unanswered));
    office.world.start_worker();
    office.settle_all().await;
    office.imported(&numbers).await;
}

#[tokio::test]
async fn a_create_in_espocrm_that_takes_effect_late_is_waited_for() {
    let mut office = Office::with(&[("ADVOSYNC_QUIET_TIME", "5s"), ("ADVOSYNC_LEASE", "600ms")]).await;
    // Without the database's index nothing but the quiet time keeps a second record with that number away.
    let any_number = Entity::beteiligte(CBETEILIGTE).not_required("lastName").with(Field::new("advowareId", Kind::Int));
    office.sandbox.configure(|options| options.espocrm.entities = vec![any_number]);
    let late = office.sandbox.gate(post_of("Spät GmbH"), Phase::Before);
    let number = office.party_of(&json!({ "name": "Spät GmbH", "rechtsform": "GmbH" }));
    office.enqueue(&[number], Lane::First).await;
    late.arrived().await;
    office.world.kill_worker();
    office.world.start_worker();
    office.until("the next run waits for its effect", async || office.stats().await.scheduled == 1).await;
    // A user makes a record of that name, which must not be linked to the party now.
    let twin = office.create(&company("Spät GmbH"));
    office.deliver().await;
    office.until("its run waits as well", async || office.stats().await.scheduled == 2).await;
    late.release();
    office.rest().await;
    assert_eq!(office.in_step(&office.record_of(number)), number);
    assert_ne!(office.in_step(&twin), number);
    assert_eq!((office.parties().len(), office.stats().await.dead), (2, 0));
}

#[tokio::test]
async fn a_create_that_is_under_way_and_an_import_wait_for_each_other() {
    let office = Office::start().await;
    // The create of this record has made a party, and nobody knows yet.
    office.sandbox.fault(on_post("Mustermann").once().lose_answer());
    let first = office.create(&person("Max", "Mustermann"));
    office.deliver().await;
    office.settle().await;
    let number = office.parties()[0]["betNr"].as_i64().unwrap();
    assert_eq!(office.import(number).await, "known");
    // A user makes the same record while the import is about to send its own.
    let before = office.sandbox.gate(post_of("Vorher"), Phase::Before);
    let party = office.party_of(&max("Vorher"));
    office.enqueue(&[party], Lane::First).await;
    before.arrived().await;
    let second = office.create(&person("Max", "Vorher"));
    office.deliver().await;
    office.until("its own run waits", async || office.stats().await.scheduled == 1).await;
    before.release();
    office.rest().await;
    assert_eq!((office.records_of(party), office.clean(&second)), (vec![second], party));
    // Or just after it has been made: then there are two, and each has its party.
    let after = office.sandbox.gate(post_of("Nachher"), Phase::After);
    let party = office.party_of(&max("Nachher"));
    office.enqueue(&[party], Lane::First).await;
    after.arrived().await;
    office.sandbox.forget_webhooks();
    let third = office.create(&person("Max", "Nachher"));
    office.deliver().await;
    office.until("its own run waits", async || office.stats().await.scheduled == 1).await;
    after.release();
    office.rest().await;
    assert_ne!(office.in_step(&third), party);
    assert_eq!((office.in_step(&first), office.in_step(&office.record_of(party))), (number, party));
    assert_eq!((office.parties().len(), office.stats().await.dead), (4, 0));
    assert_eq!(office.redis.cli(&["HLEN", "ledger:beteiligte:intent_keys"]), "0");
}

#[tokio::test]
async fn the_ledger_tells_of_thousands_of_numbers_and_is_written_under_the_lock_only() {
    let redis = Redis::start();
    let ledger = Ledger::new(redis.prepared().await.store(), "beteiligte");
    let mut raw = redis.raw().await;
    let numbers: Vec<String> = (0..1234).map(|n| n.to_string()).collect();
    let mut pipe = redis::pipe();
    for number in &numbers {
        let gone = json!({ "number": number, "at": Utc::now(), "reason": "r" }).to_string();
        let done = json!({ "at": Utc::now(), "state": "done", "id": format!("d{number}") }).to_string();
        pipe.hset("ledger:beteiligte:dissolved", format!("d{number}"), gone).ignore();
        pipe.hset("ledger:beteiligte:imports", number, done).ignore();
        pipe.hset("ledger:beteiligte:numbers", number, "id").ignore();
    }
    pipe.exec_async(&mut raw).await.unwrap();
    let asked: Vec<String> = numbers.iter().cloned().chain(["x".to_owned()]).collect();
    let facts = Facts {
        owned: ledger.owned(&asked).await.unwrap(),
        imports: ledger.imports(&asked).await.unwrap(),
        dissolved: ledger.dissolved_numbers().await.unwrap(),
    };
    assert_eq!((facts.owned.len(), facts.imports.len(), facts.dissolved.len()), (1234, 1234, 1234));
    assert_eq!(facts.imports["700"].progress, Progress::Done { id: "d700".to_owned() });
    // One fact is enough, and nothing is left but what none of them knows.
    let mapping = Mappings::load(Some(mappings().path())).unwrap().get("beteiligte").unwrap().clone();
    let party = |number: &String| json!({ "betNr": number, "beruf": null }).as_object().unwrap().clone();
    let list: Vec<_> = asked.iter().map(party).collect();
    for facts in [
        Facts { owned: facts.owned, ..Facts::default() },
        Facts { imports: facts.imports, ..Facts::default() },
        Facts { dissolved: facts.dissolved, ..Facts::default() },
    ] {
        assert_eq!(candidates(&mapping, &list, &facts, Utc::now()), ["x"]);
    }

    let (lock, left) =
        ("import_lock:beteiligte:x", Import { at: Utc::now(), progress: Progress::Left { why: "w".into() } });
    assert_eq!(ledger.set_import((lock, "1:a"), "x", Some(&left)).await.unwrap(), Written::Fenced);
    assert_eq!(ledger.import("x").await.unwrap(), None);
    redis.cli(&["SET", lock, "1:a"]);
    assert_eq!(ledger.set_import((lock, "1:a"), "x", Some(&left)).await.unwrap(), Written::Stored);
    assert_eq!(ledger.import("x").await.unwrap(), Some(left));
    ledger.set_import((lock, "1:a"), "x", None).await.unwrap();
    assert_eq!(ledger.import("x").await.unwrap(), None);
}

#[tokio::test]
async fn a_sweep_imports_what_the_list_shows_and_the_filter_wants_once() {
    let office = Office::start().await;
    let wanted = office.party_of(&json!({ "name": "Neumann", "vorname": "Nora", "beruf": "Mandant" }));
    let other = office.party_of(&json!({ "name": "Zeuge", "vorname": "Zoe", "beruf": "Zeugin" }));
    let found = office.sweep().await;
    assert_eq!(found["list"]["import"], 1, "{found}");
    office.settle_all().await;
    let [id] = office.records_of(wanted).try_into().unwrap();
    assert_eq!(office.in_step(&id), wanted);
    assert!(office.records_of(other).is_empty(), "it stays in Advoware");
    office.rest().await;
    // What cannot be read of an earlier import stops nothing else.
    office.redis.cli(&["HSET", "ledger:beteiligte:imports", &wanted.to_string(), "?"]);
    office.pass(24);
    let found = office.sweep().await;
    assert_eq!((&found["list"]["import"], &found["walk"]["listed"]), (&json!(0), &json!(1)), "{found}");
    let done = json!({ "at": Utc::now(), "state": "done", "id": id }).to_string();
    office.redis.cli(&["HSET", "ledger:beteiligte:imports", &wanted.to_string(), &done]);
    // Neither a later list nor one after the record was deleted brings it back.
    let mark = office.mark();
    office.pass(24);
    assert_eq!(office.sweep().await["list"]["import"], 0);
    office.sandbox.people().crm_delete(CBETEILIGTE, &id).unwrap();
    office.rest().await;
    office.pass(24);
    assert_eq!(office.sweep().await["list"]["import"], 0);
    assert!(office.records_of(wanted).is_empty());
    assert_eq!(office.writes(mark), []);
}
