//! The keys that a mapping file may have, table by table: the reader refuses all others, and a test holds the JSON Schema
//! for editors (`mappings/mapping.schema.json`) against them.

/// A table of a mapping file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// Its definition in the JSON Schema; blank for the file itself.
    #[cfg(test)]
    pub(super) definition: &'static str,
    /// All keys, the needed and the optional ones.
    pub(super) keys: &'static [&'static str],
}

pub(super) const ROOT: Table = Table {
    #[cfg(test)]
    definition: "",
    keys: &[
        "name",
        "on_delete",
        "import",
        "espocrm",
        "advoware",
        "person",
        "field",
        "search",
        "sweep",
        "create",
        "import_filter",
    ],
};
pub(super) const ESPOCRM: Table = Table {
    #[cfg(test)]
    definition: "espocrm",
    keys: &["entity", "link", "row_id", "status", "last_sync", "error", "retries"],
};
pub(super) const ADVOWARE: Table = Table {
    #[cfg(test)]
    definition: "advoware",
    keys: &["path", "id", "version", "modified"],
};
pub(super) const PERSON: Table = Table {
    #[cfg(test)]
    definition: "person",
    keys: &["espocrm", "advoware"],
};
pub(super) const PERSON_ESPOCRM: Table = Table {
    #[cfg(test)]
    definition: "person_espocrm",
    keys: &["first", "last", "company"],
};
pub(super) const PERSON_ADVOWARE: Table = Table {
    #[cfg(test)]
    definition: "person_advoware",
    keys: &["first", "name"],
};
pub(super) const FIELD: Table = Table {
    #[cfg(test)]
    definition: "field",
    keys: &["espocrm", "separator", "advoware", "label", "convert", "values", "direction", "required", "read_only"],
};
pub(super) const SEARCH: Table = Table {
    #[cfg(test)]
    definition: "search",
    keys: &["keys", "unless_different"],
};
pub(super) const SWEEP: Table = Table {
    #[cfg(test)]
    definition: "sweep",
    keys: &["recheck_hours", "looks_per_hour", "list", "page", "trial_hours", "trials"],
};

pub(super) const CREATE: Table = Table {
    #[cfg(test)]
    definition: "create",
    keys: &["advoware"],
};

/// All tables whose keys are fixed.
#[cfg(test)]
pub(super) const ALL: [Table; 10] =
    [ROOT, ESPOCRM, ADVOWARE, PERSON, PERSON_ESPOCRM, PERSON_ADVOWARE, FIELD, SEARCH, SWEEP, CREATE];
