//! The shipped example of a second entity, from webhook to sweep: its mapping file and nothing else makes it work.

use std::path::Path;

use advosync::queue::{Batch, Ended, Lane, Topic};
use advosync_sandbox::{Address, Entity, Fault, Field, Fields, Kind, Options, Resource, System};
use serde_json::{Value, json};

use crate::support::world::{HASTY, World};

const CAKTEN: &str = "CAkten";
const AKTEN: &str = "Akten";

/// `EspoCRM`'s entity, as somebody makes it in the Entity Manager.
pub fn entity() -> Entity {
    let words = |all: &[&str]| Kind::Enum(all.iter().map(|&word| word.to_owned()).collect());
    Entity {
        name: CAKTEN.to_owned(),
        person: false,
        stream: true,
        optimistic: false,
        duplicate_fields: Vec::new(),
        fields: vec![
            Field::varchar("name", 255).required(),
            Field::varchar("aktenzeichen", 50),
            Field::new("rechtsgebiet", words(&["", "Arbeitsrecht", "Familienrecht", "Mietrecht"])),
            Field::new("streitwert", Kind::Int),
            Field::new("abgelegt", Kind::Bool).default(json!(false)),
            Field::new("angelegtAm", Kind::Date),
            Field::new("gerichtsMail", Kind::Email),
            Field::varchar("richterVorname", 100),
            Field::varchar("richterNachname", 100),
            Field::new("awNummer", Kind::Int),
            Field::varchar("awRowId", 50),
            Field::new("awStatus", words(&["clean", "dirty", "pending_sync", "failed", "permanently_failed"])),
            Field::new("awAbgleich", Kind::DateTime),
            Field::new("awFehler", Kind::Text),
            Field::new("awVersuche", Kind::Int).default(json!(0)),
        ],
    }
}

/// Advoware's resource.
fn resource() -> Resource {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    Resource {
        name: AKTEN.to_owned(),
        key: "aktNr".to_owned(),
        address: Address::Path,
        fields: words("kurzrubrum az referat streitwert ablage anlageDatum gerichtEmail richter standort bemerkung"),
        read_only: words("az"),
        search: words("kurzrubrum"),
        dates: words("anlageDatum"),
        first_key: 7001,
    }
}

/// An installation with both entities and one worker.
async fn start(further: &[(&str, &str)]) -> World {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/beispiele");
    let mut options = Options::default();
    options.espocrm.entities.push(entity());
    options.advoware.resources.push(resource());
    let folder = folder.display().to_string();
    let settings = [&[("ADVOSYNC_MAPPINGS", folder.as_str())], further].concat();
    let mut world = World::idle(&settings, options).await;
    world.start_worker();
    world
}

/// The cases of one installation.
struct Cases(World);

impl Cases {
    fn record(&self, id: &str) -> Fields {
        self.0.sandbox.people().crm_get(CAKTEN, id).unwrap()
    }

    fn case(&self, number: i64) -> Fields {
        self.0.sandbox.people().advoware_get(AKTEN, number).unwrap()
    }

    /// Somebody edits a record, and all comes to rest; what was written to either system.
    async fn edited(&self, id: &str, values: &Value) -> (usize, usize) {
        let mark = self.0.mark();
        self.0.sandbox.people().crm_update(CAKTEN, id, values).unwrap();
        self.0.rest().await;
        let count = |system| self.0.writes_to(system, mark).len();
        (count(System::Advoware), count(System::EspoCrm))
    }

    async fn sweep(&self) {
        let topic = Topic::Sweep { entity: "akten".to_owned() };
        let mut waiter = self.0.queue.waiter(topic.clone(), "all").await.unwrap();
        self.0.queue.enqueue(&Batch::new(topic, Lane::Sweep, &["all".to_owned()], "cron")).await.unwrap();
        let ended = loop {
            if let Some(ended) = waiter.poll().await.unwrap() {
                break ended;
            }
        };
        assert!(matches!(&ended, Ended::Done { result, .. } if result == "swept"), "{ended:?}");
        self.0.rest().await;
    }
}

#[tokio::test]
async fn the_example_s_entity_is_synced_by_its_mapping_alone() {
    let cases = Cases(start(&[]).await);
    let people = cases.0.sandbox.people();
    let id = people
        .crm_create(
            CAKTEN,
            &json!({
                "name": "Muster ./. Meier", "angelegtAm": "2026-03-01", "gerichtsMail": "ag@gericht.example",
                "richterVorname": "Anna", "richterNachname": "Weiss",
            }),
        )
        .unwrap();
    cases.0.rest().await;

    // Created: the table's words, the truth value, the defaults; the default came back to the blank attribute.
    let (record, number) = (cases.record(&id), cases.record(&id)["awNummer"].as_i64().unwrap());
    let case = cases.case(number);
    assert_eq!(number, 7001);
    for (field, expected) in [
        ("kurzrubrum", json!("Muster ./. Meier")),
        ("referat", json!(10)),
        ("ablage", json!("N")),
        ("standort", json!(1)),
        ("anlageDatum", json!("2026-03-01")),
        ("gerichtEmail", json!("ag@gericht.example")),
        ("richter", json!("Anna Weiss")),
    ] {
        assert_eq!(case[field], expected, "{field}: {case:?}");
    }
    assert_eq!((&record["rechtsgebiet"], &record["awStatus"]), (&json!("Arbeitsrecht"), &json!("clean")));
    let both = (cases.0.writes_to(System::Advoware, 0).len(), cases.0.writes_to(System::EspoCrm, 0).len());
    assert_eq!(both, (1, 1), "one POST, and one write with status and default");

    // Edited in EspoCRM: numbers stay numbers.
    assert_eq!(cases.edited(&id, &json!({"rechtsgebiet": "Mietrecht", "abgelegt": true})).await, (1, 1));
    assert_eq!((&cases.case(number)["referat"], &cases.case(number)["ablage"]), (&json!(30), &json!("J")));

    // What Advoware does not let change is told once and not sent.
    assert_eq!(cases.edited(&id, &json!({"aktenzeichen": "17/26"})).await.0, 0);
    let notes = cases.0.notes(&id);
    assert!(notes.len() == 1 && notes[0].contains("Aktenzeichen: EspoCRM „17/26“"), "{notes:?}");
    assert_eq!(cases.edited(&id, &json!({"angelegtAm": "2026-03-02"})).await.0, 1);
    assert_eq!(cases.0.notes(&id).len(), 1, "once a change, not at every run");

    // Edited in Advoware, found by the sweep; a value that the table lacks changes nothing.
    let changes = json!({"referat": 20, "streitwert": 5000.0, "ablage": "N", "az": "18/26", "richter": "Anna Schwarz"});
    people.lawyer_update(AKTEN, number, &changes).unwrap();
    cases.sweep().await;
    let record = cases.record(&id);
    assert_eq!(
        (&record["rechtsgebiet"], &record["abgelegt"], &record["aktenzeichen"]),
        (&json!("Familienrecht"), &json!(false), &json!("18/26"))
    );
    assert_eq!(record["streitwert"], 5000, "an int takes no text");
    assert_eq!((&record["richterVorname"], &record["richterNachname"]), (&json!("Anna"), &json!("Schwarz")));
    people.lawyer_update(AKTEN, number, &json!({"referat": 99})).unwrap();
    assert_eq!(cases.edited(&id, &json!({"name": "Muster ./. Meyer"})).await.0, 1);
    assert_eq!(
        (&cases.case(number)["referat"], &cases.record(&id)["rechtsgebiet"]),
        (&json!(99), &json!("Familienrecht"))
    );

    // An edit in EspoCRM goes over it, and the note keeps it.
    assert_eq!(cases.edited(&id, &json!({"rechtsgebiet": "Mietrecht"})).await.0, 1);
    let notes = cases.0.notes(&id);
    assert!(
        notes.iter().any(|note| note.contains("EspoCRM „Mietrecht“ gilt, Advoware „99“ wurde ersetzt")),
        "{notes:?}"
    );

    // Deleted in EspoCRM: deleted in Advoware, as this mapping wants it.
    people.crm_delete(CAKTEN, &id).unwrap();
    cases.0.rest().await;
    assert_eq!(people.advoware_get(AKTEN, number), None);
    assert_eq!(people.crm_list("CBeteiligte").len(), 0, "the other entity is none of its business");
}

#[tokio::test]
async fn the_example_s_cases_are_imported_by_its_filter() {
    let cases = Cases(start(&[]).await);
    let people = cases.0.sandbox.people();
    let case = |name: &str, place: u32, closed: &str| {
        let case = json!({"kurzrubrum": name, "standort": place, "ablage": closed, "referat": 30, "az": "1/26"});
        people.lawyer_create(AKTEN, &case).unwrap()
    };
    let wanted = case("Wohnung", 1, "N");
    case("Zweigstelle", 2, "N");
    case("Abgelegt", 1, "J");
    cases.sweep().await;
    let records = people.crm_list(CAKTEN);
    assert_eq!(records.len(), 1, "{records:?}");
    let record = &records[0];
    assert_eq!((&record["awNummer"], &record["name"]), (&json!(wanted), &json!("Wohnung")));
    assert_eq!(
        (&record["rechtsgebiet"], &record["abgelegt"], &record["aktenzeichen"]),
        (&json!("Mietrecht"), &json!(false), &json!("1/26"))
    );
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_keeps_its_defaults() {
    let cases = Cases(start(&HASTY).await);
    let people = cases.0.sandbox.people();
    cases.0.sandbox.fault(Fault::on(System::Advoware).post("*/Akten").once().lose_answer());
    let id = people.crm_create(CAKTEN, &json!({ "name": "Muster ./. Meier" })).unwrap();
    cases.0.rest().await;
    assert_eq!(cases.0.sandbox.faults_struck(), 1);
    let all = people.advoware_list(AKTEN);
    assert_eq!(all.len(), 1, "{all:?}");
    // What EspoCRM never had is not taken for something that somebody has cleared there.
    assert_eq!((&all[0]["referat"], &all[0]["standort"]), (&json!(10), &json!(1)));
    let record = cases.record(&id);
    assert_eq!((&record["rechtsgebiet"], &record["awStatus"]), (&json!("Arbeitsrecht"), &json!("clean")));
    assert_eq!(cases.0.writes_to(System::Advoware, 0).len(), 1, "the POST and no PUT");
    assert_eq!(cases.0.notes(&id), Vec::<String>::new());
    assert_eq!(cases.edited(&id, &json!({ "rechtsgebiet": "Mietrecht" })).await.0, 1);
    assert_eq!(cases.0.notes(&id), Vec::<String>::new(), "an edit of a default is no conflict");
}
