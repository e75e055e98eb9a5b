//! Which records that only Advoware has are created in EspoCRM: `import = true` and `[import_filter]`.

use serde_json::{Map, Value};

use super::Mapping;
use super::reader::{Located, Reader, Section};
use crate::sync::record::convert::plain;

/// The filter: all of its fields must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Advoware's field, mapped or not, and the values that it may have: trimmed, in lower case; `""` is blank.
    pub filter: Vec<(String, Vec<String>)>,
}

/// What a file says about it, with the places that faults point at.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    wanted: bool,
    at: Option<usize>,
    filter_at: Option<usize>,
    pub(super) filter: Vec<(Located<String>, Vec<String>)>,
}

pub(super) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Asked {
    let section = reader.optional_section(root, "import_filter");
    Asked {
        wanted: reader.flag(root, "import"),
        at: root.at("import"),
        filter_at: root.at("import_filter"),
        filter: section.map(|section| reader.choices(&section)).unwrap_or_default(),
    }
}

impl Asked {
    pub(super) fn import(&self) -> Option<Import> {
        let word = |text: &String| text.trim().to_lowercase();
        let field = |(field, values): &(Located<String>, Vec<String>)| {
            (field.value.clone(), values.iter().map(word).collect::<Vec<_>>())
        };
        self.wanted.then(|| Import { filter: self.filter.iter().map(field).collect() })
    }

    /// Nobody is to get all parties of Advoware into EspoCRM by one word, nor any of them twice.
    pub(super) fn check(&self, reader: &mut Reader<'_>, has_search_keys: bool) {
        match (self.wanted, self.filter_at) {
            (true, None) => {
                let problem = "needs a table [import_filter]: without one every record of Advoware would be created in \
                               EspoCRM";
                reader.fault(self.at.unwrap_or_default(), "import", problem);
            }
            (true, Some(at)) if self.filter.is_empty() => {
                reader.fault(
                    at,
                    "import_filter",
                    "names no field: every record of Advoware would be created in EspoCRM",
                );
            }
            (false, Some(at)) => {
                reader.fault(at, "import_filter", "has no effect without `import = true` at the top of the file");
            }
            _ => {}
        }
        if self.wanted && !has_search_keys {
            let problem = "needs `keys` in [search]: without them a record that is in both systems already cannot be \
                           told from a new one";
            reader.fault(self.at.unwrap_or_default(), "import", problem);
        }
    }
}

impl Mapping {
    /// Whether a record that only Advoware has is to be created in EspoCRM. A field that the record does not show
    /// matches nothing, not even `""`.
    #[must_use]
    pub fn wants_import(&self, record: &Map<String, Value>) -> bool {
        self.import.as_ref().is_some_and(|import| {
            import.filter.iter().all(|(field, values)| {
                let shown = record.get(field).and_then(|value| plain(value).ok());
                shown.is_some_and(|text| values.contains(&text.unwrap_or_default().to_lowercase()))
            })
        })
    }
}
