use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::parse::parse;
use super::*;
use crate::sync::record::merge::{Merged, Snapshot, merge};
use crate::sync::record::normal::{Content, Seen};

const SHIPPED: &str = include_str!("../../../../mappings/beteiligte.toml");

fn shipped() -> Mapping {
    parse("beteiligte.toml", SHIPPED).expect("the shipped mapping is valid").0
}

/// The shipped file with one change must be refused with exactly this fault.
fn check(from: &str, to: &str, expected: &str) {
    assert!(SHIPPED.contains(from), "{from} is not in the shipped file");
    let source = SHIPPED.replacen(from, to, 1);
    let faults = parse("x.toml", &source).expect_err(to);
    let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(shown.iter().any(|fault| fault.starts_with(expected)), "{to}: expected {expected} among {shown:#?}");
    assert_eq!(shown.len(), 1, "{to}: {shown:#?}");
}

#[test]
fn the_shipped_mapping_follows_the_contract() {
    let mapping = shipped();
    let table: Vec<_> = mapping
        .fields
        .iter()
        .map(|field| match &field.source {
            Source::Attribute(attribute) => (attribute.as_str(), field.advoware.as_str()),
            Source::Joined(joined) => panic!("{joined:?}"),
            Source::First => ("(first)", field.advoware.as_str()),
            Source::Name => ("(name)", field.advoware.as_str()),
        })
        .collect();
    assert_eq!(
        table,
        [
            ("(name)", "name"),
            ("(first)", "vorname"),
            ("dateOfBirth", "geburtsdatum"),
            ("anrede", "anrede"),
            ("rechtsform", "rechtsform"),
            ("handelsregisterNummer", "handelsRegisterNummer"),
            ("emailAddress", "emailGesch"),
            ("phoneNumber", "telGesch"),
        ]
    );
    assert_eq!(mapping.name, "beteiligte");
    assert_eq!(mapping.espocrm.link, "advowareId");
    assert_eq!(mapping.advoware.path, "api/v1/advonet/Beteiligte");
    assert_eq!(mapping.on_delete, OnDelete::Keep);
    let sweep = Sweep { recheck_hours: 24, looks_per_hour: 600, list: true, page: 200, trial_hours: 24, trials: 7 };
    assert_eq!(mapping.sweep, sweep);
    assert!(mapping.field("name").is_some_and(|field| field.required));
}

#[test]
fn every_typing_error_is_refused_with_line_and_key() {
    check("on_delete =", "on_delet =", "x.toml:7: `on_delet`: unknown key; known here: name, on_delete");
    check("on_delete = \"keep\"", "on_delete = \"kep\"", "x.toml:7: `on_delete`: `kep` is none of: keep, delete");
    check("name = \"beteiligte\"", "name = \"Beteiligte!\"", "x.toml:6: `name`: `Beteiligte!` stands in topics");
    check("name = \"beteiligte\"", "name = \" \"", "x.toml:6: `name`: must not be blank");
    check("link = \"advowareId\"", "", "x.toml:9: `espocrm.link`: missing (string)");
    check("link = \"advowareId\"", "link = 7", "x.toml:11: `espocrm.link`: must be a string, not integer");
    check(
        "link = \"advowareId\"",
        "link = \"modifiedAt\"",
        "x.toml:11: `espocrm.link`: `modifiedAt` belongs to EspoCRM",
    );
    check(
        "link = \"advowareId\"",
        "link = \"advoware Id\"",
        "x.toml:11: `espocrm.link`: `advoware Id` is no attribute",
    );
    check("[advoware]", "[advowar]\n[advoware]", "x.toml:18: `advowar`: unknown key");
    check("api/v1/advonet/Beteiligte", "/api/v1", "x.toml:19: `advoware.path`: `/api/v1` must be a path below");
    check("api/v1/advonet/Beteiligte", "api/../x", "x.toml:19: `advoware.path`: `api/../x` must be a path below");
    check(
        "company = \"firmenname\"",
        "company = \"firmenname\", firma = \"x\"",
        "x.toml:26: `person.espocrm.firma`: unknown key",
    );
    check(
        "convert = \"date\"",
        "convert = \"dat\"",
        "x.toml:32: `field.convert`: `dat` is none of: text, number, date, phone",
    );
    check("convert = \"date\"", "direction = \"up\"", "x.toml:32: `field.direction`: `up` is none of: both, to_adv");
    check(
        "convert = \"date\"",
        "required = \"yes\"",
        "x.toml:32: `field.required`: must be a true or false, not string",
    );
    check("espocrm = \"anrede\"", "", "x.toml:34: `field.espocrm`: missing (string)");
    check(
        "espocrm = \"anrede\"",
        "espocrm = \"dateOfBirth\"",
        "x.toml:35: `field.espocrm`: `dateOfBirth` is used already by `field.espocrm` in line 30",
    );
    check(
        "espocrm = \"anrede\"",
        "espocrm = \"syncStatus\"",
        "x.toml:35: `field.espocrm`: `syncStatus` is used already by `espocrm.status` in line 13",
    );
    check(
        "advoware = \"rechtsform\"",
        "advoware = \"rowId\"",
        "x.toml:40: `field.advoware`: `rowId` is used already by `advoware.version` in line 21",
    );
    check("keys = { name", "keys = { nam", "x.toml:61: `search.keys.nam`: `nam` is no field of this mapping");
    check(
        "[\"geburtsdatum\",",
        "[\"geburtstag\",",
        "x.toml:62: `search.unless_different`: `geburtstag` is no field of this mapping",
    );
    check("keys = {", "keys = { anrede = 5,", "x.toml:61: `search.keys.anrede`: must be a string, not integer");
    check("[\"geburtsdatum\",", "[1,", "x.toml:62: `search.unless_different`: must be a string, not integer");
    check("page = 200", "page = 201", "x.toml:68: `sweep.page`: 201 is not within 1 to 200");
    check("page = 200", "page = \"200\"", "x.toml:68: `sweep.page`: must be a whole number, not string");
    check("trial_hours = 24", "trial_hours = 0", "x.toml:69: `sweep.trial_hours`: 0 is not within 1 to 8760");
    check("trials = 7", "trials = 1001", "x.toml:70: `sweep.trials`: 1001 is not within 0 to 1000");
    check("[sweep]", "[[sweep]]", "x.toml:64: `sweep`: must be a table, not array");
    check("on_delete = \"keep\"", "on_delete = keep", "x.toml:7: not valid TOML:");
    check("on_delete = \"keep\"", "name = \"other\"", "x.toml:7: not valid TOML: duplicate key");
}

#[test]
fn a_search_key_must_reach_advoware() {
    let source = SHIPPED.replacen("convert = \"date\"", "direction = \"to_espocrm\"", 1);
    let source = source.replacen("keys = {", "keys = { geburtsdatum = \"geb\",", 1);
    let faults = parse("x.toml", &source).expect_err("refused");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].to_string().starts_with("x.toml:61: `search.keys.geburtsdatum`: `geburtsdatum` never flows"));
}

#[test]
fn importing_needs_a_filter_and_search_keys() {
    let on = "name = \"beteiligte\"\nimport = true";
    let shipped = "name = \"beteiligte\"";
    check(shipped, on, "x.toml:7: `import`: needs a table [import_filter]: without one every record");
    check("[sweep]", "[import_filter]\nart = \"M\"\n[sweep]", "x.toml:64: `import_filter`: has no effect without");
    let filtered =
        |filter: &str| SHIPPED.replacen(shipped, on, 1).replacen("[sweep]", &format!("{filter}\n[sweep]"), 1);
    let faults = |source: &str| match parse("x.toml", source) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
    };
    let one = |filter: &str, expected: &str| {
        let faults = faults(&filtered(filter));
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{filter}: {faults:#?}");
    };
    one("[import_filter]", "x.toml:65: `import_filter`: names no field");
    one("[import_filter]\nart = []", "x.toml:66: `import_filter.art`: an empty list: nothing would match");
    one(
        "[import_filter]\nart = 5",
        "x.toml:66: `import_filter.art`: must be a string or a list of strings, not integer",
    );
    one("[import_filter]\nart = [\"A\", true]", "x.toml:66: `import_filter.art`: must be a string or a list");
    one("[import_filter]\n\"a b\" = \"A\"", "x.toml:66: `import_filter.a b`: `a b` is no attribute name");
    let keys = "keys = { name = \"name\", vorname = \"vorname\" }";
    let keyless = faults(&filtered("[import_filter]\nart = \"A\"").replacen(keys, "keys = {}", 1));
    assert!(
        keyless.len() == 1 && keyless[0].starts_with("x.toml:7: `import`: needs `keys` in [search]"),
        "{keyless:#?}"
    );
    let ill = faults(&SHIPPED.replacen(shipped, "name = \"beteiligte\"\nimport = 1", 1));
    assert!(ill[0].starts_with("x.toml:7: `import`: must be a true or false, not integer"), "{ill:#?}");

    assert_eq!(shipped_import(SHIPPED), None);
    let off = SHIPPED.replacen(shipped, "name = \"beteiligte\"\nimport = false", 1);
    assert_eq!(shipped_import(&off), None);
    let filter =
        shipped_import(&filtered("[import_filter]\nrechtsform = [\" GmbH\", \"\"]\nart = \"M\"")).map(|it| it.filter);
    let texts = |all: &[&str]| all.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    let expected = [("rechtsform", texts(&["gmbh", ""])), ("art", texts(&["m"]))];
    assert_eq!(filter, Some(expected.map(|(field, values)| (field.to_owned(), values)).to_vec()));
}

fn shipped_import(source: &str) -> Option<Import> {
    parse("x.toml", source).expect("valid").0.import
}

/// The shipped file with this for `convert = "date"` in line 32.
fn with_date_as(lines: &str) -> Result<Mapping, Vec<String>> {
    let source = SHIPPED.replacen("convert = \"date\"", lines, 1);
    let shown = |faults: Vec<MappingFault>| faults.iter().map(ToString::to_string).collect();
    parse("x.toml", &source).map(|(mapping, _)| mapping).map_err(shown)
}

#[test]
fn a_table_of_values_is_one_to_one() {
    let refused = |lines: &str, expected: &str| {
        let faults = with_date_as(lines).expect_err(lines);
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{lines}: {faults:#?}");
    };
    let table = |rows: &str| format!("convert = \"enum\"\nvalues = {{ {rows} }}");
    refused("convert = \"enum\"", "x.toml:29: `field.values`: missing (table)");
    refused("values = { a = 1 }", "x.toml:32: `field.values`: has no effect without `convert = \"enum\"`");
    refused("convert = \"enum\"\nvalues = 5", "x.toml:33: `field.values`: must be a table, not integer");
    refused(&table(""), "x.toml:33: `field.values`: is empty");
    refused(&table("a = 1, b = \"1\""), "x.toml:33: `field.values.b`: Advoware's `1` stands in line 33 already");
    refused(&table("a = 1, \" a\" = 2"), "x.toml:33: `field.values. a`: EspoCRM's `a` stands in line 33 already");
    refused(&table("a = \" \""), "x.toml:33: `field.values.a`: must not be blank");
    refused(&table("\"\" = 0"), "x.toml:33: `field.values.`: must not be blank");
    refused(
        &table("a = 1.5"),
        "x.toml:33: `field.values.a`: must be a string, a whole number, true or false, not float",
    );
    refused(&table("a = 1, a = 2"), "x.toml:33: not valid TOML: duplicate key");
    let lines = "convert = \"enum\"\n[field.values]\nMandant = 1\nGegner = true\nMandat = 1";
    refused(lines, "x.toml:36: `field.values.Mandat`: Advoware's `1` stands in line 34 already");

    let mapping = with_date_as(&table("Mandant = 1, Ja = true, Zeuge = \" Z\"")).expect("valid");
    let Conversion::Enum(read) = &mapping.fields[2].convert else { panic!("{:?}", mapping.fields[2]) };
    let rows: Vec<_> =
        read.rows().iter().map(|row| (row.espocrm.as_str(), row.canonical.as_str(), &row.advoware)).collect();
    assert_eq!(rows, [("Mandant", "1", &json!(1)), ("Ja", "true", &json!(true)), ("Zeuge", "Z", &json!("Z"))]);
}

#[test]
fn several_attributes_are_one_field_in_advoware() {
    let with = |lines: &str| SHIPPED.replacen("espocrm = \"anrede\"", lines, 1);
    let refused = |source: &str, expected: &str| {
        let faults = parse("x.toml", source).expect_err(expected);
        let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert!(shown.len() == 1 && shown[0].starts_with(expected), "{expected}: {shown:#?}");
    };
    refused(&with("espocrm = [\"a\"]"), "x.toml:35: `field.espocrm`: a list needs two attributes at least");
    refused(&with("espocrm = [\"a\", \"dateOfBirth\"]"), "x.toml:35: `field.espocrm`: `dateOfBirth` is used already");
    refused(&with("espocrm = [\"a\", 5]"), "x.toml:35: `field.espocrm`: must be a string, not integer");
    refused(&with("espocrm = \"a\"\nseparator = \" \""), "x.toml:36: `field.separator`: has no effect without a list");
    refused(&with("espocrm = [\"a\", \"b\"]\nseparator = \"\""), "x.toml:36: `field.separator`: must not be empty");
    refused(
        &with("espocrm = [\"a\", \"b\"]\nseparator = \" u \""),
        "x.toml:36: `field.separator`: ` u ` stands inside",
    );
    refused(
        &with("espocrm = [\"a\", \"b\"]\nconvert = \"text\""),
        "x.toml:36: `field.convert`: several attributes are",
    );
    let keyed = with("espocrm = [\"a\", \"b\"]").replacen("keys = {", "keys = { anrede = \"x\",", 1);
    refused(&keyed, "x.toml:61: `search.keys.anrede`: `anrede` is joined from several attributes");

    let mapping = parse("x.toml", &with("espocrm = [\"a\", \"b\"]\nseparator = \", \"")).expect("valid").0;
    let record = |value: Value| value.as_object().expect("an object").clone();
    assert!(mapping.espocrm_attributes().contains(&"b".to_owned()), "it is read");
    let ours = mapping.from_espocrm(&record(json!({"a": "Eins", "b": "Zwei"})));
    assert_eq!(mapping.new_advoware(&ours), record(json!({"anrede": "Eins, Zwei"})));
    let theirs = |text: Value| mapping.from_advoware(&record(json!({"anrede": text})));
    // Changed in Advoware: split where that is certain, else told once and left; blank clears all.
    let base = Snapshot { espocrm: ours.clone(), advoware: ours.clone() };
    let split = merge(&mapping, &base, &ours, &theirs(json!("Drei, Vier")));
    let write = mapping.write_espocrm(&split.to_espocrm, &record(json!({})));
    assert_eq!(write.attributes, record(json!({"a": "Drei", "b": "Vier"})));
    let odd = theirs(json!("Drei"));
    let left = merge(&mapping, &base, &ours, &odd);
    assert!(left.is_settled() && left.blocked.len() == 1, "{left:?}");
    assert!(merge(&mapping, &base.after(&ours, &odd), &ours, &odd).blocked.is_empty());
    let cleared = merge(&mapping, &base, &ours, &theirs(Value::Null));
    let write = mapping.write_espocrm(&cleared.to_espocrm, &record(json!({})));
    assert_eq!(write.attributes, record(json!({"a": null, "b": null})));
}

#[test]
fn a_read_only_field_flows_one_way_and_says_why() {
    let mapping = with_date_as("read_only = true").expect("valid");
    assert_eq!((mapping.fields[2].direction, mapping.fields[2].read_only), (Direction::ToEspocrm, true));
    let faults = with_date_as("direction = \"to_advoware\"\nread_only = true").expect_err("nothing flows");
    assert!(
        faults.len() == 1 && faults[0].starts_with("x.toml:33: `field.read_only`: nothing could flow"),
        "{faults:?}"
    );
}

/// The shipped file with these defaults of new records, in line 65.
fn with_defaults(defaults: &str) -> Result<Mapping, Vec<MappingFault>> {
    let source = SHIPPED.replacen("[sweep]", &format!("[create]\nadvoware = {{ {defaults} }}\n[sweep]"), 1);
    parse("x.toml", &source).map(|(mapping, _)| mapping)
}

#[test]
fn a_default_must_be_something_that_advoware_can_take() {
    for (defaults, expected) in [
        ("rowId = \"x\"", "x.toml:65: `create.advoware.rowId`: `rowId` is given by Advoware"),
        ("betNr = 1", "x.toml:65: `create.advoware.betNr`: `betNr` is given by Advoware"),
        ("name = \"x\"", "x.toml:65: `create.advoware.name`: `name` belongs to the person or company rule"),
        ("geburtsdatum = \"morgen\"", "x.toml:65: `create.advoware.geburtsdatum`: `morgen`: not a date"),
        ("art = \" \"", "x.toml:65: `create.advoware.art`: must not be blank"),
        ("art = []", "x.toml:65: `create.advoware.art`: must be a string, a whole number, true or false, not array"),
        ("\"a b\" = 1", "x.toml:65: `create.advoware.a b`: `a b` is no attribute name"),
    ] {
        let faults: Vec<_> = with_defaults(defaults).expect_err(defaults).iter().map(ToString::to_string).collect();
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{defaults}: {faults:#?}");
    }
    check("[sweep]", "[create]\nart = 1\n[create.advoware]\n[sweep]", "x.toml:65: `create.art`: unknown key");
    check("[sweep]", "[create]\n[sweep]", "x.toml:64: `create.advoware`: missing (table)");
}

#[test]
fn a_new_record_gets_defaults_for_what_is_blank_and_the_first_status_takes_them_back() {
    let mapping = with_defaults("art = 7, anrede = \"Firma\", rechtsform = \"GmbH\"").expect("valid");
    let record = |value: Value| value.as_object().expect("an object").clone();
    let ours =
        record(json!({"firstName": null, "lastName": null, "firmenname": "X", "anrede": null, "rechtsform": "AG"}));
    let body = mapping.new_advoware(&mapping.from_espocrm(&ours));
    assert_eq!(body, record(json!({"name": "X", "art": 7, "anrede": "Firma", "rechtsform": "AG"})));
    let theirs = record(json!({"name": "X", "vorname": null, "art": "7", "anrede": "Firma", "rechtsform": "AG"}));
    assert!(mapping.shows_defaults(&body, &theirs));
    assert!(mapping.shows_defaults(&body, &record(json!({"name": "X"}))), "what is not shown says nothing");
    assert!(!mapping.shows_defaults(&body, &record(json!({"art": 8}))));
    let (ours, theirs) = (mapping.from_espocrm(&ours), mapping.from_advoware(&theirs));
    let given = mapping.given(&ours, &theirs);
    assert_eq!(given.iter().collect::<Vec<_>>(), [("anrede", Seen::Value("Firma"))]);
    // A run that dies before that write is made good by the next one, also where all that is known is what was sent;
    // neither a conflict nor a blank comes of it.
    let nothing = Content::default();
    for (ours_then, shown) in [(&ours, &theirs), (&ours, &nothing), (&mapping.brought(&body), &theirs)] {
        let merged = merge(&mapping, &mapping.agreed(&body, ours_then, shown), &ours, &theirs);
        assert_eq!(merged, Merged { to_espocrm: given.clone(), ..Merged::default() });
    }
}

#[test]
fn what_a_new_record_does_not_show_is_as_it_was_sent() {
    let mapping = with_defaults("art = 7").expect("valid");
    let content = |value: Value| serde_json::from_value::<Content>(value).expect("a content");
    let ours = content(json!({"vorname": "Max", "name": "X", "telGesch": null, "anrede": "Herr"}));
    let agreed = mapping.agreed(&mapping.new_advoware(&ours), &ours, &Content::default());
    // The lawyer's first edits are edits, whether the POST had shown the field or not.
    let theirs = content(json!({"vorname": "Max", "name": "X", "telGesch": "+4930123456", "anrede": "Dr."}));
    let merged = merge(&mapping, &agreed, &ours, &theirs);
    let expected = content(json!({"telGesch": "+4930123456", "anrede": "Dr."}));
    assert_eq!(merged, Merged { to_espocrm: expected, ..Merged::default() });
}

#[test]
fn a_required_field_with_a_default_is_not_missing() {
    let source = SHIPPED.replacen("espocrm = \"anrede\"", "espocrm = \"anrede\"\nrequired = true", 1);
    let with = source.replacen("[sweep]", "[create]\nadvoware = { anrede = \"Firma\" }\n[sweep]", 1);
    for (source, missing) in [(source, 1), (with, 0)] {
        let mapping = parse("x.toml", &source).expect("valid").0;
        let ours = json!({"firstName": null, "firmenname": "X", "anrede": null});
        let content = mapping.from_espocrm(ours.as_object().expect("an object"));
        assert_eq!(mapping.missing_for_advoware(&content).len(), missing);
    }
}

#[test]
fn an_unknown_value_is_absent_and_told_and_a_search_speaks_each_side_s_language() {
    let source = SHIPPED.replacen("convert = \"date\"", "convert = \"enum\"\nvalues = { Eins = 1, Zwei = 2 }", 1);
    let source = source.replacen("keys = {", "keys = { geburtsdatum = \"art\",", 1);
    let mapping = parse("x.toml", &source).expect("valid").0;
    let record = |value: Value| value.as_object().expect("an object").clone();
    let ours = mapping.from_espocrm(&record(json!({"dateOfBirth": "Zwei", "firmenname": "X", "firstName": null})));
    assert_eq!(ours.get("geburtsdatum").text(), Some("2"));
    assert!(mapping.search_query(&ours).expect("keys").contains(&("art", "2".to_owned())));
    let listed = mapping.espocrm_search(&ours);
    assert!(listed.contains(&vec![("dateOfBirth".to_owned(), "Zwei".to_owned())]), "{listed:?}");
    let odd = mapping.from_espocrm(&record(json!({"dateOfBirth": "Drei"})));
    assert!(!odd.get("geburtsdatum").is_known());
    assert_eq!(odd.problems().len(), 1);
    let theirs = mapping.from_advoware(&record(json!({"geburtsdatum": 3})));
    assert!(!theirs.get("geburtsdatum").is_known());
    // What is written has Advoware's type, and the other way EspoCRM's word.
    let mut whole = record(json!({"geburtsdatum": 1, "andere": 3}));
    mapping.write_advoware(&ours, &mut whole);
    assert_eq!(whole["geburtsdatum"], json!(2));
    let write = mapping.write_espocrm(&mapping.from_advoware(&record(json!({"geburtsdatum": 1}))), &record(json!({})));
    assert_eq!(write.attributes["dateOfBirth"], json!("Eins"));
}

#[test]
fn all_faults_come_at_once_by_line() {
    let source = SHIPPED.replacen("convert = \"date\"", "convert = \"dat\"", 1).replacen("on_delete", "on_del", 1);
    let lines: Vec<_> = parse("x.toml", &source).expect_err("two faults").iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [Some(7), Some(32)]);
    let empty = parse("x.toml", "").expect_err("everything is missing");
    assert!(empty.iter().any(|fault| fault.key == "espocrm.entity"), "{empty:#?}");
}

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    for (name, source) in files {
        fs::write(folder.path().join(name), source).expect("written");
    }
    folder
}

fn second(name: &str, entity: &str) -> String {
    SHIPPED.replacen("\"beteiligte\"", &format!("\"{name}\""), 1).replacen("CBeteiligte", entity, 1)
}

#[test]
fn a_file_replaces_the_built_in_of_its_name_and_others_are_added() {
    let ours = SHIPPED.replacen("on_delete = \"keep\"", "on_delete = \"delete\"", 1);
    let folder = folder(&[
        ("anything.toml", &ours),
        ("akte.toml", &second("akte", "CAkte")),
        (".akte.toml", "an editor's copy"),
        ("README.md", "no mapping"),
    ]);
    let mappings = Mappings::load(Some(folder.path())).expect("valid");
    assert_eq!(mappings.iter().map(|mapping| mapping.name.as_str()).collect::<Vec<_>>(), ["akte", "beteiligte"]);
    assert_eq!(mappings.get("beteiligte").map(|mapping| mapping.on_delete), Some(OnDelete::Delete));
}

#[test]
fn a_key_of_thousands_of_tables_is_a_fault_and_no_end_of_the_stack() {
    for deep in ["a.".repeat(20_000) + "a = 1", format!("[{}a]", "a.".repeat(20_000))] {
        let faults = parse("x.toml", &format!("name = \"akte\"\n{deep}\n")).expect_err("refused");
        assert!(
            faults.len() == 1 && faults[0].to_string().starts_with("x.toml:2: the line has more than"),
            "{faults:?}"
        );
    }
}

#[test]
fn faults_between_files_name_both() {
    let folder = folder(&[
        ("a.toml", &second("akte", "CAkte")),
        ("b.toml", &second("akte", "CAkte")),
        ("c.toml", &second("parteien", "CBeteiligte")),
    ]);
    let faults = Mappings::load(Some(folder.path())).expect_err("refused");
    let shown: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert!(shown[0].contains("b.toml:6: `name`: `akte` is defined in") && shown[0].contains("a.toml"), "{shown:#?}");
    assert!(shown[1].contains("c.toml:10: `espocrm.entity`: `CBeteiligte` is mapped by `beteiligte`"), "{shown:#?}");
}

#[test]
fn only_the_default_folder_may_be_missing() {
    assert!(Mappings::load(None).is_ok_and(|mappings| mappings.get("beteiligte").is_some()));
    let folder = TempDir::new().expect("a temporary folder");
    let missing = folder.path().join("missing");
    let faults = Mappings::load(Some(&missing)).expect_err("refused");
    assert!(faults[0].to_string().contains("missing: cannot be read:"), "{faults:?}");
    assert!(Mappings::load(Some(folder.path())).is_ok(), "an empty folder leaves the built-in ones");
}

#[test]
fn another_entity_needs_no_more_than_its_file() {
    let source = r#"
        name = "akte"
        [espocrm]
        entity = "CAkte"
        link = "advowareId"
        row_id = "advowareRowId"
        status = "syncStatus"
        last_sync = "advowareLastSync"
        error = "syncErrorMessage"
        retries = "syncRetryCount"
        [advoware]
        path = "api/v1/advonet/Akten"
        id = "nr"
        version = "rowId"
        [[field]]
        espocrm = "name"
        advoware = "kurzrubrum"
        required = true
    "#;
    let mapping = parse("akte.toml", source).expect("valid").0;
    assert_eq!((mapping.on_delete, mapping.person.as_ref(), mapping.search.keys.len()), (OnDelete::Keep, None, 0));
    assert_eq!(mapping.sweep, shipped().sweep, "what the shipped file says is what a file that says nothing gets");
    let ours = serde_json::json!({"name": " Muster ./. Meier ", "advowareId": 7});
    let content = mapping.from_espocrm(ours.as_object().expect("an object"));
    let body = mapping.new_advoware(&content);
    assert_eq!(Value::Object(body), serde_json::json!({"kurzrubrum": "Muster ./. Meier"}));
    assert_eq!(mapping.search_query(&content), None, "no search keys, so an interrupted create needs a person");
    assert!(!mapping.same_search_keys(&content, &content));
}
