//! Whether an entity's fields are what its mapping says. Pure.

use serde_json::Value;

use crate::cli::admin::espocrm::fields::{Misfit, read_only, sync_fields};
use crate::cli::admin::finding::{Finding, Level};
use crate::sync::record::convert::{Conversion, Table};
use crate::sync::record::mapping::{Direction, Field, Mapping};

/// Field types that hold one line or block of text, or a value that has one.
const TEXTUAL: [&str; 15] = [
    "varchar",
    "text",
    "wysiwyg",
    "enum",
    "url",
    "int",
    "float",
    "bool",
    "autoincrement",
    "number",
    "email",
    "phone",
    "barcode",
    "decimal",
    "link",
];

/// One line for each fault; one for all where there is none.
pub(super) fn check(about: &str, mapping: &Mapping, fields: &Value) -> Vec<Finding> {
    let synced = sync_fields(mapping).into_iter().flat_map(|field| {
        let misfits = match fields.get(field.name) {
            Some(found) => field.misfits(found),
            None => vec![Misfit::Breaks("is missing: `advosync setup espocrm` creates it".to_owned())],
        };
        misfits.into_iter().map(move |misfit| (misfit, field.name))
    });
    let attributes =
        mapping.fields.iter().flat_map(|field| field.attributes().iter().map(move |name| (field, name.as_str())));
    let mapped =
        attributes.flat_map(|(field, name)| mapped(field, name, fields).into_iter().map(move |misfit| (misfit, name)));
    let misfits = synced.chain(mapped).chain(names(mapping, fields));
    let mut findings: Vec<Finding> = misfits
        .map(|(misfit, name)| match misfit {
            Misfit::Breaks(text) => Finding::fail(about, format!("the field {name} {text}")),
            Misfit::Odd(text) => Finding::warn(about, format!("the field {name} {text}")),
        })
        .collect();
    if !findings.iter().any(|finding| finding.level == Level::Fail) {
        let unique = fields[&mapping.espocrm.link]["unique"].as_bool() == Some(true);
        let link = if unique { String::new() } else { not_unique(&mapping.espocrm.link) };
        let count = mapping.fields.len() + sync_fields(mapping).len();
        findings.insert(0, Finding::ok(about, format!("all {count} fields are there and fit{link}")));
    }
    findings
}

/// Not a fault: EspoCRM cannot be told by its API, and this program keeps pairs one to one by itself.
fn not_unique(link: &str) -> String {
    format!("; {link} is not unique in the database, which guards against records that people link by hand only")
}

fn mapped(field: &Field, name: &str, fields: &Value) -> Vec<Misfit> {
    let Some(found) = definition(fields, name) else {
        let text = "is missing: create it in EspoCRM's Entity Manager, or take it out of the mapping file";
        return vec![Misfit::Breaks(text.to_owned())];
    };
    let kind = found["type"].as_str().unwrap_or_default();
    let fitting: &[&str] = match &field.convert {
        Conversion::Text => &TEXTUAL,
        Conversion::Number => &["int", "float", "varchar"],
        Conversion::Date => &["date"],
        Conversion::Phone => &["phone", "varchar"],
        Conversion::Email => &["email", "varchar"],
        Conversion::Enum(table) if table.is_truth() => &["bool", "enum", "varchar"],
        Conversion::Enum(_) => &["enum", "varchar", "int"],
    };
    let mut out = Vec::new();
    if !fitting.contains(&kind) {
        let convert = field.convert.name();
        out.push(Misfit::Breaks(format!("has the type {kind}, which `convert = \"{convert}\"` cannot fill")));
    }
    if field.convert == Conversion::Text && ["int", "float"].contains(&kind) {
        let text = format!("has the type {kind}: only `convert = \"number\"` can fill it where it is blank");
        out.push(Misfit::Odd(text));
    }
    if let Conversion::Enum(table) = &field.convert {
        out.extend(options(table, found));
    }
    if field.direction != Direction::ToAdvoware {
        out.extend(read_only(found));
    }
    if found["required"].as_bool() == Some(true) && !field.required {
        let text = "is required in EspoCRM: a record whose value is cleared in Advoware is refused; lift that in the \
                    Entity Manager, or set `required = true` in the mapping file";
        out.push(Misfit::Odd(text.to_owned()));
    }
    out
}

/// Whether a table and the options of a list field are the same. An option that is missing is a value that `EspoCRM`
/// refuses; one too many stays in `EspoCRM`, which is reported with every run.
fn options(table: &Table, found: &Value) -> Vec<Misfit> {
    let Some(options) = found["options"].as_array().filter(|_| found["type"] == "enum") else { return Vec::new() };
    let options: Vec<&str> = options.iter().filter_map(Value::as_str).filter(|it| !it.trim().is_empty()).collect();
    let rows = table.rows().iter().map(|row| row.espocrm.as_str());
    let missing: Vec<&str> = rows.filter(|row| !options.contains(row)).collect();
    let further: Vec<&str> = options.iter().copied().filter(|it| table.by_espocrm(it.trim()).is_none()).collect();
    let mut out = Vec::new();
    if !missing.is_empty() {
        let text = format!(
            "has no option {}, which `values` in the mapping file names: add it in EspoCRM's Entity Manager",
            missing.join(", ")
        );
        out.push(Misfit::Breaks(text));
    }
    if !further.is_empty() {
        let text = format!(
            "has the option {}, which `values` in the mapping file lacks: such a value stays in EspoCRM",
            further.join(", ")
        );
        out.push(Misfit::Odd(text));
    }
    out
}

/// The person or company rule writes one of first and last name or the company's null, so none may be required
/// (contract `EspoCRM`, last lines).
fn names<'a>(mapping: &'a Mapping, fields: &Value) -> Vec<(Misfit, &'a str)> {
    let Some(person) = &mapping.person else { return Vec::new() };
    let mut out = Vec::new();
    for name in [&person.espocrm_first, &person.espocrm_last, &person.espocrm_company] {
        let Some(found) = definition(fields, name) else {
            let text = "is missing: create it in EspoCRM's Entity Manager (type Varchar)";
            out.push((Misfit::Breaks(text.to_owned()), name.as_str()));
            continue;
        };
        out.extend(read_only(found).map(|misfit| (misfit, name.as_str())));
        if found["required"].as_bool() == Some(true) {
            let refused = if *name == person.espocrm_company { "person" } else { "company" };
            let text = format!(
                "is required, so EspoCRM refuses every {refused}: lift that in EspoCRM under Administration > Entity \
                 Manager > Fields"
            );
            out.push((Misfit::Breaks(text), name.as_str()));
        }
    }
    // A Person's computed name can be required by itself, and asks for a last name then.
    if definition(fields, "name").is_some_and(|it| it["type"] == "personName" && it["required"] == true) {
        let text = "is required, so EspoCRM refuses every company: lift that in EspoCRM under Administration > Entity \
                    Manager > Fields";
        out.push((Misfit::Breaks(text.to_owned()), "name"));
    }
    out
}

/// The definition of the field behind an attribute: a link named `account` has the attributes `accountId` and
/// `accountName`.
fn definition<'a>(fields: &'a Value, attribute: &str) -> Option<&'a Value> {
    let link = || {
        let name = attribute.strip_suffix("Id").or_else(|| attribute.strip_suffix("Name"))?;
        fields.get(name).filter(|it| it["type"] == "link")
    };
    fields.get(attribute).or_else(link)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sync::record::convert::Row;
    use crate::sync::record::mapping::Mappings;

    /// An installation where nothing is to be done.
    fn healthy(mapping: &Mapping) -> Value {
        let mut fields = json!({
            "name": {"type": "personName"},
            "firstName": {"type": "varchar"}, "lastName": {"type": "varchar"}, "firmenname": {"type": "varchar"},
            "dateOfBirth": {"type": "date"}, "anrede": {"type": "enum"}, "rechtsform": {"type": "varchar"},
            "handelsregisterNummer": {"type": "varchar"}, "emailAddress": {"type": "email"},
            "phoneNumber": {"type": "phone"},
        });
        for field in sync_fields(mapping) {
            fields[field.name] = field.definition();
        }
        fields
    }

    fn check_with(change: impl FnOnce(&mut Value), level: Level, words: &str) {
        let folder = tempfile::tempdir().unwrap();
        let mappings = Mappings::load(Some(folder.path())).unwrap();
        let mapping = mappings.get("beteiligte").unwrap();
        let mut fields = healthy(mapping);
        change(&mut fields);
        let findings = check("it", mapping, &fields);
        let worst = findings.iter().max_by_key(|it| it.level).unwrap();
        assert!(worst.level == level && worst.text.contains(words), "{findings:?}");
        let faults = findings.iter().filter(|it| it.level > Level::Note).count();
        assert_eq!(faults, usize::from(level > Level::Note), "{findings:?}");
    }

    #[test]
    fn the_options_of_a_list_are_held_against_the_table() {
        let row =
            |espocrm: &str| Row { espocrm: espocrm.to_owned(), canonical: espocrm.to_owned(), advoware: json!(1) };
        let table = Table::new(vec![row("A"), row("B")]);
        let told = |found: Value| {
            options(&table, &found)
                .into_iter()
                .map(|it| match it {
                    Misfit::Breaks(text) => format!("breaks: {text}"),
                    Misfit::Odd(text) => format!("odd: {text}"),
                })
                .collect::<Vec<_>>()
        };
        assert!(told(json!({"type": "enum", "options": ["", "A", "B"]})).is_empty());
        assert!(told(json!({"type": "varchar", "options": ["A"]})).is_empty(), "a text is not limited to its options");
        let both = told(json!({"type": "enum", "options": ["A", "C"]}));
        assert!(both.len() == 2 && both[0].starts_with("breaks: has no option B,"), "{both:?}");
        assert!(both[1].starts_with("odd: has the option C,"), "{both:?}");
    }

    #[test]
    fn what_fits_is_one_line_and_each_fault_has_its_own() {
        let remove = |name: &'static str| move |fields: &mut Value| _ = fields.as_object_mut().unwrap().remove(name);
        let set = |name: &'static str, value: Value| move |fields: &mut Value| fields[name] = value;
        check_with(|_| (), Level::Ok, "all 14 fields");
        check_with(set("advowareId", json!({"type": "int"})), Level::Ok, "advowareId is not unique");
        check_with(remove("syncStatus"), Level::Fail, "syncStatus is missing: `advosync setup espocrm`");
        check_with(remove("anrede"), Level::Fail, "anrede is missing: create it");
        check_with(remove("firmenname"), Level::Fail, "firmenname is missing");
        check_with(set("dateOfBirth", json!({"type": "datetime"})), Level::Fail, "type datetime");
        check_with(set("rechtsform", json!({"type": "linkMultiple"})), Level::Fail, "cannot fill");
        check_with(set("anrede", json!({"type": "int"})), Level::Warn, "convert = \"number\"");
        check_with(set("phoneNumber", json!({"type": "phone", "readOnly": true})), Level::Fail, "read-only");
        check_with(set("anrede", json!({"type": "varchar", "required": true})), Level::Warn, "required = true");
        check_with(set("lastName", json!({"type": "varchar", "required": true})), Level::Fail, "every company");
        check_with(set("firmenname", json!({"type": "varchar", "required": true})), Level::Fail, "every person");
        check_with(set("name", json!({"type": "personName", "required": true})), Level::Fail, "every company");
    }
}
