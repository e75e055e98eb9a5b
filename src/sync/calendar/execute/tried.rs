//! What could not be done in a run so far, and how often it is tried.

use std::collections::{BTreeMap, BTreeSet};

use crate::worker::Failure;

/// What could not be done so far.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// Entries that failed in passing: how often, and why last.
    pub(super) passing: BTreeMap<String, (u32, Failure)>,
    /// Entries that are not tried again in this run.
    pub(super) given_up: BTreeSet<String>,
    /// How many failed in passing since something last worked.
    pub(super) in_a_row: u32,
    /// What ends the run.
    pub(super) abort: Option<Failure>,
    /// A POST whose outcome is not known.
    pub(super) interrupted: Option<String>,
}

impl Tried {
    pub(super) fn passed(&mut self, name: &str, failure: Failure, most: u32) {
        let times = self.passing.get(name).map_or(0, |(times, _)| *times) + 1;
        self.passing.insert(name.to_owned(), (times, failure));
        if times >= most {
            self.given_up.insert(name.to_owned());
        }
    }

    /// Whether nothing new is to be begun.
    pub(super) fn is_over(&self) -> bool {
        self.abort.is_some() || self.interrupted.is_some()
    }
}
