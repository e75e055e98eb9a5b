//! Creating without doubling (S3 "Linking", S4): what to do about a record without a counterpart, purely.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::convert::{alike, folded};
use super::mapping::Mapping;
use super::normal::{Content, Seen};
use super::route::number_in;
use crate::sync::ledger::Intent;

/// A record of Advoware that could be the one looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its number.
    pub number: String,
    /// All of it.
    pub record: Map<String, Value>,
    /// What of it is synced.
    pub content: Content,
    /// The EspoCRM record that the ledger pairs it with.
    pub owner: Option<String>,
}

/// What to do about a record without a counterpart.
#[derive(Debug, Clone, PartialEq)]
pub enum Creation {
    /// Send the POST; these have equal search keys already.
    Post {
        /// Their numbers.
        known: Vec<String>,
    },
    /// Exactly one party has equal search keys and belongs to nobody: it is the one, if no other EspoCRM record has it.
    Link(Box<Candidate>),
    /// An earlier POST took effect, and this is its party.
    Adopt(Box<Candidate>),
    /// Only a person can tell. Says why, and between which numbers.
    Ask {
        /// Why.
        why: String,
        /// The candidates.
        numbers: Vec<String>,
    },
}

/// The answers of a search that really have equal search keys: Advoware ignores a parameter that it does not know, and
/// then lists everything. A field that proves two parties different takes one out.
#[must_use]
pub fn candidates(mapping: &Mapping, wanted: &Content, found: Vec<Map<String, Value>>) -> Vec<Candidate> {
    found
        .into_iter()
        .filter_map(|record| {
            let content = mapping.from_advoware(&record);
            let fits = mapping.same_search_keys(wanted, &content) && !mapping.proven_different(wanted, &content);
            let number = number_in(&record, &mapping.advoware.id)?;
            fits.then_some(Candidate { number, record, content, owner: None })
        })
        .collect()
}

/// First contact: link to what is there, or create.
#[must_use]
pub fn first(id: &str, candidates: Vec<Candidate>) -> Creation {
    let known: Vec<String> = candidates.iter().map(|candidate| candidate.number.clone()).collect();
    let mut free: Vec<Candidate> =
        candidates.into_iter().filter(|candidate| candidate.owner.as_deref().is_none_or(|owner| owner == id)).collect();
    match free.len() {
        0 => Creation::Post { known },
        1 => Creation::Link(Box::new(free.remove(0))),
        _ => Creation::Ask {
            why: "several parties in Advoware have the same name".to_owned(),
            numbers: free.into_iter().map(|candidate| candidate.number).collect(),
        },
    }
}

/// After a POST whose outcome is unknown, and after its quiet time: did it take effect?
/// `candidates` is `None` where the record cannot be searched for.
#[must_use]
pub fn recover(mapping: &Mapping, intent: &Intent, candidates: Option<Vec<Candidate>>) -> Creation {
    let Some(candidates) = candidates else {
        return Creation::Ask {
            why: "an interrupted create may have taken effect, and there is no search to find out".to_owned(),
            numbers: Vec::new(),
        };
    };
    let known: Vec<String> = candidates.iter().map(|candidate| candidate.number.clone()).collect();
    // Numbers that were there before the POST, or that the ledger pairs with a record, are not its effect.
    let mut new: Vec<Candidate> = candidates
        .into_iter()
        .filter(|candidate| candidate.owner.is_none() && !intent.known.contains(&candidate.number))
        .collect();
    match new.len() {
        0 => Creation::Post { known },
        1 if echoes(mapping, intent, &new[0]) => Creation::Adopt(Box::new(new.remove(0))),
        1 => Creation::Ask {
            why: "a new party in Advoware has the same name as an interrupted create, but other content".to_owned(),
            numbers: vec![new.remove(0).number],
        },
        _ => Creation::Ask {
            why: "after an interrupted create several new parties in Advoware have the same name".to_owned(),
            numbers: new.into_iter().map(|candidate| candidate.number).collect(),
        },
    }
}

/// Whether a party shows what the POST sent, be it in a form of Advoware's own. What it does not show says nothing.
#[must_use]
pub fn echoes(mapping: &Mapping, intent: &Intent, candidate: &Candidate) -> bool {
    let shown = &candidate.content;
    let sent = mapping.from_advoware(&intent.body);
    let defaults = mapping.shows_defaults(&intent.body, &candidate.record);
    defaults
        && mapping.fields.iter().all(|field| match (sent.get(&field.advoware), shown.get(&field.advoware)) {
            (Seen::Absent, _) | (_, Seen::Absent) => true,
            (Seen::Value(sent), Seen::Value(shown)) => field.convert.same(sent, shown) || alike(sent, shown),
            (sent, shown) => field.same(sent, shown),
        })
}

/// One word for all records with equal search keys; empty where the record cannot be searched for.
#[must_use]
pub fn digest(mapping: &Mapping, content: &Content) -> String {
    if mapping.search_query(content).is_none() {
        return String::new();
    }
    let mut hash = Sha256::new();
    for key in &mapping.search.keys {
        // Spelling that counts as equal elsewhere must not part two records here.
        let text = folded(content.get(&key.field).text().unwrap_or_default());
        hash.update(key.field.as_bytes());
        hash.update([0]);
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
