//! What an event says about a record, and how a batch is spelled.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::Fields;
use crate::espocrm::actor::Actor;

/// Every attribute that is set; the users' names are not stored with the record, hence never here.
pub(crate) fn create(record: &Fields) -> Fields {
    let set = record.iter().filter(|(name, value)| !value.is_null() && !name.ends_with("ByName"));
    set.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The changed attributes and the id; who changed it only where that is another one than the time before.
pub(crate) fn update(id: &str, changed: &Fields, new_modifier: Option<&Actor>) -> Fields {
    let mut data = changed.clone();
    if let Some(actor) = new_modifier {
        data.insert("modifiedById".into(), json!(actor.id));
        data.insert("modifiedByName".into(), json!(actor.name));
    }
    data.insert("id".into(), json!(id));
    data
}

/// The id alone.
pub(crate) fn delete(id: &str) -> Fields {
    Fields::from_iter([("id".to_owned(), json!(id))])
}

/// A batch as PHP spells it: an array, everything beyond ASCII as `\uXXXX`.
pub(crate) fn spelled(items: Vec<Fields>) -> String {
    let text = Value::Array(items.into_iter().map(Value::Object).collect()).to_string();
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            ascii.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(ascii, "\\u{unit:04x}").expect("writing to a String cannot fail");
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_plain_ascii() {
        let item = Fields::from_iter([("a".to_owned(), json!("Müller 🏛"))]);
        assert_eq!(spelled(vec![item]), r#"[{"a":"M\u00fcller \ud83c\udfdb"}]"#);
    }
}
