//! One mapping file → one [`Mapping`], or all of its faults.

use serde_json::Value;
use toml::de::DeTable;

use super::check::{self, Use};
use super::import::{self, Asked};
use super::reader::{Located, Reader, Section};
use super::{
    AdvowareEnd, Direction, EspocrmEnd, Field, Mapping, MappingFault, OnDelete, Person, Search, SearchKey, Source,
    Sweep, defaults, keys, values,
};
use crate::sync::record::convert::Conversion;

pub(super) const DIRECTIONS: [(&str, Direction); 3] =
    [("both", Direction::Both), ("to_advoware", Direction::ToAdvoware), ("to_espocrm", Direction::ToEspocrm)];
pub(super) const ON_DELETE: [(&str, OnDelete); 2] = [("keep", OnDelete::Keep), ("delete", OnDelete::Delete)];

/// What was read, with the names that the checks across sections need.
pub(super) struct Parts {
    pub(super) name: Located<String>,
    pub(super) path: Located<String>,
    pub(super) entity: Located<String>,
    pub(super) espocrm_uses: Vec<Use>,
    pub(super) advoware_uses: Vec<Use>,
    pub(super) advoware_own: Vec<String>,
    pub(super) fields: Vec<Field>,
    pub(super) search_keys: Vec<Located<String>>,
    pub(super) unless_different: Vec<Located<String>>,
    pub(super) import: Asked,
    pub(super) defaults: Vec<(Located<String>, Option<Value>)>,
}

/// Lines that faults between files point at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    pub(super) name: usize,
    pub(super) entity: usize,
}

/// A line has so many dots at most. Every dot of a key is one more table, and the parser of TOML, which bounds other depths,
/// takes as many as the stack has room for.
const DOTS: usize = 200;

/// Reads one file. `file` is only named in faults.
pub(super) fn parse(file: &str, source: &str) -> Result<(Mapping, Lines), Vec<MappingFault>> {
    let mut reader = Reader::new(file, source);
    let mut starts =
        source.split_inclusive('\n').scan(0, |at, line| Some((std::mem::replace(at, *at + line.len()), line)));
    if let Some((at, _)) = starts.find(|(_, line)| line.matches('.').count() > DOTS) {
        reader.fault(at, "", format!("the line has more than {DOTS} dots: no key of a mapping is nested so deeply"));
        return Err(reader.faults);
    }
    let (document, errors) = DeTable::parse_recoverable(source);
    for error in &errors {
        reader.fault(error.span().map_or(0, |span| span.start), "", format!("not valid TOML: {}", error.message()));
    }
    if !errors.is_empty() {
        // What was recovered would only produce faults that vanish with the first repair.
        return Err(reader.faults);
    }
    let (mapping, parts) = read(&mut reader, &Section::root(document.get_ref()));
    check::across(&mut reader, &parts);
    if reader.faults.is_empty() {
        let lines = Lines { name: reader.line(parts.name.at), entity: reader.line(parts.entity.at) };
        return Ok((mapping, lines));
    }
    reader.faults.sort_by_key(|fault| fault.line);
    Err(reader.faults)
}

fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> (Mapping, Parts) {
    reader.only(root, keys::ROOT);
    let name = reader.text(root, "name");
    let on_delete = reader.choice(root, "on_delete", &ON_DELETE);
    let mut parts = Parts {
        name: name.clone(),
        path: name.clone(),
        entity: name.clone(),
        espocrm_uses: Vec::new(),
        advoware_uses: Vec::new(),
        advoware_own: Vec::new(),
        fields: Vec::new(),
        search_keys: Vec::new(),
        unless_different: Vec::new(),
        import: import::read(reader, root),
        defaults: defaults::read(reader, root),
    };
    let espocrm = espocrm(reader, root, &mut parts);
    let advoware = advoware(reader, root, &mut parts);
    let person = person(reader, root, &mut parts);
    for section in reader.sections(root, "field") {
        field(reader, &section, &mut parts);
    }
    let search = search(reader, root, &mut parts);
    let sweep = sweep(reader, root);
    let (fields, import, defaults) = (parts.fields.clone(), parts.import.import(), defaults::typed(&parts.defaults));
    (Mapping { name: name.value, espocrm, advoware, person, fields, search, on_delete, sweep, import, defaults }, parts)
}

fn espocrm(reader: &mut Reader<'_>, root: &Section<'_>, parts: &mut Parts) -> EspocrmEnd {
    let section = reader.section(root, "espocrm");
    reader.only(&section, keys::ESPOCRM);
    parts.entity = reader.text(&section, "entity");
    let mut attribute = |key| {
        let found = reader.text(&section, key);
        parts.espocrm_uses.push(Use::of(&found));
        found.value
    };
    EspocrmEnd {
        link: attribute("link"),
        row_id: attribute("row_id"),
        status: attribute("status"),
        last_sync: attribute("last_sync"),
        error: attribute("error"),
        retries: attribute("retries"),
        entity: parts.entity.value.clone(),
    }
}

fn advoware(reader: &mut Reader<'_>, root: &Section<'_>, parts: &mut Parts) -> AdvowareEnd {
    let section = reader.section(root, "advoware");
    reader.only(&section, keys::ADVOWARE);
    parts.path = reader.text(&section, "path");
    let id = reader.text(&section, "id");
    let version = reader.text(&section, "version");
    let modified = reader.optional_text(&section, "modified");
    let own = || [&id, &version].into_iter().chain(modified.as_ref());
    parts.advoware_uses.extend(own().map(Use::of));
    parts.advoware_own.extend(own().map(|found| found.value.clone()));
    AdvowareEnd {
        path: parts.path.value.clone(),
        id: id.value,
        version: version.value,
        modified: modified.map(|found| found.value),
    }
}

fn person(reader: &mut Reader<'_>, root: &Section<'_>, parts: &mut Parts) -> Option<Person> {
    let section = reader.optional_section(root, "person")?;
    reader.only(&section, keys::PERSON);
    let espocrm = reader.section(&section, "espocrm");
    reader.only(&espocrm, keys::PERSON_ESPOCRM);
    let advoware = reader.section(&section, "advoware");
    reader.only(&advoware, keys::PERSON_ADVOWARE);
    let ours = ["first", "last", "company"].map(|key| reader.text(&espocrm, key));
    let theirs = ["first", "name"].map(|key| reader.text(&advoware, key));
    parts.espocrm_uses.extend(ours.iter().map(Use::of));
    parts.advoware_uses.extend(theirs.iter().map(Use::of));
    let [espocrm_first, espocrm_last, espocrm_company] = ours.map(|found| found.value);
    let [advoware_first, advoware_name] = theirs.map(|found| found.value);
    let name_field = |source, advoware: &str, required| Field {
        source,
        advoware: advoware.to_owned(),
        label: capitalised(advoware),
        convert: Conversion::Text,
        direction: Direction::Both,
        required,
        read_only: false,
    };
    // EspoCRM requires a last name and Advoware a name: blanking one is never carried over.
    parts.fields.push(name_field(Source::Name, &advoware_name, true));
    parts.fields.push(name_field(Source::First, &advoware_first, false));
    Some(Person { espocrm_first, espocrm_last, espocrm_company, advoware_first, advoware_name })
}

fn field(reader: &mut Reader<'_>, section: &Section<'_>, parts: &mut Parts) {
    reader.only(section, keys::FIELD);
    let (source, attributes) = values::source(reader, section);
    let advoware = reader.text(section, "advoware");
    parts.espocrm_uses.extend(attributes.iter().map(Use::of));
    parts.advoware_uses.push(Use::of(&advoware));
    let label =
        reader.optional_text(section, "label").map_or_else(|| capitalised(&advoware.value), |found| found.value);
    let read_only = reader.flag(section, "read_only");
    let mut direction = reader.choice(section, "direction", &DIRECTIONS);
    if read_only && direction == Direction::ToAdvoware {
        let at = section.at("read_only").unwrap_or_default();
        reader.fault(
            at,
            section.key("read_only"),
            "nothing could flow: Advoware would ignore what this direction brings",
        );
    }
    if read_only {
        direction = Direction::ToEspocrm;
    }
    let field = Field {
        source,
        advoware: advoware.value,
        label,
        convert: values::conversion(reader, section),
        direction,
        required: reader.flag(section, "required"),
        read_only,
    };
    parts.fields.push(field);
}

fn search(reader: &mut Reader<'_>, root: &Section<'_>, parts: &mut Parts) -> Search {
    let Some(section) = reader.optional_section(root, "search") else { return Search::default() };
    reader.only(&section, keys::SEARCH);
    let table = reader.section(&section, "keys");
    let mut keys = Vec::new();
    for (field, parameter) in reader.texts(&table) {
        keys.push(SearchKey { field: field.value.clone(), parameter: parameter.value });
        parts.search_keys.push(field);
    }
    parts.unless_different = reader.list(&section, "unless_different");
    let unless_different = parts.unless_different.iter().map(|found| found.value.clone()).collect();
    Search { keys, unless_different }
}

fn sweep(reader: &mut Reader<'_>, root: &Section<'_>) -> Sweep {
    let defaults = Sweep { recheck_hours: 24, looks_per_hour: 600, list: true, page: 200, trial_hours: 24, trials: 7 };
    let Some(section) = reader.optional_section(root, "sweep") else { return defaults };
    reader.only(&section, keys::SWEEP);
    Sweep {
        recheck_hours: reader.number(&section, "recheck_hours", 1..=8760, defaults.recheck_hours),
        looks_per_hour: reader.number(&section, "looks_per_hour", 0..=1_000_000, defaults.looks_per_hour),
        list: reader.flag_or(&section, "list", defaults.list),
        page: reader.number(&section, "page", 1..=200, defaults.page),
        trial_hours: reader.number(&section, "trial_hours", 1..=8760, defaults.trial_hours),
        trials: reader.number(&section, "trials", 0..=1000, defaults.trials),
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
