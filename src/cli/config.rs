//! `advosync config`: the settings in effect, where each came from, and everything that is wrong with them.

use serde_json::{Map, Value, json};

use super::{Json, Report};
use crate::settings::{Effective, Role, Settings, SettingsError, Source, effective};

/// All settings, secrets hidden; faults and warnings on stderr, and with faults exit code 78.
#[must_use]
pub fn run(args: Json, source: &Source) -> Report {
    let settings = effective(source);
    let (warnings, faults) = match Settings::load(source, Role::Doctor) {
        Ok(loaded) => (told(loaded), Vec::new()),
        Err(error) => (Vec::new(), error.faults.iter().map(ToString::to_string).collect()),
    };
    let exit = if faults.is_empty() { 0 } else { SettingsError::EXIT_CODE };
    if args.json {
        let values: Map<String, Value> = settings.into_iter().map(|it| (it.name.to_owned(), as_json(&it))).collect();
        let document = json!({"settings": values, "warnings": warnings, "faults": faults});
        return Report { stdout: format!("{document:#}\n"), stderr: Vec::new(), exit };
    }
    let stderr = warnings.into_iter().map(|text| format!("warning: {text}"));
    let stderr = stderr.chain(faults.into_iter().map(|text| format!("fault: {text}"))).collect();
    Report { stdout: as_table(&settings), stderr, exit }
}

fn told(settings: Settings) -> Vec<String> {
    let missing = settings.missing.iter().map(ToString::to_string).collect::<Vec<_>>();
    settings.warnings.into_iter().chain(missing).collect()
}

fn as_json(setting: &Effective) -> Value {
    json!({"value": setting.value, "source": setting.origin.label(), "place": setting.place})
}

fn as_table(settings: &[Effective]) -> String {
    let rows: Vec<_> = settings.iter().map(|it| (it.name, it.value.as_deref().unwrap_or("-"), &it.place)).collect();
    let widest = |column: fn(&(&str, &str, &String)) -> usize| rows.iter().map(column).max().unwrap_or_default();
    let name_width = widest(|row| row.0.chars().count());
    let value_width = widest(|row| row.1.chars().count()).min(60);
    let line =
        |(name, value, place): &(&str, &str, &String)| format!("{name:name_width$}  {value:value_width$}  {place}\n");
    rows.iter().map(line).collect()
}
