//! Reads one setting after the other and collects what is wrong, so that all faults are told at once.

use super::catalogue::{self, Fallback, Secrecy};
use super::fault::{Fault, Problem};
use super::secret::Secret;
use super::source::{Found, Source};

/// Collects faults and warnings while settings are read from a source.
pub(super) struct Reader<'a> {
    source: &'a Source,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self { source, faults: source.faults().to_vec(), warnings: source.warnings().to_vec() }
    }

    /// The value as it was written; none where it is not set.
    pub(super) fn find(&mut self, name: &'static str) -> Option<Found> {
        let found = self.source.find(name)?;
        if found.name != name {
            self.warnings.push(format!("{} ({}) is an older name; write {name}", found.name, found.place));
        }
        if let Some(problem) = found.problem {
            self.faults.push(Fault { name: found.name.to_owned(), place: Some(found.place), problem });
            return None;
        }
        Some(found)
    }

    /// Whether the setting is set, without judging its value.
    pub(super) fn is_set(&self, name: &'static str) -> bool {
        self.source.find(name).is_some()
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.find(name).map(|found| found.text)
    }

    pub(super) fn secret(&mut self, name: &'static str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    /// The parsed value; none where it is not set, and none with a fault where it cannot be parsed.
    pub(super) fn optional<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<T> {
        let found = self.find(name)?;
        match parse(&found.text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.faults.push(Fault { name: found.name.to_owned(), place: Some(found.place), problem });
                None
            }
        }
    }

    /// The parsed value, or the default; after a fault the default too, so that reading goes on.
    pub(super) fn value<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, Problem>) -> T {
        self.optional(name, &parse).unwrap_or_else(|| {
            let Fallback::Value(default) = catalogue::get(name).fallback else {
                unreachable!("{name} is read as a setting with a default and has none in the catalogue")
            };
            parse(default).unwrap_or_else(|problem| unreachable!("the default of {name} is refused: {}", problem.what))
        })
    }

    /// A fault that concerns a setting as a whole, such as a rule between two of them.
    pub(super) fn fault(&mut self, name: &'static str, problem: Problem) {
        let place = self.source.find(name).map(|found| found.place);
        self.faults.push(Fault { name: name.to_owned(), place, problem });
    }
}

/// A value as it may be shown.
pub(super) fn shown(secrecy: Secrecy, text: &str) -> String {
    match secrecy {
        Secrecy::Open => text.to_owned(),
        Secrecy::Url => super::secret::hide_password(text),
        Secrecy::Secret => super::secret::HIDDEN.to_owned(),
    }
}
