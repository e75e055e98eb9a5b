//! The keys that a mapping file may have, table by table; the reader refuses all others.

/// A table of a mapping file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// All keys, the needed and the optional ones.
    pub(super) keys: &'static [&'static str],
}

pub(super) const ROOT: Table = Table {
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
pub(super) const ESPOCRM: Table =
    Table { keys: &["entity", "link", "row_id", "status", "last_sync", "error", "retries"] };
pub(super) const ADVOWARE: Table = Table { keys: &["path", "id", "version", "modified"] };
pub(super) const PERSON: Table = Table { keys: &["espocrm", "advoware"] };
pub(super) const PERSON_ESPOCRM: Table = Table { keys: &["first", "last", "company"] };
pub(super) const PERSON_ADVOWARE: Table = Table { keys: &["first", "name"] };
pub(super) const FIELD: Table =
    Table { keys: &["espocrm", "advoware", "label", "convert", "values", "direction", "required", "read_only"] };
pub(super) const SEARCH: Table = Table { keys: &["keys", "unless_different"] };
pub(super) const SWEEP: Table =
    Table { keys: &["recheck_hours", "looks_per_hour", "list", "page", "trial_hours", "trials"] };

pub(super) const CREATE: Table = Table { keys: &["advoware"] };
