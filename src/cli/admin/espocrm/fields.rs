//! The sync fields that an entity needs (seed 004; contract `EspoCRM`, "Custom entity and fields"). Pure.

use serde_json::{Value, json};

use crate::sync::record::mapping::Mapping;

/// The rowId is opaque and has at most so many characters (seed 004).
const ROW_ID_CHARS: u64 = 50;
/// The longest message that is written (seed 004).
const MESSAGE_CHARS: u64 = 2000;
/// The values of the status that this program writes.
const WRITTEN: [&str; 3] = ["clean", "failed", "permanently_failed"];
/// The others: set by people, or left by the older system.
const UNDERSTOOD: [&str; 4] = ["dirty", "pending_sync", "syncing", "conflict"];

/// What a sync field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Link,
    RowId,
    Status,
    LastSync,
    Error,
    Retries,
}

/// One sync field of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::admin) struct SyncField<'a> {
    /// Its name in EspoCRM.
    pub(in crate::cli::admin) name: &'a str,
    used: Use,
}

/// What is wrong with a field that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::admin) enum Misfit {
    /// Sync writes would be refused or lost.
    Breaks(String),
    /// It can be lived with.
    Odd(String),
}

/// All sync fields of a mapping.
pub(in crate::cli::admin) fn sync_fields(mapping: &Mapping) -> [SyncField<'_>; 6] {
    let ends = &mapping.espocrm;
    [
        SyncField { name: &ends.link, used: Use::Link },
        SyncField { name: &ends.row_id, used: Use::RowId },
        SyncField { name: &ends.status, used: Use::Status },
        SyncField { name: &ends.last_sync, used: Use::LastSync },
        SyncField { name: &ends.error, used: Use::Error },
        SyncField { name: &ends.retries, used: Use::Retries },
    ]
}

impl SyncField<'_> {
    /// What `POST Admin/fieldManager/<Entity>` takes. EspoCRM 9 drops `unique` silently, because it is no parameter of
    /// any field type; other versions may honour it.
    pub(in crate::cli::admin) fn definition(&self) -> Value {
        let mut body = match self.used {
            Use::Link => json!({"type": "int", "unique": true, "disableFormatting": true, "label": "Advoware ID"}),
            Use::RowId => json!({"type": "varchar", "maxLength": ROW_ID_CHARS, "label": "Advoware Row ID"}),
            Use::Status => {
                let states: Vec<&str> = WRITTEN.into_iter().chain(UNDERSTOOD).collect();
                json!({"type": "enum", "options": states, "label": "Sync Status"})
            }
            Use::LastSync => json!({"type": "datetime", "label": "Advoware Last Sync"}),
            Use::Error => json!({"type": "text", "maxLength": MESSAGE_CHARS, "label": "Sync Error Message"}),
            Use::Retries => json!({"type": "int", "default": 0, "label": "Sync Retry Count"}),
        };
        body["name"] = json!(self.name);
        body
    }

    /// Compares with the definition that EspoCRM has.
    pub(in crate::cli::admin) fn misfits(&self, found: &Value) -> Vec<Misfit> {
        let kind = found["type"].as_str().unwrap_or_default();
        let fitting: &[&str] = match self.used {
            Use::Link => &["int", "varchar"],
            Use::RowId => &["varchar", "text"],
            Use::Status => &["enum", "varchar"],
            Use::LastSync => &["datetime"],
            Use::Error => &["text", "varchar"],
            Use::Retries => &["int"],
        };
        if !fitting.contains(&kind) {
            return vec![Misfit::Breaks(format!("has the type {kind}, it must be {}", fitting.join(" or ")))];
        }
        let mut out = Vec::new();
        out.extend(read_only(found));
        let longest = match self.used {
            Use::RowId => ROW_ID_CHARS,
            Use::Error => MESSAGE_CHARS,
            _ => 0,
        };
        if let Some(length) = found["maxLength"].as_u64().filter(|length| *length < longest) {
            out.push(Misfit::Breaks(format!("holds {length} characters, it must hold {longest}")));
        }
        if self.used == Use::Status && kind == "enum" {
            let options: Vec<&str> =
                found["options"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let lacks = |of: &[&'static str]| of.iter().copied().filter(|it| !options.contains(it)).collect::<Vec<_>>();
            let (written, understood) = (lacks(&WRITTEN), lacks(&UNDERSTOOD));
            if !written.is_empty() {
                out.push(Misfit::Breaks(format!("lacks the options {}", written.join(", "))));
            }
            if !understood.is_empty() {
                out.push(Misfit::Odd(format!(
                    "lacks the options {}, so nobody can choose them",
                    understood.join(", ")
                )));
            }
        }
        if found["required"].as_bool() == Some(true) {
            out.push(Misfit::Breaks(
                "is required, so EspoCRM refuses every new record that does not have it yet".to_owned(),
            ));
        }
        out
    }
}

/// EspoCRM strips read-only fields from what it is sent, and says nothing.
pub(in crate::cli::admin) fn read_only(found: &Value) -> Option<Misfit> {
    let set = found["readOnly"].as_bool() == Some(true);
    set.then(|| Misfit::Breaks("is read-only: EspoCRM drops silently what is written to it".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::record::mapping::Mappings;

    fn check(name: &str, found: &Value, breaks: &[&str], odd: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let mappings = Mappings::load(Some(folder.path())).unwrap();
        let fields = sync_fields(mappings.get("beteiligte").unwrap());
        let field = fields.iter().find(|it| it.name == name).unwrap();
        let (mut broken, mut strange) = (Vec::new(), Vec::new());
        for misfit in field.misfits(found) {
            match misfit {
                Misfit::Breaks(text) => broken.push(text),
                Misfit::Odd(text) => strange.push(text),
            }
        }
        for (texts, words) in [(&broken, breaks), (&strange, odd)] {
            assert_eq!(texts.len(), words.len(), "{name} {found}: {texts:?}");
            assert!(texts.iter().zip(words).all(|(text, words)| text.contains(words)), "{name} {found}: {texts:?}");
        }
    }

    #[test]
    fn what_setup_makes_fits() {
        let folder = tempfile::tempdir().unwrap();
        let mappings = Mappings::load(Some(folder.path())).unwrap();
        for field in sync_fields(mappings.get("beteiligte").unwrap()) {
            assert_eq!(field.misfits(&field.definition()), [], "{}", field.name);
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        check("advowareId", &json!({"type": "varchar"}), &[], &[]);
        check("advowareId", &json!({"type": "float"}), &["type float"], &[]);
        check("advowareId", &json!({"type": "int", "readOnly": true}), &["read-only"], &[]);
        check("advowareId", &json!({"type": "int", "required": true}), &["is required"], &[]);
        check("advowareRowId", &json!({"type": "varchar", "maxLength": 20}), &["20 characters"], &[]);
        check("advowareLastSync", &json!({"type": "date"}), &["must be datetime"], &[]);
        check("syncErrorMessage", &json!({"type": "text"}), &[], &[]);
        check("syncErrorMessage", &json!({"type": "varchar", "maxLength": 255}), &["must hold 2000"], &[]);
        check(
            "syncStatus",
            &json!({"type": "enum", "options": ["clean", "dirty"]}),
            &["failed, permanently_failed"],
            &["pending_sync"],
        );
        check("syncRetryCount", &json!({}), &["has the type"], &[]);
    }
}
