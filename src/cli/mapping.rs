//! `advosync mapping check`: what is wrong with mapping files, and what their fields do with values. Needs no settings and
//! no system, but for `--live`.

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::admin::finding::{Finding, Level, report};
use super::{Report, help};
use crate::sync::record::mapping::{Checked, Direction, Field, Mapping, MappingFault, Mappings, Trip};

/// `mapping`.
#[derive(Debug, Args)]
pub struct MappingArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: MappingCommand,
}

/// What can be done with mapping files.
#[derive(Debug, Subcommand)]
pub enum MappingCommand {
    /// Read mapping files, send samples through every field, and say what is wrong
    Check(CheckArgs),
}

/// `mapping check`.
#[derive(Debug, Args)]
#[command(after_help = help::MAPPING_CHECK)]
pub struct CheckArgs {
    /// Mapping files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Also ask EspoCRM and Advoware whether the fields are there and fit; writes nothing
    #[arg(long)]
    pub live: bool,
    /// Print JSON, for scripts
    #[arg(long)]
    pub json: bool,
}

impl MappingArgs {
    /// What is to be checked.
    #[must_use]
    pub fn check(&self) -> &CheckArgs {
        let MappingCommand::Check(args) = &self.command;
        args
    }
}

/// Checks files by themselves.
#[must_use]
pub fn run(args: &CheckArgs) -> Report {
    let checked = Mappings::check(&args.files);
    shown(args, &checked, &[])
}

/// The whole answer. `live`: what the systems say about the mappings, in their order; empty where they were not asked.
pub(in crate::cli) fn shown(args: &CheckArgs, checked: &Checked, live: &[Vec<Finding>]) -> Report {
    let mut findings: Vec<Finding> =
        checked.faults.iter().map(|fault| Finding::fail("file", fault.to_string())).collect();
    let mut documents = Vec::new();
    for (index, (file, mapping)) in checked.good.iter().enumerate() {
        let trips = mapping.round_trips();
        findings.push(Finding::ok(mapping.name.as_str(), format!("{file}: {} fields", mapping.fields.len())));
        let fields = mapping.fields.iter().zip(&trips);
        findings.extend(fields.clone().flat_map(|(field, trip)| field_findings(mapping, field, trip)));
        let asked = live.get(index).map_or(&[][..], Vec::as_slice);
        findings.extend(asked.iter().cloned());
        documents.push(json!({
            "file": file, "name": mapping.name,
            "fields": fields.map(|(field, trip)| as_json(field, trip)).collect::<Vec<_>>(),
            "live": asked.iter().map(finding_as_json).collect::<Vec<_>>(),
        }));
    }
    let lines = report(&findings);
    if !args.json {
        return lines;
    }
    let faults: Vec<Value> = checked.faults.iter().map(fault_as_json).collect();
    let document = json!({ "ok": lines.exit == 0, "faults": faults, "mappings": documents });
    Report { stdout: format!("{document:#}\n"), stderr: Vec::new(), exit: lines.exit }
}

fn field_findings(mapping: &Mapping, field: &Field, trip: &Trip) -> Vec<Finding> {
    let about = format!("{} {}", mapping.name, field.advoware);
    let arrow = match field.direction {
        Direction::Both => "<->",
        Direction::ToAdvoware => "->",
        Direction::ToEspocrm => "<-",
    };
    let mut text = format!("{} {arrow} {}: {}", trip.espocrm.join("/"), field.advoware, field.convert.name());
    let words = [(field.required, "required"), (field.read_only, "read-only in Advoware")];
    for (_, word) in words.iter().filter(|(so, _)| *so) {
        text.push_str(", ");
        text.push_str(word);
    }
    if let Some((_, value)) = mapping.defaults.iter().find(|(name, _)| *name == field.advoware) {
        let _ = write!(text, ", {value} on create");
    }
    let _ = write!(text, "; {} samples arrive", trip.kept);
    if !trip.refused.is_empty() {
        let _ = write!(text, "; stays where it is: {}", trip.refused.join(", "));
    }
    let faults = trip.faults.iter().map(|fault| Finding::fail(about.as_str(), fault.as_str()));
    std::iter::once(Finding::ok(about.as_str(), text)).chain(faults).collect()
}

fn as_json(field: &Field, trip: &Trip) -> Value {
    json!({
        "espocrm": trip.espocrm, "advoware": field.advoware, "label": field.label, "convert": field.convert.name(),
        "to_advoware": field.may_flow_to_advoware(), "to_espocrm": field.may_flow_to_espocrm(),
        "required": field.required, "read_only": field.read_only,
        "samples_kept": trip.kept, "samples_refused": trip.refused, "faults": trip.faults,
    })
}

fn fault_as_json(fault: &MappingFault) -> Value {
    json!({ "file": fault.file, "line": fault.line, "key": fault.key, "problem": fault.problem })
}

fn finding_as_json(finding: &Finding) -> Value {
    let level = match finding.level {
        Level::Ok => "ok",
        Level::Note => "note",
        Level::Warn => "warn",
        Level::Fail => "fail",
    };
    json!({ "level": level, "about": finding.about, "text": finding.text })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn args(files: &[PathBuf], json: bool) -> CheckArgs {
        CheckArgs { files: files.to_vec(), live: false, json }
    }

    fn shipped() -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
        ["beteiligte.toml", "beispiele/akten.toml"].map(|file| folder.join(file)).to_vec()
    }

    #[test]
    fn good_files_have_a_line_for_every_field_and_end_with_0() {
        let said = run(&args(&shipped(), false));
        assert_eq!(said.exit, 0, "{}", said.stdout);
        assert!(said.stdout.lines().all(|line| line.starts_with("ok ")), "{}", said.stdout);
        assert_eq!(said.stdout.lines().count(), 2 + 8 + 8);
        for words in [
            "aktenzeichen <- az: text, read-only in Advoware",
            "rechtsgebiet <-> referat: enum, 10 on create",
            "streitwert <-> streitwert: number",
            "gerichtsMail -> gerichtEmail: email",
            "lastName/firmenname <-> name: text, required",
            "stays where it is: EspoCRM's \"ca. 1980\": not a date",
        ] {
            assert!(said.stdout.contains(words), "{words}: {}", said.stdout);
        }
        let json: Value = serde_json::from_str(&run(&args(&shipped(), true)).stdout).unwrap();
        assert_eq!((&json["ok"], &json["faults"]), (&json!(true), &json!([])));
        assert_eq!(json["mappings"][1]["fields"].as_array().unwrap().len(), 8);
    }

    #[test]
    fn faults_of_all_files_and_between_them_come_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let example = fs::read_to_string(&shipped()[1]).unwrap();
        let file = |name: &str, source: &str| {
            let path = folder.path().join(name);
            fs::write(&path, source).unwrap();
            path
        };
        let files = [
            file("a.toml", &example),
            file("b.toml", &example.replacen("convert = \"date\"", "convert = \"dat\"", 1)),
            file("c.toml", &example.replacen("\"akten\"", "\"parteien\"", 1).replacen("CAkten", "CBeteiligte", 1)),
            file("d.toml", &example),
            folder.path().join("missing.toml"),
        ];
        let said = run(&args(&files, true));
        assert_eq!(said.exit, 1);
        let json: Value = serde_json::from_str(&said.stdout).unwrap();
        let mut faults: Vec<String> = json["faults"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| {
                let file =
                    Path::new(fault["file"].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
                format!("{file}:{} {}", fault["line"], fault["key"].as_str().unwrap())
            })
            .collect();
        faults.sort();
        assert_eq!(
            faults,
            ["b.toml:69 field.convert", "c.toml:16 espocrm.entity", "d.toml:11 name", "missing.toml:null "]
        );
    }
}
