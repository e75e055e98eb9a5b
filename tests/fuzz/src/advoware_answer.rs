//! Whatever Advoware answers is classified: never a panic, never a success that the answer does not say, never a secret in
//! an error. What comes through is read into the normal forms of records and Termine.

use std::sync::Arc;

use advosync::clients::advoware::{Client, Created, Error, Key, MemoryTokenStore, Record};
use advosync::sync::calendar::scope::{MaxDeletions, Multiday, Rules};
use advosync::sync::calendar::termin::Termin;
use advosync::sync::record::mapping::{Mapping, Mappings};
use advosync::sync::record::route::number_in;
use serde_json::Value;

use crate::harness::{run, runtime};
use crate::proxy_path::options;
use crate::upstream::{Answer, Upstream};

const PATH: &str = "api/v1/advonet/Beteiligte";
/// What no error may show, though an answer may repeat it.
const SECRETS: [&str; 3] = ["t0ken-of-the-tests", "kennwort-7", "dGVzdC1zZWNyZXQta2V5"];
/// Characters of a sentence: 200 of the answer, and ours around them.
const LONGEST_ERROR: usize = 600;

/// An input is an answer, as [`Answer::of`] reads it.
#[test]
fn an_answer_of_advoware_is_never_taken_for_another() {
    let runtime = runtime();
    let upstream = runtime.block_on(Upstream::start());
    let client = Client::new(options(&upstream), Arc::new(MemoryTokenStore::new())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mappings = Mappings::load(Some(folder.path())).unwrap();
    let party = mappings.get("beteiligte").unwrap();
    run("advoware_answer", 500, |input| {
        let answer = Answer::of(input);
        upstream.says(answer.clone());
        let json = json(&answer.body);
        runtime.block_on(async {
            let got = judged(&answer, client.get(PATH, "17").await);
            let found = judged(&answer, client.get(PATH, Key::Query("frnr", "17")).await);
            let one = json.as_ref().and_then(one).filter(|_| answer.arrives());
            assert_eq!((got.as_ref(), found.as_ref()), (one, one));
            let listed = judged(&answer, client.list(PATH, &[("nr", "17")]).await);
            let all = json
                .as_ref()
                .and_then(Value::as_array)
                .and_then(|items| items.iter().map(|item| item.as_object().cloned()).collect::<Option<Vec<_>>>());
            assert_eq!(listed, all.filter(|_| answer.arrives()));
            let employees = judged(&answer, client.employees().await).unwrap_or_default();
            assert!(employees.iter().all(|employee| !employee.kuerzel.trim().is_empty()), "{employees:?}");
            let sent = Record::new();
            let posted = judged(&answer, client.post(PATH, &sent).await);
            assert_eq!(posted, json.as_ref().and_then(created).filter(|_| answer.arrives()));
            let put = judged(&answer, client.put(PATH, "17", &sent).await);
            assert!(put.flatten().is_none_or(|record| Some(&record) == one), "another record than that of the answer");
            judged(&answer, client.delete(PATH, "17").await);
        });
        let records = json.iter().flat_map(|json| json.as_array().map_or(std::slice::from_ref(json), Vec::as_slice));
        for record in records.filter_map(Value::as_object) {
            reads_as_termin(record);
            reads_as_party(party, record);
        }
    });
}

impl Answer {
    /// Whether its body counts.
    fn arrives(&self) -> bool {
        self.is_success() && !self.cut
    }
}

/// The result, after what holds for every call.
fn judged<T>(answer: &Answer, result: Result<T, Error>) -> Option<T> {
    let error = match result {
        Ok(result) => {
            assert!(answer.arrives(), "a success of {} cut={}", answer.status, answer.cut);
            return Some(result);
        }
        Err(error) => error,
    };
    let text = error.to_string();
    // The plain text of a 2xx is quoted as it stands.
    assert!(answer.is_success() || SECRETS.iter().all(|secret| !text.contains(secret)), "a secret: {text}");
    let begins = answer.body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&answer.body).trim_ascii_start();
    let party = begins.starts_with(b"{") || begins.starts_with(b"[");
    assert!(!party || !answer.is_success() || !text.contains("Besprechung"), "somebody's data: {text}");
    assert!(text.chars().count() <= LONGEST_ERROR && !text.contains(char::is_control), "{text:?}");
    let (status, cut) = (answer.status, answer.cut);
    let says = String::from_utf8_lossy(&answer.body).to_lowercase();
    match status {
        // An empty list is a record that is not there.
        200..300 => assert!(error.effect_unknown() || matches!(error, Error::NotFound { .. }), "{status}: {error:?}"),
        300..400 | 408 | 500.. => assert!(error.effect_unknown(), "{status}: {error:?}"),
        _ => assert!(!error.effect_unknown(), "{status}: {error:?}"),
    }
    if !cut && (400..500).contains(&status) && status != 408 && says.contains("ist nicht angemeldet") {
        assert!(error.upstream_down(), "{status}: {error:?}");
    }
    if let Error::NotFound { .. } = error {
        assert!(status == 404 || answer.is_success(), "{status}: {error:?}");
        assert!(!says.trim_start_matches('\u{feff}').trim_start().starts_with('<'), "a page is no deleted record");
    }
    None
}

fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)).ok()
}

fn one(json: &Value) -> Option<&Record> {
    match json {
        Value::Array(items) if items.len() == 1 => items[0].as_object(),
        other => other.as_object(),
    }
}

fn created(json: &Value) -> Option<Created> {
    let json = match json {
        Value::Array(items) if items.len() == 1 => &items[0],
        other => other,
    };
    match json {
        Value::Object(record) => Some(Created::Record(record.clone())),
        Value::Number(number) => number.as_i64().map(Created::Number),
        Value::String(text) => text.trim().parse().ok().map(Created::Number),
        _ => None,
    }
}

/// Its number is the one that stands there, and it ends where it begins or later.
fn reads_as_termin(record: &Record) {
    let rules = Rules {
        kanzlei: "Muster".to_owned(),
        multiday: Multiday::AllDay,
        blocked_title: "Blocked".to_owned(),
        max_deletions: MaxDeletions { count: 5, percent: 10 },
        write_protection: false,
    };
    if let Ok(termin) = Termin::read(record, "SB", &rules) {
        let said = record.get("frNr").map(|said| said.as_str().map_or_else(|| said.to_string(), str::to_owned));
        let said = said.and_then(|said| said.trim().parse::<f64>().ok());
        #[expect(clippy::cast_precision_loss, reason = "a number that is another one differs by more")]
        let number = termin.number as f64;
        assert!(termin.number != 0 && said == Some(number), "{said:?} became {number}");
        assert!(termin.entry.when.first_day() <= termin.entry.when.last_day(), "{:?}", termin.entry.when);
        assert_eq!(&termin.raw, record);
        assert_eq!(termin.entry.prints(), termin.prints);
    }
}

/// What is written over a record from what was read of it changes nothing that the mapping could read.
fn reads_as_party(mapping: &Mapping, record: &Record) {
    let content = mapping.from_advoware(record);
    let mut whole = record.clone();
    mapping.write_advoware(&content, &mut whole);
    let again = mapping.from_advoware(&whole);
    for field in &mapping.fields {
        let (before, after) = (content.get(&field.advoware), again.get(&field.advoware));
        assert!(!before.is_known() || field.same(before, after), "{}: {before:?} became {after:?}", field.advoware);
    }
    assert_eq!(number_in(record, &mapping.advoware.id), number_in(&whole, &mapping.advoware.id));
}
