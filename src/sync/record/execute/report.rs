//! What a run did, for whoever waits for the job, for the history, and for the console.

use serde_json::{Value, json};

use crate::sync::record::drift;
use crate::sync::record::merge::{BlockReason, Blocked, Merged, Side};
use crate::worker::Success;

/// What would have been written, had write protection been off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// The Advoware fields concerned.
    pub fields: Vec<String>,
}

/// What a run did. Names of fields only: values are a party's data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// One word: `created`, `linked`, `adopted`, `updated`, `unchanged`, `dissolved`, `gone`, `withheld`; of imports
    /// `imported`, `known`, `exists`, `left`, `imported_before`, `gone`, `not_wanted`, `not_imported`.
    pub result: &'static str,
    /// Advoware's number.
    pub number: Option<String>,
    /// Fields that went to Advoware.
    pub to_advoware: Vec<String>,
    /// Fields that went to EspoCRM.
    pub to_espocrm: Vec<String>,
    /// Fields in conflict; EspoCRM won unless the direction forbids it.
    pub conflicts: Vec<String>,
    /// Fields whose value was replaced without having been agreed on.
    pub replaced: Vec<String>,
    /// Changes that did not go over, with the reason.
    pub blocked: Vec<String>,
    /// What Advoware did not take although it was sent.
    pub ignored: Vec<String>,
    /// What EspoCRM did not take although it was sent.
    pub ignored_by_espocrm: Vec<String>,
    /// What write protection held back.
    pub withheld: Option<Withheld>,
    /// Further remarks.
    pub remarks: Vec<String>,
    /// The sides with differences that a sweep found and no event had announced.
    pub drift: Vec<Side>,
}

impl Report {
    /// A report with this result.
    pub(super) fn new(result: &'static str) -> Self {
        Self { result, ..Self::default() }
    }

    /// Takes over what a merge says.
    pub(super) fn with(mut self, merged: &Merged) -> Self {
        let names = |content: &crate::sync::record::normal::Content| {
            content.iter().map(|(field, _)| field.to_owned()).collect::<Vec<_>>()
        };
        self.to_advoware = names(&merged.to_advoware);
        self.to_espocrm = names(&merged.to_espocrm);
        self.conflicts = merged.conflicts.iter().map(|it| it.field.clone()).collect();
        self.replaced = merged.replaced.iter().map(|it| it.field.clone()).collect();
        self.blocked = merged.blocked.iter().map(blocked).collect();
        self
    }
}

/// A change that stays, with the reason and without the value.
pub(super) fn blocked(it: &Blocked) -> String {
    let from = if it.from == Side::Espocrm { "EspoCRM" } else { "Advoware" };
    let why = match it.reason {
        BlockReason::Direction => "the mapping lets it flow the other way only",
        BlockReason::ReadOnly => "it is read-only in Advoware",
        BlockReason::Required => "it is required and would be blank",
        BlockReason::Refused(why) => why,
    };
    format!("{} from {from}: {why}", it.field)
}

impl From<Report> for Success {
    fn from(report: Report) -> Self {
        let mut detail = serde_json::Map::new();
        let mut put = |name: &str, list: &[String]| {
            if !list.is_empty() {
                detail.insert(name.to_owned(), json!(list));
            }
        };
        put("to_advoware", &report.to_advoware);
        put("to_espocrm", &report.to_espocrm);
        put("conflicts", &report.conflicts);
        put("replaced", &report.replaced);
        put("blocked", &report.blocked);
        put("ignored_by_advoware", &report.ignored);
        put("ignored_by_espocrm", &report.ignored_by_espocrm);
        put("remarks", &report.remarks);
        put("drift", &report.drift.iter().map(|side| drift::name(*side).to_owned()).collect::<Vec<_>>());
        if let Some(number) = report.number {
            detail.insert("number".to_owned(), json!(number));
        }
        if let Some(withheld) = report.withheld {
            detail.insert("withheld".to_owned(), json!({ "method": withheld.method, "fields": withheld.fields }));
        }
        let detail = (!detail.is_empty()).then_some(Value::Object(detail));
        Self { result: report.result.to_owned(), detail }
    }
}
