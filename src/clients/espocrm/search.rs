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
    /// The field to sort by; `None`: EspoCRM's choice, which pages must not rely on.
    pub order_by: Option<String>,
    /// The direction.
    pub order: Order,
    /// How many records to skip.
    pub offset: u64,
    /// Records a page, 1 to 200.
    pub max_size: u16,
    /// Do not count; cheaper on large tables.
    pub no_total: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            where_: Vec::new(),
            select: Vec::new(),
            order_by: None,
            order: Order::Ascending,
            offset: 0,
            max_size: 200,
            no_total: false,
        }
    }
}

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
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
            params["order"] = match self.order {
                Order::Ascending => json!("asc"),
                Order::Descending => json!("desc"),
            };
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

    fn grouped(kind: &str, conditions: impl IntoIterator<Item = Self>) -> Self {
        let conditions: Vec<Self> = conditions.into_iter().collect();
        Self(json!({ "type": kind, "value": conditions }))
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

    /// The attribute is set.
    #[must_use]
    pub fn is_not_null(attribute: &str) -> Self {
        Self(json!({ "type": "isNotNull", "attribute": attribute }))
    }

    /// The attribute is greater.
    #[must_use]
    pub fn greater_than(attribute: &str, value: impl Into<Value>) -> Self {
        Self::compared("greaterThan", attribute, value)
    }

    /// The attribute is greater or equal.
    #[must_use]
    pub fn greater_than_or_equals(attribute: &str, value: impl Into<Value>) -> Self {
        Self::compared("greaterThanOrEquals", attribute, value)
    }

    /// The attribute is less.
    #[must_use]
    pub fn less_than(attribute: &str, value: impl Into<Value>) -> Self {
        Self::compared("lessThan", attribute, value)
    }

    /// The attribute is less or equal.
    #[must_use]
    pub fn less_than_or_equals(attribute: &str, value: impl Into<Value>) -> Self {
        Self::compared("lessThanOrEquals", attribute, value)
    }

    /// The text begins so.
    #[must_use]
    pub fn starts_with(attribute: &str, text: &str) -> Self {
        Self::compared("startsWith", attribute, text)
    }

    /// The time is later than `at`: UTC, `YYYY-MM-DD HH:mm:ss`.
    #[must_use]
    pub fn after(attribute: &str, at: &str) -> Self {
        Self::compared("after", attribute, at)
    }

    /// The time is earlier than `at`: UTC, `YYYY-MM-DD HH:mm:ss`.
    #[must_use]
    pub fn before(attribute: &str, at: &str) -> Self {
        Self::compared("before", attribute, at)
    }

    /// At least one of the conditions holds.
    #[must_use]
    pub fn or(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::grouped("or", conditions)
    }

    /// All of the conditions hold.
    #[must_use]
    pub fn and(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::grouped("and", conditions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_what_the_contract_shows() {
        let search = Search {
            where_: vec![Where::or([
                Where::is_in("syncStatus", ["dirty", "failed"]),
                Where::and([Where::is_null("advowareId"), Where::after("modifiedAt", "2026-01-01 00:00:00")]),
                Where::greater_than_or_equals("syncRetryCount", 1),
            ])],
            select: vec!["id".to_owned(), "syncStatus".to_owned()],
            order_by: Some("createdAt".to_owned()),
            order: Order::Descending,
            offset: 20,
            max_size: 50,
            no_total: true,
        };
        let is_in = json!({ "type": "in", "attribute": "syncStatus", "value": ["dirty", "failed"] });
        let unlinked = json!({ "type": "isNull", "attribute": "advowareId" });
        let late = json!({ "type": "after", "attribute": "modifiedAt", "value": "2026-01-01 00:00:00" });
        let tried = json!({ "type": "greaterThanOrEquals", "attribute": "syncRetryCount", "value": 1 });
        let expected = json!({
            "maxSize": 50,
            "offset": 20,
            "where": [{ "type": "or", "value": [is_in, { "type": "and", "value": [unlinked, late] }, tried] }],
            "select": ["id", "syncStatus"],
            "orderBy": "createdAt",
            "order": "desc",
        });
        assert_eq!(search.params(), expected);
    }

    #[test]
    fn the_default_filters_nothing() {
        assert_eq!(Search::default().params(), json!({ "maxSize": 200, "offset": 0 }));
    }
}
