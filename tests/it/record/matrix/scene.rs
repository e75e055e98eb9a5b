//! What happens to a record in a case, and what must be so afterwards.

use std::fmt;
use std::sync::Arc;

use advosync::queue::{Batch, Lane, RecordAction, Topic};
use advosync::sync::record::execute::{Boundary, Place};
use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Change, Fault, Fields, Gate, Match, Phase, System};
use serde_json::{Value, json};

use super::super::{PARTY, on_post, person, post_of, put_to_record};
use super::Blow;
use crate::support::world::World;

/// A way through a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scene {
    /// A new record.
    Create,
    /// A new record that the user edits while nobody works.
    CreateEdited,
    /// A new record that Advoware cannot be searched for.
    Unsearchable,
    /// A new record with the name and birthday of one that is synced.
    Twin,
    /// A new record that Advoware refuses at first.
    Refused,
    /// A new record whose POST never arrives, and that is renamed before anybody looks.
    Renamed,
    /// A new record of which no more than the number can be learnt at first.
    Numbered,
    /// A new record whose POST took effect unheard.
    Adopt,
    /// A new record of a party that is there.
    Link,
    /// The user edits.
    Edit,
    /// The user edits, and both edit something else while nobody works.
    EditAgain,
    /// The user edits, and nobody answers when it is written to Advoware.
    Unheard,
    /// The lawyer edits.
    LawyersEdit,
    /// A person enters the number of a party of which EspoCRM has nothing.
    ByHand,
    /// Both edit the same field, and the lawyer another one, too; the record is assigned to a user.
    Conflict,
    /// The lawyer has deleted the party, and the user clears the number.
    Cleared,
    /// The lawyer edits, and only a sweep asks.
    Drift,
    /// The user deletes a record whose party stays.
    Deleted,
    /// The user merges two records of the same name into the other one.
    Merged,
    /// The user merges another record into this one, which gets its number, and EspoCRM does not tell of its end.
    TakenOver,
    /// The user deletes a record whose party goes with it.
    DeletedBoth,
    /// Advoware refuses an edit once.
    FailsOnce,
    /// Nobody but a person can tell which party it is; the record is assigned to a user.
    FailsForGood,
}

/// One case, with its record.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) scene: Scene,
    pub(super) boundary: Boundary,
    pub(super) blow: Blow,
    /// The word of the case, which no other one has in its values.
    word: String,
    /// The last name.
    name: String,
    /// The record; blank until there is one.
    pub(super) id: String,
    /// The other record of the same name, where the scene has one.
    other: String,
    /// The number of its party, where there is one before the scene begins.
    number: i64,
    /// Where the effects of the scene begin.
    mark: u64,
    /// Holds the POST, where the scene goes on meanwhile.
    posted: Option<Arc<Gate>>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?} in {:?}", self.blow, self.boundary, self.scene)
    }
}

impl Case {
    pub(super) fn new((scene, boundary, blow): (Scene, Boundary, Blow), at: usize) -> Self {
        let word = format!("Fall{at}x");
        let name = word.clone();
        Self {
            scene,
            boundary,
            blow,
            word,
            name,
            id: String::new(),
            other: String::new(),
            number: 0,
            mark: 0,
            posted: None,
        }
    }

    /// What is there before the scene; the world syncs it afterwards.
    pub(super) fn arrange(&mut self, world: &World) {
        let mail = self.mail("fall");
        let full = json!({
            "vorname": "Max", "name": self.name, "geburtsdatum": "1980-05-17", "anrede": "Herr", "emailGesch": mail,
            "telGesch": "+4930123456",
        });
        let lawyers = |values: &Value| world.sandbox.people().lawyer_create(BETEILIGTE, values).unwrap();
        match self.scene {
            _ if self.creates() && !matches!(self.scene, Scene::Twin | Scene::Cleared) => {}
            Scene::Link => self.number = lawyers(&full),
            Scene::ByHand => self.number = lawyers(&json!({ "vorname": "Max", "name": self.name })),
            Scene::Merged | Scene::TakenOver => {
                self.other = world.create(&self.person());
                self.id = world.create(&self.person());
            }
            Scene::FailsForGood => {
                self.number = lawyers(&json!({ "vorname": "Max", "name": self.name }));
                lawyers(&json!({ "vorname": "Max", "name": self.name }));
            }
            _ => self.id = world.create(&self.person()),
        }
    }

    fn person(&self) -> Value {
        let mut person = person("Max", &self.name);
        person["emailAddress"] = json!(self.mail("fall"));
        if matches!(self.scene, Scene::Conflict | Scene::FailsForGood) {
            person["assignedUserId"] = json!(self.word);
        }
        if self.scene == Scene::ByHand {
            person["advowareId"] = json!(self.number);
        }
        person
    }

    fn mail(&self, who: &str) -> String {
        format!("{who}.{}@example.org", self.word.to_lowercase())
    }

    /// The scene begins; jobs are made by the webhooks that wait afterwards, or are queued here.
    pub(super) async fn begin(&mut self, world: &World) {
        if !self.id.is_empty() && self.number == 0 {
            self.number = world.number(&self.id);
        }
        self.mark = world.mark();
        let (sandbox, number) = (&world.sandbox, self.number);
        let crm = json!({ "emailAddress": self.mail("crm") });
        let kanzlei = json!({ "emailGesch": self.mail("kanzlei"), "telGesch": "+4940987654" });
        match self.scene {
            Scene::Create
            | Scene::CreateEdited
            | Scene::Unsearchable
            | Scene::Twin
            | Scene::Link
            | Scene::ByHand
            | Scene::FailsForGood => {}
            Scene::TakenOver => {
                let theirs = world.number(&self.other);
                sandbox.people().crm_delete_unheard(CBETEILIGTE, &self.other).unwrap();
                world.edit(&self.id, &json!({ "advowareId": theirs }));
            }
            Scene::Refused => sandbox.fault(on_post(&self.name).once().answer(400, "Die Anrede ist ungültig.")),
            Scene::Renamed => {
                sandbox.fault(on_post(&self.name).once().cut());
                self.posted = Some(Arc::new(sandbox.gate(post_of(&self.name), Phase::Before)));
            }
            Scene::Numbered => {
                sandbox.fault(on_post(&self.name).once().without(&["rowId"]));
                // Nothing else reads a party before the kill.
                sandbox.fault(Fault::on(System::Advoware).get(PARTY).once().answer(500, ""));
            }
            Scene::Adopt => sandbox.fault(on_post(&self.name).once().lose_answer()),
            Scene::Edit | Scene::EditAgain => world.edit(&self.id, &crm),
            Scene::Unheard => {
                sandbox.fault(
                    Fault::on(System::Advoware).put(&format!("*/Beteiligte/{number}")).once().answer_after(504, ""),
                );
                world.edit(&self.id, &crm);
            }
            Scene::LawyersEdit => {
                world.lawyer(number, &kanzlei);
                self.ask(world, Lane::First, "test").await;
            }
            Scene::Drift => {
                world.lawyer(number, &kanzlei);
                self.ask(world, Lane::Sweep, "sweep").await;
            }
            Scene::Conflict => {
                world.edit(&self.id, &crm);
                world.lawyer(number, &kanzlei);
            }
            Scene::Cleared => {
                sandbox.people().lawyer_delete(BETEILIGTE, number).unwrap();
                world.edit(&self.id, &json!({ "advowareId": null }));
            }
            Scene::Deleted | Scene::Merged | Scene::DeletedBoth => {
                sandbox.people().crm_delete(CBETEILIGTE, &self.id).unwrap();
            }
            Scene::FailsOnce => {
                let put = Fault::on(System::Advoware).put(&format!("*/Beteiligte/{number}"));
                sandbox.fault(put.once().answer(400, "Der Name ist gesperrt."));
                world.edit(&self.id, &crm);
            }
        }
        if self.is_new() {
            self.id = world.create(&self.person());
        }
    }

    /// What happens while the scene runs.
    pub(super) async fn go_on(&mut self, world: &World) {
        if let Some(posted) = self.posted.take() {
            posted.arrived().await;
            self.name = format!("Neu{}", self.word);
            world.edit(&self.id, &json!({ "lastName": self.name }));
            posted.release();
        }
    }

    /// What people do while nobody works.
    pub(super) fn meanwhile(&self, world: &World) {
        match self.scene {
            Scene::CreateEdited => world.edit(&self.id, &json!({ "emailAddress": self.mail("crm") })),
            Scene::EditAgain => {
                world.edit(&self.id, &json!({ "phoneNumber": "+4940987654" }));
                world.lawyer(self.number, &json!({ "anrede": "Frau" }));
            }
            _ => {}
        }
    }

    /// How many requests of the scene itself meet a fault.
    pub(super) fn faults(&self) -> u64 {
        match self.scene {
            Scene::Refused | Scene::Renamed | Scene::Adopt | Scene::FailsOnce | Scene::Unheard => 1,
            Scene::Numbered => 2,
            _ => 0,
        }
    }

    /// Whether the case makes a call to this system fail as if it were down.
    pub(super) fn strains(&self, place: Place) -> bool {
        self.boundary.place() == place || self.scene == Scene::Adopt && place == Place::Advoware
    }

    /// Whether the scene makes a record.
    fn is_new(&self) -> bool {
        matches!(self.scene, Scene::Twin | Scene::Link | Scene::ByHand | Scene::FailsForGood)
            || self.creates() && self.number == 0
    }

    /// Whether the scene makes a party.
    fn creates(&self) -> bool {
        matches!(
            self.scene,
            Scene::Create
                | Scene::CreateEdited
                | Scene::Unsearchable
                | Scene::Twin
                | Scene::Refused
                | Scene::Renamed
                | Scene::Numbered
                | Scene::Adopt
                | Scene::Cleared
        )
    }

    async fn ask(&self, world: &World, lane: Lane, source: &str) {
        let topic = Topic::record("beteiligte", RecordAction::SyncCheck);
        world.queue.enqueue(&Batch::new(topic, lane, std::slice::from_ref(&self.id), source)).await.unwrap();
    }

    /// The request that has the effect of the case's boundary.
    pub(super) fn request(&self) -> Match {
        let party = format!("*/Beteiligte/{}", self.number);
        match self.boundary {
            Boundary::PartyPosted => post_of(&self.name),
            Boundary::PartyPut => Match::on(System::Advoware).request("PUT", &party),
            Boundary::PartyDeleted => Match::on(System::Advoware).request("DELETE", &party),
            Boundary::FailureTold => put_to_record(&self.id).containing("failed"),
            Boundary::NoteWritten | Boundary::FailureNoted | Boundary::NamesakeTold => Match::on(System::EspoCrm)
                .request("POST", "*/Note")
                .containing(&format!("\"parentId\":\"{}\"", self.noted())),
            Boundary::MessageSent | Boundary::FailureMessaged => {
                Match::on(System::EspoCrm).request("POST", "*/Note").containing(&format!("view/{}", self.id))
            }
            Boundary::CreateTold | Boundary::LinkTold | Boundary::RecordUpdated => put_to_record(&self.id),
            other => panic!("say which request {other:?} is"),
        }
    }

    /// Whether a person has to decide.
    pub(super) fn waits(&self) -> bool {
        match (self.scene, self.boundary, self.blow) {
            (Scene::FailsForGood, ..) | (Scene::Unsearchable, Boundary::PartyPosted, _) => true,
            (Scene::Unsearchable, Boundary::IntentStored, blow) => blow == Blow::KilledAfter,
            (Scene::Unsearchable, Boundary::CreateStored, blow) => blow == Blow::KilledBefore,
            _ => false,
        }
    }

    /// The person decides, where one has to.
    pub(super) fn decide(&self, world: &World) -> bool {
        let waits = self.waits();
        if waits {
            let record = world.record(&self.id);
            assert_eq!(record["syncStatus"], "permanently_failed", "{self}: {record:?}");
            assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:trials", &self.id]), "1", "{self}");
            let of = |party: &&Fields| party["name"] == *self.name;
            let number = world.parties().iter().find(of).and_then(|party| party["betNr"].as_i64());
            let name = json!({ "vorname": "Max", "name": self.name });
            let make = || world.sandbox.people().lawyer_create(BETEILIGTE, &name).unwrap();
            world.edit(&self.id, &json!({ "advowareId": number.unwrap_or_else(make) }));
        }
        waits
    }

    /// What one more run says.
    pub(super) fn last_word(&self) -> &'static str {
        if matches!(self.scene, Scene::Deleted | Scene::Merged | Scene::DeletedBoth) { "gone" } else { "unchanged" }
    }

    /// Whether a note stays owed until the next run.
    pub(super) fn owes(&self) -> bool {
        matches!(self.boundary, Boundary::NoteWritten | Boundary::MessageSent)
            && matches!(self.blow, Blow::AnswerLost | Blow::ErrorAfter)
    }

    /// How many parties and how many records of this case there must be.
    pub(super) fn parties(&self) -> usize {
        match self.scene {
            Scene::Twin | Scene::Merged | Scene::TakenOver | Scene::FailsForGood => 2,
            Scene::DeletedBoth => 0,
            _ => 1,
        }
    }

    /// What must be so in the end; its party's number, where the record lives.
    pub(super) fn check(&self, world: &World) -> Option<i64> {
        self.check_writes(world);
        self.check_notes(world);
        if matches!(self.scene, Scene::Deleted | Scene::Merged | Scene::DeletedBoth) {
            assert_eq!(world.redis.cli(&["HEXISTS", "ledger:beteiligte:pairs", &self.id]), "0");
            assert_eq!(world.redis.cli(&["ZSCORE", "ledger:beteiligte:looked", &self.id]), "");
            let kept = world.redis.cli(&["HGET", "ledger:beteiligte:dissolved", &self.id]);
            assert!(kept.contains(&self.number.to_string()), "{kept}");
            return None;
        }
        assert_ne!(world.redis.cli(&["ZSCORE", "ledger:beteiligte:looked", &self.id]), "", "no sweep looks after it");
        let number = world.in_step(&self.id);
        let party = world.party(number);
        let mail = match self.scene {
            Scene::CreateEdited
            | Scene::Edit
            | Scene::EditAgain
            | Scene::Unheard
            | Scene::Conflict
            | Scene::FailsOnce => self.mail("crm"),
            Scene::LawyersEdit | Scene::Drift => self.mail("kanzlei"),
            _ => self.mail("fall"),
        };
        assert_eq!((party["name"].as_str(), party["emailGesch"].as_str()), (Some(&*self.name), Some(&*mail)));
        // Whether it was made or adopted; `in_step` says that the record has it, too.
        let is_killed = matches!(self.blow, Blow::KilledBefore | Blow::KilledAfter);
        if self.scene == Scene::Create && is_killed {
            assert_eq!(party["rechtsform"], "e.K.", "a new party has its defaults");
        }
        if self.scene == Scene::EditAgain {
            assert_eq!((&party["telGesch"], &party["anrede"]), (&json!("+4940987654"), &json!("Frau")));
        }
        match self.scene {
            Scene::Twin | Scene::Cleared | Scene::TakenOver => assert_ne!(number, self.number, "a party of its own"),
            _ if self.number != 0 => assert_eq!(number, self.number),
            _ => {}
        }
        Some(number)
    }

    /// Whether the crash came before the first effect in Advoware.
    fn is_unsent(&self) -> bool {
        let before = matches!(self.boundary, Boundary::PartyPosted | Boundary::PartyPut);
        self.boundary == Boundary::IntentStored || before && self.blow == Blow::KilledBefore
    }

    /// Whether a person has to make the party, because nobody can find out that the create never was.
    fn is_the_lawyers(&self) -> bool {
        self.scene == Scene::Unsearchable && self.waits() && self.is_unsent()
    }

    /// Every effect in Advoware came exactly once.
    fn check_writes(&self, world: &World) {
        let ours = world.writes_to(System::Advoware, self.mark);
        let of = |change: Change| ours.iter().filter(move |effect| effect.change == change);
        let lives = world.sandbox.people().crm_get(CBETEILIGTE, &self.id).is_some();
        let number = if lives { world.number(&self.id) } else { self.number }.to_string();
        let creates =
            of(Change::Create).filter(|effect| effect.body.get("name").is_some_and(|it| *it == *self.name)).count();
        assert_eq!(creates, usize::from(self.creates() && !self.is_the_lawyers()), "creates");
        let updates = of(Change::Update).filter(|effect| effect.key == number).count();
        let expected = match self.scene {
            Scene::Edit | Scene::Unheard | Scene::ByHand | Scene::Conflict | Scene::FailsOnce | Scene::FailsForGood => {
                1
            }
            // What was not sent yet goes over with what came after it.
            Scene::CreateEdited => usize::from(!self.is_unsent()),
            Scene::EditAgain => 1 + usize::from(!self.is_unsent()),
            Scene::Unsearchable => usize::from(self.is_the_lawyers()),
            _ => 0,
        };
        assert_eq!(updates, expected, "updates");
        let deletes = of(Change::Delete).filter(|effect| effect.key == number).count();
        assert_eq!(deletes, usize::from(self.scene == Scene::DeletedBoth), "deletes");
        let fails = self.waits() || self.scene == Scene::FailsOnce;
        if matches!(self.blow, Blow::KilledBefore | Blow::KilledAfter) && !fails {
            let told = world.writes_to(System::EspoCrm, self.mark);
            let told = told.iter().filter(|effect| effect.key == self.id);
            let states: Vec<&Value> = told.map(|effect| &effect.body["syncStatus"]).collect();
            assert!(states.iter().all(|state| **state == "clean"), "a crash is no failure: {states:?}");
        }
    }

    /// Whatever was overwritten without having been agreed on is in a note, and the note came as often as it may.
    fn check_notes(&self, world: &World) {
        let notes = world.notes(self.noted());
        let (word, at_least_once) = match self.scene {
            Scene::Conflict => (self.mail("kanzlei"), Boundary::NoteWritten),
            Scene::Merged | Scene::TakenOver => (
                self.number.to_string(),
                match self.scene {
                    Scene::Merged => Boundary::NamesakeTold,
                    _ => Boundary::NoteWritten,
                },
            ),
            _ if self.waits() => ("endgültig gescheitert".to_owned(), Boundary::FailureNoted),
            _ => {
                assert!(notes.is_empty(), "nobody lost anything: {notes:?}");
                return;
            }
        };
        // Whether a note took effect can no more be asked than whether a POST did.
        let killed_after = |boundary| self.boundary == boundary && self.blow == Blow::KilledAfter;
        let killed_before = |boundary| self.boundary == boundary && self.blow == Blow::KilledBefore;
        let unheard = matches!(self.blow, Blow::AnswerLost | Blow::ErrorAfter);
        let next = match at_least_once {
            Boundary::NoteWritten => Boundary::NotePaid,
            Boundary::NamesakeTold => Boundary::PairDissolved,
            _ => Boundary::FailureMessaged,
        };
        let again = matches!(at_least_once, Boundary::NoteWritten | Boundary::NamesakeTold);
        let again = again && self.boundary == at_least_once && unheard;
        // What has failed is done once more as a whole.
        let whole = next == Boundary::FailureMessaged && killed_after(next);
        let twice = killed_after(at_least_once) || killed_before(next) || again || whole;
        assert_eq!(notes.len(), if twice { 2 } else { 1 }, "notes: {notes:?}");
        assert!(notes.iter().all(|note| note.contains(&word)), "{notes:?}");
        let messages = world.messages(&self.word);
        let told = matches!(self.scene, Scene::Conflict | Scene::FailsForGood);
        let twice = killed_after(Boundary::MessageSent)
            || killed_before(Boundary::MessagePaid)
            || (self.boundary == Boundary::MessageSent && unheard)
            || killed_after(Boundary::FailureMessaged);
        assert_eq!(
            messages.len(),
            if !told {
                0
            } else if twice {
                2
            } else {
                1
            },
            "messages: {messages:?}"
        );
        assert!(messages.iter().all(|message| message.contains(&word)), "{messages:?}");
    }

    /// The record on whose stream people are told.
    fn noted(&self) -> &str {
        if self.scene == Scene::Merged { &self.other } else { &self.id }
    }
}
