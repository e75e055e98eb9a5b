//! Settings as a whole: faults, precedence, roles, redaction.

mod faults;
mod loading;
mod redaction;

use super::{Role, Settings, SettingsError, Source};

fn source(variables: &[(&str, &str)]) -> Source {
    Source::default().with_environment(variables.iter().copied())
}

fn load(role: Role, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::load(&source(variables), role)
}

fn loaded(role: Role, variables: &[(&str, &str)]) -> Settings {
    load(role, variables).unwrap()
}

fn faults(role: Role, variables: &[(&str, &str)]) -> Vec<String> {
    match load(role, variables) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults.iter().map(ToString::to_string).collect(),
    }
}
