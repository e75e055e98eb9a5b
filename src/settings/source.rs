//! Where settings come from: the environment, before `.env`, before the file of `--config`, before credentials of systemd.

use std::collections::BTreeMap;
use std::path::Path;

use super::catalogue::Secrecy;
use super::fault::{Fault, Problem};
use super::{catalogue, dotenv, file, hint, secret_file};

/// One place that settings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The process' environment.
    Environment,
    /// The file `.env` in the working folder.
    Dotenv,
    /// The file of `--config`.
    File,
    /// A credential of systemd, for secrets alone.
    Credential,
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
            Self::Credential => "credential",
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
    /// Why there is no text: the file that holds it cannot be used.
    pub(super) problem: Option<Problem>,
}

/// A value of a layer.
#[derive(Clone)]
struct Written {
    text: Result<String, Problem>,
    place: String,
    in_file: bool,
}

/// Everything that was written down, in layers; immutable, so that reading settings twice gives the same.
#[derive(Clone, Default)]
pub struct Source {
    layers: BTreeMap<Origin, BTreeMap<&'static str, Written>>,
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
        if let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") {
            source = source.with_credentials(Path::new(&folder));
        }
        source
    }

    /// Adds what systemd has put into this folder (`LoadCredential=`): files with the names of secrets.
    #[must_use]
    pub fn with_credentials(mut self, folder: &Path) -> Self {
        for entry in catalogue::entries().filter(|entry| entry.may_be_in_a_file()) {
            let path = folder.join(entry.name);
            if path.exists() {
                let place = format!("credential {}", entry.name);
                self.write(
                    Origin::Credential,
                    entry.name,
                    Written { text: secret_file::read(&path), place, in_file: true },
                );
            }
        }
        self
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
        if let Some(name) = catalogue::find(name) {
            self.write(origin, name, Written { text: Ok(text), place, in_file: false });
        } else if let Some(setting) = catalogue::in_file(name) {
            let place = format!("{place}, from the file {text}");
            self.write(origin, setting, Written { text: secret_file::read(Path::new(&text)), place, in_file: true });
        } else {
            self.warnings.extend(hint::unknown(name, &place));
        }
    }

    /// A secret that one layer has twice, itself and in a file, is a fault: nobody knows which of them is meant.
    fn write(&mut self, origin: Origin, name: &'static str, mut written: Written) {
        let layer = self.layers.entry(origin).or_default();
        if let Some(before) = layer.get(name).filter(|before| before.in_file != written.in_file) {
            let what = format!("it is there twice: in the {}, and in the {}", before.place, written.place);
            written.text = Err(Problem::new(what, format!("set either {name} or {name}{}", catalogue::FILE)));
        }
        layer.insert(name, written);
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
                let written = values.get(name)?;
                let text = written.text.as_deref().unwrap_or_default();
                // A password may begin or end with a space; around anything else a space is an accident.
                let text = if entry.secrecy == Secrecy::Secret { text } else { text.trim() }.to_owned();
                let problem = written.text.as_ref().err().cloned();
                Some(Found { text, origin: *origin, name, place: written.place.clone(), problem })
            })
        })
    }

    /// Which layer the setting `name` comes from, where it is set.
    #[must_use]
    pub fn origin_of(&self, name: &str) -> Option<Origin> {
        self.find(name).map(|found| found.origin)
    }

    /// Where a name that is accepted and ignored was set.
    pub(super) fn place_of_ignored(&self, name: &str) -> Option<&str> {
        self.layers.values().find_map(|values| values.get(name)).map(|written| written.place.as_str())
    }
}
