//! `advosync mapping check --live`: whether what mapping files name is there, at both ends. Reads, writes nothing.

use std::sync::Arc;

use anyhow::Result;
use serde_json::{Map, Value};

use super::doctor::{espocrm_api, espocrm_entity};
use super::finding::Finding;
use crate::cli::Report;
use crate::cli::mapping::{CheckArgs, shown};
use crate::clients::advoware::{self, Client, MemoryTokenStore};
use crate::queue::Queue;
use crate::roles::{Parts, queue_options};
use crate::settings::{Settings, Upstream};
use crate::sync::record::mapping::{Mapping, Mappings};
use crate::sync::record::route::number_in;

/// Checks files by themselves, then asks both systems about those that can be read.
pub(super) async fn run(settings: Settings, args: &CheckArgs) -> Result<Report> {
    let checked = Mappings::check(&args.files);
    // A handle that is never used: neither Redis nor the mappings in effect have a part in this.
    let parts = Parts::around(Queue::new(&queue_options(&settings))?, settings, Vec::new());
    let (espocrm, advoware) = (espocrm_api(&parts).await, client(&parts));
    let mut live = Vec::new();
    for (_, mapping) in &checked.good {
        let about = format!("{} espocrm", mapping.name);
        let mut findings = match &espocrm {
            Ok(client) => espocrm_entity(&about, mapping, client).await,
            Err(finding) => vec![Finding::fail(about, finding.text.as_str())],
        };
        let about = format!("{} advoware", mapping.name);
        match &advoware {
            Ok(client) => findings.extend(records(&about, mapping, client).await),
            Err(text) => findings.push(Finding::fail(about, text.as_str())),
        }
        live.push(findings);
    }
    Ok(shown(args, &checked, &live))
}

fn client(parts: &Parts) -> Result<Client, String> {
    if let Some(missing) = parts.settings.missing.iter().find(|missing| missing.upstream == Upstream::Advoware) {
        return Err(missing.to_string());
    }
    let client = parts.advoware_with(Arc::new(MemoryTokenStore::new())).map_err(|error| format!("{error:#}"))?;
    client.ok_or_else(|| "not configured; docs/settings.md lists its settings".to_owned())
}

/// Advoware describes no fields; one record shows them. A list may leave some out, so one of it is read by its number.
async fn records(about: &str, mapping: &Mapping, client: &Client) -> Vec<Finding> {
    let path = &mapping.advoware.path;
    let listed = match client.list(path, &[]).await {
        Ok(listed) => listed,
        Err(advoware::Error::NotFound { .. }) => {
            return vec![Finding::note(about, format!("not checked: {path} has no list; is the path right?"))];
        }
        Err(error) => return vec![Finding::note(about, format!("not checked: {path} was not listed: {error}"))],
    };
    let Some(first) = listed.first() else {
        return vec![Finding::note(about, format!("not checked: {path} lists no record that could show its fields"))];
    };
    let Some(number) = number_in(first, &mapping.advoware.id) else {
        let text = format!("a record of {path} shows no number in {}: correct `advoware.id`", mapping.advoware.id);
        return vec![Finding::fail(about, text)];
    };
    match client.get(path, number.as_str()).await {
        Ok(record) => fields(about, mapping, &record),
        Err(error) => vec![Finding::fail(about, format!("one record of {path} could not be read: {error}"))],
    }
}

/// What one record says about the fields that a mapping names. No value is shown: it is a party's.
fn fields(about: &str, mapping: &Mapping, record: &Map<String, Value>) -> Vec<Finding> {
    let ends = &mapping.advoware;
    let mut findings = Vec::new();
    let mut names: Vec<(&str, &str)> = vec![(&ends.version, "advoware.version")];
    names.extend(mapping.fields.iter().map(|field| (field.advoware.as_str(), "field.advoware")));
    names.extend(mapping.defaults.iter().map(|(name, _)| (name.as_str(), "create.advoware")));
    let filter = mapping.import.iter().flat_map(|import| &import.filter);
    names.extend(filter.map(|(name, _)| (name.as_str(), "import_filter")));
    for (name, key) in names.iter().filter(|(name, _)| !record.contains_key(*name)) {
        let near = record.keys().find(|known| known.eq_ignore_ascii_case(name));
        let hint = near.map_or_else(String::new, |known| format!("; there is {known}"));
        findings.push(Finding::fail(about, format!("a record does not show {name} (`{key}`){hint}")));
    }
    if let Some(modified) = ends.modified.as_ref().filter(|name| !record.contains_key(*name)) {
        findings
            .push(Finding::note(about, format!("a record does not show {modified}, which most servers do not send")));
    }
    for problem in mapping.from_advoware(record).problems() {
        let text =
            format!("the value that a record has in {} cannot be read: {}", problem.field, problem.unreadable.reason);
        findings.push(Finding::warn(about, text));
    }
    if findings.iter().all(|finding| finding.level == super::finding::Level::Note) {
        findings.insert(0, Finding::ok(about, format!("one record shows all {} fields, and fits", names.len())));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::admin::finding::Level;

    #[test]
    fn what_a_record_does_not_show_or_shows_otherwise_is_said_without_its_value() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/beispiele");
        let mappings = Mappings::load(Some(&folder)).unwrap();
        let mapping = mappings.get("akten").unwrap();
        let record = json!({
            "aktNr": 1, "rowId": "v", "kurzrubrum": "Geheim", "az": null, "referat": 10, "streitwert": null, "ablage": "N",
            "anlageDatum": null, "gerichtEmail": null, "richter": null, "standort": 1,
        });
        let check = |change: &dyn Fn(&mut Map<String, Value>), level: Level, words: &str| {
            let mut record = record.as_object().unwrap().clone();
            change(&mut record);
            let findings = fields("it", mapping, &record);
            assert!(findings.len() == 1 && findings[0].level == level, "{findings:?}");
            assert!(findings[0].text.contains(words) && !findings[0].text.contains("Geheim"), "{findings:?}");
        };
        check(&|_| {}, Level::Ok, "all 13 fields");
        check(&|it| _ = it.remove("rowId"), Level::Fail, "rowId (`advoware.version`)");
        check(&|it| _ = it.remove("az"), Level::Fail, "az (`field.advoware`)");
        let other_case = |it: &mut Map<String, Value>| {
            it.remove("anlageDatum");
            it.insert("anlagedatum".to_owned(), json!(null));
        };
        check(&other_case, Level::Fail, "there is anlagedatum");
        check(&|it| _ = it.insert("referat".to_owned(), json!("Geheim")), Level::Warn, "referat cannot be read");
    }
}
