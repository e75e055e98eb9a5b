//! A person's decision about a record that no rule can match: which party it is, or that it is a new one. Pure.
//!
//! It travels in the payload of the job that carries it out, and counts only where the rules would ask again: whatever became
//! clear meanwhile needs no decision, and the outcome of a create that was decided on is found out like that of any other.

use serde_json::{Value, json};

use super::create::Creation;

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The record is this party.
    This(String),
    /// It is none of those that there are: create it.
    Create,
}

impl Decision {
    /// What a job's payload says; one that says nothing of it is no decision.
    #[must_use]
    pub fn of(payload: Option<&str>) -> Option<Self> {
        let words: Value = serde_json::from_str(payload?).ok()?;
        let decision = words.get("decision")?;
        match decision.get("this") {
            Some(Value::String(number)) if !number.trim().is_empty() => Some(Self::This(number.trim().to_owned())),
            Some(Value::Number(number)) => Some(Self::This(number.to_string())),
            Some(_) => None,
            None => (decision == "create").then_some(Self::Create),
        }
    }

    /// The payload that says so.
    #[must_use]
    pub fn payload(&self) -> String {
        let words = match self {
            Self::This(number) => json!({ "this": number }),
            Self::Create => json!("create"),
        };
        json!({ "decision": words }).to_string()
    }
}

/// What to do, now that a person was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Decided {
    /// What the rules say.
    ByRule(Creation),
    /// Tie the record to this party.
    This(String),
}

/// Carries a decision over to what the rules say. `known`: the numbers of all that were found, which a create must not take
/// for its own effect.
#[must_use]
pub fn decide(creation: Creation, decision: Option<&Decision>, known: Vec<String>) -> Decided {
    match (creation, decision) {
        (Creation::Ask { .. }, Some(Decision::This(number))) => Decided::This(number.clone()),
        (Creation::Ask { .. }, Some(Decision::Create)) => Decided::ByRule(Creation::Post { known }),
        (creation, _) => Decided::ByRule(creation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_says_what_was_decided_or_nothing() {
        // The console spells them by itself: it knows nothing of the sync.
        for (decision, payload) in [
            (Decision::This("17".into()), r#"{"decision":{"this":"17"}}"#),
            (Decision::Create, r#"{"decision":"create"}"#),
        ] {
            assert_eq!(decision.payload(), payload);
            assert_eq!(Decision::of(Some(payload)), Some(decision));
        }
        assert_eq!(Decision::of(Some(r#"{"decision":{"this":17}}"#)), Some(Decision::This("17".into())));
        for other in [
            None,
            Some(""),
            Some("create"),
            Some(r#"{"decision":"discard"}"#),
            Some(r#"{"decision":{"this":""}}"#),
            Some(r#"{"decision":{"this":null}}"#),
            Some(r#"{"trial":true}"#),
        ] {
            assert_eq!(Decision::of(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_decision_counts_only_where_the_rules_ask() {
        let ask = || Creation::Ask { why: "several".into(), numbers: vec!["1".into(), "2".into()] };
        let known = || vec!["1".to_owned(), "2".to_owned(), "3".to_owned()];
        let this = Decision::This("2".into());
        assert_eq!(decide(ask(), None, known()), Decided::ByRule(ask()));
        assert_eq!(decide(ask(), Some(&this), known()), Decided::This("2".into()));
        let create = Decided::ByRule(Creation::Post { known: known() });
        assert_eq!(decide(ask(), Some(&Decision::Create), known()), create);
        // It is clear by now, or an earlier try of the create that was decided on has taken effect.
        let post = Creation::Post { known: vec!["1".into()] };
        for decision in [this, Decision::Create] {
            assert_eq!(decide(post.clone(), Some(&decision), known()), Decided::ByRule(post.clone()));
        }
    }
}
