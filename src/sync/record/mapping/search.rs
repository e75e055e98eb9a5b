//! Finding a record again that may exist already (design S3 "Linking", S4).

use super::{Field, Mapping, Source};
use crate::sync::record::normal::{Content, Seen};

impl Mapping {
    /// Query parameters that list Advoware's records with the same search keys; blank keys are left out.
    /// None where no usable search exists: no keys in the mapping, a key that is hidden, or all of them blank.
    #[must_use]
    pub fn search_query(&self, content: &Content) -> Option<Vec<(&str, String)>> {
        let mut query = Vec::new();
        for key in &self.search.keys {
            match content.get(&key.field) {
                Seen::Absent => return None,
                Seen::Blank => {}
                Seen::Value(value) => query.push((key.parameter.as_str(), value.to_owned())),
            }
        }
        (!query.is_empty()).then_some(query)
    }

    /// EspoCRM's attributes and values by which records with the same search keys are listed there: one list for each key
    /// that is filled, of which one entry must fit. The name of a person and that of a company stand in different ones.
    #[must_use]
    pub fn espocrm_search(&self, content: &Content) -> Vec<Vec<(String, String)>> {
        let filled = self.search.keys.iter().filter_map(|key| {
            let text = content.get(&key.field).text()?;
            Some((self.field(&key.field)?, text))
        });
        let attributes = |field: &Field| match (&field.source, &self.person) {
            (Source::First, Some(person)) => vec![person.espocrm_first.clone()],
            (Source::Name, Some(person)) => vec![person.espocrm_last.clone(), person.espocrm_company.clone()],
            (Source::Attribute(attribute), _) => vec![attribute.clone()],
            // The reader refuses a joined field as a key: its parts would have to fit together.
            (Source::Joined(_), _) | (Source::First | Source::Name, None) => Vec::new(),
        };
        let listed = |(field, text): (&Field, &str)| {
            attributes(field).into_iter().map(|it| (it, field.convert.espocrm_text(text).to_owned())).collect()
        };
        filled.map(listed).collect()
    }

    /// Whether all search keys are known of `one` and equal. Advoware ignores a parameter it does not know, so every
    /// answer is filtered with this. A key that the answer does not show counts as blank: overlooking a party would
    /// double it, while one too many is only looked at.
    #[must_use]
    pub fn same_search_keys(&self, one: &Content, answer: &Content) -> bool {
        let same = |field: &Field| {
            let shown = answer.get(&field.advoware);
            field.same(one.get(&field.advoware), if shown.is_known() { shown } else { Seen::Blank })
        };
        let mut keys = self.search.keys.iter().filter_map(|key| self.field(&key.field)).peekable();
        keys.peek().is_some() && keys.all(same)
    }

    /// Whether a field that tells records apart (`unless_different`) is filled on both sides and unequal.
    #[must_use]
    pub fn proven_different(&self, one: &Content, other: &Content) -> bool {
        self.search.unless_different.iter().filter_map(|name| self.field(name)).any(|field| {
            match (one.get(&field.advoware), other.get(&field.advoware)) {
                (Seen::Value(a), Seen::Value(b)) => !field.convert.same(a, b),
                _ => false,
            }
        })
    }
}
