//! Lists: conditions, order and pages. Source: contract, "Lists".

use serde::Serialize;
use serde_json::{Value, json};

use super::records::Record;

/// What to list. The default is the first 200 records of the entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// All of these must hold.
    pub where_: Vec<Where>,
    /// The fields to answer; empty: all. `id` is always there.
    pub select: Vec<String>,
    /// The field to sort by, smallest first; `None`: EspoCRM's choice, which pages must not rely on.
    pub order_by: Option<String>,
    /// How many records to skip.
    pub offset: u64,
    /// Records a page, 1 to 200.
    pub max_size: u16,
    /// Do not count; cheaper on large tables.
    pub no_total: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self { where_: Vec::new(), select: Vec::new(), order_by: None, offset: 0, max_size: 200, no_total: false }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// How many match in all; `None` where it was not counted.
    pub total: Option<u64>,
    /// The records of this page.
    pub list: Vec<Record>,
}

impl Search {
    /// The value of `searchParams`. As JSON, `select` is a list; only in plain query parameters it is text with commas.
    pub(super) fn params(&self) -> Value {
        let mut params = json!({ "maxSize": self.max_size, "offset": self.offset });
        if !self.where_.is_empty() {
            params["where"] = json!(self.where_);
        }
        if !self.select.is_empty() {
            params["select"] = json!(self.select);
        }
        if let Some(order_by) = &self.order_by {
            params["orderBy"] = json!(order_by);
            params["order"] = json!("asc");
        }
        params
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Where(Value);

impl Where {
    fn compared(kind: &str, attribute: &str, value: impl Into<Value>) -> Self {
        Self(json!({ "type": kind, "attribute": attribute, "value": value.into() }))
    }

    /// The attribute has this value.
    #[must_use]
    pub fn equals(attribute: &str, value: impl Into<Value>) -> Self {
        Self::compared("equals", attribute, value)
    }

    /// The attribute has one of these values.
    #[must_use]
    pub fn is_in<V: Into<Value>>(attribute: &str, values: impl IntoIterator<Item = V>) -> Self {
        Self::compared("in", attribute, values.into_iter().map(Into::into).collect::<Vec<Value>>())
    }

    /// The attribute is not set.
    #[must_use]
    pub fn is_null(attribute: &str) -> Self {
        Self(json!({ "type": "isNull", "attribute": attribute }))
    }

    /// The attribute is greater.
    #[must_use]
    pub fn greater_than(attribute: &str, value: impl Into<Value>) -> Self {
        Self::compared("greaterThan", attribute, value)
    }

    /// At least one of the conditions holds.
    #[must_use]
    pub fn or(conditions: impl IntoIterator<Item = Self>) -> Self {
        let conditions: Vec<Self> = conditions.into_iter().collect();
        Self(json!({ "type": "or", "value": conditions }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_what_the_contract_shows() {
        let search = Search {
            where_: vec![
                Where::or([Where::is_in("syncStatus", ["dirty", "failed"]), Where::is_null("syncStatus")]),
                Where::greater_than("id", "65a1"),
                Where::equals("advowareId", 17),
            ],
            select: vec!["id".to_owned(), "syncStatus".to_owned()],
            order_by: Some("id".to_owned()),
            offset: 20,
            max_size: 50,
            no_total: true,
        };
        let is_in = json!({ "type": "in", "attribute": "syncStatus", "value": ["dirty", "failed"] });
        let is_null = json!({ "type": "isNull", "attribute": "syncStatus" });
        let expected = json!({
            "maxSize": 50,
            "offset": 20,
            "where": [
                { "type": "or", "value": [is_in, is_null] },
                { "type": "greaterThan", "attribute": "id", "value": "65a1" },
                { "type": "equals", "attribute": "advowareId", "value": 17 },
            ],
            "select": ["id", "syncStatus"],
            "orderBy": "id",
            "order": "asc",
        });
        assert_eq!(search.params(), expected);
    }

    #[test]
    fn the_default_filters_nothing() {
        assert_eq!(Search::default().params(), json!({ "maxSize": 200, "offset": 0 }));
    }
}
