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
mod ledger_lost;
mod link;
mod lost_answers;
mod many;
mod matrix;
mod odd_answers;
mod outage;
mod second;
mod sign_in;
mod storm;
mod sweep;
mod trial;
mod update;

use advosync_sandbox::{Fault, Match, System};
use serde_json::{Value, json};

/// All parties in Advoware.
const PARTIES: &str = "*/Beteiligte";
/// One party in Advoware.
const PARTY: &str = "*/Beteiligte/*";

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
