//! The rows of one entity. A deleted row stays, invisible.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::entity::Entity;
use crate::Fields;

/// One record with all its attributes, unset ones as null.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) fields: Fields,
    pub(crate) version: i64,
    /// Order of creation: within one second `createdAt` orders nothing.
    pub(crate) sequence: u64,
    deleted: bool,
}

impl Row {
    pub(crate) fn id(&self) -> Option<&str> {
        self.fields.get("id").and_then(Value::as_str)
    }

    /// The record as an answer shows it.
    pub(crate) fn shown(&self, entity: &Entity) -> Fields {
        let mut fields = self.fields.clone();
        if entity.optimistic {
            fields.insert("versionNumber".into(), json!(self.version));
        }
        fields
    }
}

/// All rows by id.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: BTreeMap<String, Row>,
    last: u64,
}

impl Table {
    pub(crate) fn insert(&mut self, id: &str, fields: Fields) -> &Row {
        self.last += 1;
        let row = Row { fields, version: 1, sequence: self.last, deleted: false };
        self.rows.remove(id);
        self.rows.entry(id.to_owned()).or_insert(row)
    }

    pub(crate) fn replace(&mut self, id: &str, fields: Fields, new_version: bool) -> Row {
        let old = self.rows.get(id);
        let version = old.map_or(1, |row| row.version) + i64::from(new_version);
        let sequence = old.map_or(0, |row| row.sequence);
        let row = Row { fields, version, sequence, deleted: false };
        self.rows.insert(id.to_owned(), row.clone());
        row
    }

    /// Puts a record there, new or not.
    pub(crate) fn arrange(&mut self, id: &str, fields: Fields) {
        if self.live(id).is_some() {
            self.replace(id, fields, true);
        } else {
            self.insert(id, fields);
        }
    }

    pub(crate) fn live(&self, id: &str) -> Option<&Row> {
        self.rows.get(id).filter(|row| !row.deleted)
    }

    /// Live rows in the order of their creation.
    pub(crate) fn all_live(&self) -> impl Iterator<Item = &Row> {
        let mut rows: Vec<&Row> = self.rows.values().filter(|row| !row.deleted).collect();
        rows.sort_by_key(|row| row.sequence);
        rows.into_iter()
    }

    pub(crate) fn restore(&mut self, id: &str) -> bool {
        match self.rows.get_mut(id).filter(|row| row.deleted) {
            Some(row) => {
                row.deleted = false;
                true
            }
            None => false,
        }
    }

    pub(crate) fn delete(&mut self, id: &str) -> bool {
        match self.rows.get_mut(id).filter(|row| !row.deleted) {
            Some(row) => {
                row.deleted = true;
                true
            }
            None => false,
        }
    }
}
