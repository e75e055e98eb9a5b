//! Values by table: EspoCRM's word for it and Advoware's, one to one.

use serde_json::Value;

/// The table of one field. Blank is in no table: it is blank at both ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Row>,
}

/// One value, as both ends spell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// EspoCRM's value, trimmed. `true` and `false` stand for a truth value where the record shows none.
    pub espocrm: String,
    /// Advoware's value as text, trimmed: the canonical form.
    pub canonical: String,
    /// Advoware's value as the file gives it: text, whole number or truth value.
    pub advoware: Value,
}

impl Table {
    /// A table of these rows, of which no two may share a value of either side (the mapping file's reader sees to that).
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        Self { rows }
    }

    /// All rows, in the order of the file.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row with this canonical (Advoware) value.
    #[must_use]
    pub fn by_canonical(&self, text: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.canonical == text)
    }

    /// The row with this value of EspoCRM.
    #[must_use]
    pub fn by_espocrm(&self, text: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.espocrm == text)
    }

    /// Whether EspoCRM's side knows nothing but true and false.
    #[must_use]
    pub fn is_truth(&self) -> bool {
        self.rows.iter().all(|row| row.espocrm == "true" || row.espocrm == "false")
    }
}
