//! Record sync as a whole: the program's own processes between a real Redis and the systems' stand-in.
//!
//! What is asserted is read from both systems and from the sandbox's log of effects, never from what a job says of
//! itself; where a job's word is a promise to people (`withheld`), it is checked beside the effects.

mod check;
mod conflict;
mod crash;
mod create;
mod decide;
mod delete;
mod drain;
mod drift;
mod echo;
mod echo_many;
mod failure;
mod import;
mod inspect;
mod ledger_lost;
mod leeway;
mod link;
mod lost_answers;
mod many;
mod matrix;
mod merged;
mod number;
mod odd_answers;
mod outage;
mod revived;
pub mod second;
mod sign_in;
mod soak;
mod storm;
mod sweep;
mod told;
mod traces;
mod trial;
mod update;

use std::path::Path;

use advosync_sandbox::{Fault, Match, System};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::world::World;

/// All parties in Advoware.
const PARTIES: &str = "*/Beteiligte";
/// One party in Advoware.
const PARTY: &str = "*/Beteiligte/*";

/// What the sync itself writes to a record, in the order of the alphabet.
const SYNC_FIELDS: [&str; 6] =
    ["advowareId", "advowareLastSync", "advowareRowId", "syncErrorMessage", "syncRetryCount", "syncStatus"];
/// The fields of a Beteiligter by their names at either side; the names of people come first.
const FIELDS: [(&str, &str); 8] = [
    ("firstName", "vorname"),
    ("lastName", "name"),
    ("dateOfBirth", "geburtsdatum"),
    ("anrede", "anrede"),
    ("rechtsform", "rechtsform"),
    ("handelsregisterNummer", "handelsRegisterNummer"),
    ("emailAddress", "emailGesch"),
    ("phoneNumber", "telGesch"),
];

/// A natural person with every field that is synced.
fn person(first: &str, last: &str) -> Value {
    json!({
        "firstName": first, "lastName": last, "dateOfBirth": "1980-05-17", "anrede": "Herr",
        "emailAddress": format!("{}@example.org", last.to_lowercase()), "phoneNumber": "+4930123456",
    })
}

/// A company.
fn company(name: &str) -> Value {
    json!({ "firmenname": name, "rechtsform": "GmbH", "handelsregisterNummer": "HRB 1234", "phoneNumber": "+4989123456" })
}

/// The create of a party with this text in its body.
fn post_of(text: &str) -> Match {
    Match::on(System::Advoware).request("POST", PARTIES).containing(text)
}

/// The write to a record.
fn put_to_record(id: &str) -> Match {
    Match::on(System::EspoCrm).request("PUT", &format!("*/CBeteiligte/{id}"))
}

/// A fault of creates of parties with this text in their body.
fn on_post(text: &str) -> Fault {
    Fault::on(System::Advoware).post(PARTIES).containing(text)
}

/// A folder with the shipped mapping, changed.
fn mapping_with(change: impl FnOnce(&str) -> String) -> TempDir {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/beteiligte.toml");
    let text = change(&std::fs::read_to_string(shipped).unwrap());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("beteiligte.toml"), text).unwrap();
    folder
}

/// A folder with a mapping that deletes parties with their records.
fn deleting() -> TempDir {
    mapping_with(|shipped| {
        assert_eq!(shipped.matches("on_delete = \"keep\"").count(), 1, "the shipped mapping is another one now");
        shipped.replace("on_delete = \"keep\"", "on_delete = \"delete\"")
    })
}

impl World {
    /// The database lets two records show one number, as where the field was made without `unique`.
    fn lift_unique(&self) {
        self.sandbox.configure(|options| {
            let fields = options.espocrm.entities.iter_mut().flat_map(|entity| &mut entity.fields);
            fields.filter(|field| field.name == "advowareId").for_each(|field| field.unique = false);
        });
    }

    /// With one worker and this folder of mappings.
    async fn mapped(folder: &TempDir, settings: &[(&str, &str)]) -> Self {
        let mapping = ("ADVOSYNC_MAPPINGS", folder.path().to_str().unwrap());
        Self::with(&[&[mapping], settings].concat()).await
    }
}
