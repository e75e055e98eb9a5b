//! Finding a record again that may exist already (design S3 "Linking", S4).

use super::{Field, Mapping, Source};
use crate::sync::record::convert::alike;
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

    /// Whether all search keys are known of `one` and equal, but for case and blanks. Advoware ignores a parameter it does
    /// not know, so every answer is filtered with this. A key that the answer does not show counts as blank, and a name
    /// that a system spells in its own way as equal: overlooking a party would double it, while one too many is only
    /// looked at.
    #[must_use]
    pub fn same_search_keys(&self, one: &Content, answer: &Content) -> bool {
        let same = |field: &Field| match (one.get(&field.advoware), answer.get(&field.advoware)) {
            (Seen::Value(one), Seen::Value(shown)) => field.convert.same(one, shown) || alike(one, shown),
            (wanted, shown) => wanted == Seen::Blank && shown.text().is_none(),
        };
        let mut keys = self.search.keys.iter().filter_map(|key| self.field(&key.field)).peekable();
        keys.peek().is_some() && keys.all(same)
    }

    /// Whether an answer does not show a field that could prove it different from what is wanted.
    #[must_use]
    pub fn hides_proof(&self, wanted: &Content, answer: &Content) -> bool {
        let hidden = |name: &String| wanted.get(name).text().is_some() && !answer.get(name).is_known();
        self.search.unless_different.iter().any(hidden)
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
