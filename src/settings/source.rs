//! Where settings come from: the environment, before `.env`, before the file of `--config`.

use std::collections::BTreeMap;
use std::path::Path;

use super::catalogue::Secrecy;
use super::fault::{Fault, Problem};
use super::{catalogue, dotenv, file, hint};

/// One place that settings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The process' environment.
    Environment,
    /// The file `.env` in the working folder.
    Dotenv,
    /// The file of `--config`.
    File,
    /// The default of the documentation.
    Default,
}

impl Origin {
    /// How a person knows it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Dotenv => ".env",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// A value as it was found.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) text: String,
    pub(super) origin: Origin,
    /// The name it was found under: the setting's own or an older one.
    pub(super) name: &'static str,
    /// Such as `.env line 3`.
    pub(super) place: String,
}

/// Everything that was written down, in layers; immutable, so that reading settings twice gives the same.
#[derive(Clone, Default)]
pub struct Source {
    layers: BTreeMap<Origin, BTreeMap<&'static str, (String, String)>>,
    faults: Vec<Fault>,
    warnings: Vec<String>,
}

impl Source {
    /// The process' environment, `.env` in the working folder, and `config`, where given. What cannot be read becomes a
    /// fault of [`super::Settings::load`], beside all the others.
    #[must_use]
    pub fn gather(config: Option<&Path>) -> Self {
        let mut source = Self::default();
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        for (name, value) in variables {
            match value.into_string() {
                Ok(text) => source.add(Origin::Environment, &name, text, Origin::Environment.label().to_owned()),
                Err(_) if catalogue::find(&name).is_some() => source.faults.push(Fault {
                    name,
                    place: Some(Origin::Environment.label().to_owned()),
                    problem: Problem::new("the value is no UTF-8", "write it as UTF-8"),
                }),
                Err(_) => {}
            }
        }
        match std::fs::read_to_string(".env") {
            Ok(text) => source = source.with_dotenv(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => source.unreadable(".env", &error),
        }
        if let Some(path) = config {
            let shown = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => source = source.with_file(&shown, &text),
                Err(error) => source.unreadable(&shown, &error),
            }
        }
        source
    }

    /// Adds variables as if they came from the environment.
    #[must_use]
    pub fn with_environment<N: AsRef<str>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        for (name, text) in variables {
            self.add(Origin::Environment, name.as_ref(), text.into(), Origin::Environment.label().to_owned());
        }
        self
    }

    /// Adds the text of a `.env` file.
    #[must_use]
    pub fn with_dotenv(mut self, text: &str) -> Self {
        for entry in dotenv::parse(text) {
            match entry {
                Ok((line, name, text)) => self.add(Origin::Dotenv, &name, text, format!(".env line {line}")),
                Err((line, what)) => self.faults.push(Fault {
                    name: ".env".to_owned(),
                    place: Some(format!("line {line}")),
                    problem: Problem::new(
                        format!("the line cannot be read: {what}"),
                        "write NAME=value, in single quotes where the value has spaces, quotes or `#`",
                    ),
                }),
            }
        }
        self
    }

    /// Adds the text of a TOML file that is known to people as `file`.
    #[must_use]
    pub fn with_file(mut self, file: &str, text: &str) -> Self {
        let (entries, faults) = file::parse(file, text);
        self.faults.extend(faults);
        for (place, name, text) in entries {
            self.add(Origin::File, &name, text, place);
        }
        self
    }

    fn add(&mut self, origin: Origin, name: &str, text: String, place: String) {
        // Empty means not set: compose files and unit files pass `NAME=` on for whatever their user left out.
        if text.trim().is_empty() {
            return;
        }
        match catalogue::find(name) {
            Some(name) => {
                self.layers.entry(origin).or_default().insert(name, (text, place));
            }
            None => self.warnings.extend(hint::unknown(name, &place)),
        }
    }

    fn unreadable(&mut self, file: &str, error: &std::io::Error) {
        self.faults.push(Fault {
            name: file.to_owned(),
            place: None,
            problem: Problem::new(format!("the file cannot be read: {error}"), "check its path and permissions"),
        });
    }

    pub(super) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The value of the setting `name`: the highest layer wins, within a layer its own name before an older one.
    pub(super) fn find(&self, name: &str) -> Option<Found> {
        let entry = catalogue::get(name);
        self.layers.iter().find_map(|(origin, values)| {
            std::iter::once(&entry.name).chain(entry.aliases).find_map(|name| {
                let (text, place) = values.get(name).map(|(text, place)| (text.as_str(), place))?;
                // A password may begin or end with a space; around anything else a space is an accident.
                let text = if entry.secrecy == Secrecy::Secret { text } else { text.trim() };
                Some(Found { text: text.to_owned(), origin: *origin, name, place: place.clone() })
            })
        })
    }

    /// Where a name that is accepted and ignored was set.
    pub(super) fn place_of_ignored(&self, name: &str) -> Option<&str> {
        self.layers.values().find_map(|values| values.get(name)).map(|(_, place)| place.as_str())
    }
}
