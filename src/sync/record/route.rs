//! Which way a run goes, from what EspoCRM and the ledger say: pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::mapping::Mapping;
use crate::sync::ledger::{Intent, Known, Pair};

/// Which way a run goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Route {
    /// A create may or may not have happened, or an update may still be under way; nothing may be done before this time has
    /// passed.
    Wait(Duration),
    /// The record is gone at EspoCRM; the pair that it had ends.
    Dissolve(Option<Pair>),
    /// A create may or may not have happened, and the quiet time is over: look.
    Recover(Intent),
    /// The record has no counterpart yet.
    Create,
    /// Both sides exist: compare.
    Compare {
        /// Advoware's number.
        number: String,
        /// What is known of both sides.
        pair: Option<Pair>,
        /// The pair that the record had with another number: somebody has changed it.
        left: Option<Box<Pair>>,
    },
}

/// Decides by what was read, not by the action that the job names: EspoCRM delivers out of order.
#[must_use]
pub fn route(
    mapping: &Mapping,
    record: Option<&Map<String, Value>>,
    known: Known,
    quiet: Duration,
    now: DateTime<Utc>,
) -> Route {
    if let Some(intent) = known.intent
        && known.pair.is_none()
    {
        let left = quiet_left(intent.at, quiet, now);
        if !left.is_zero() {
            return Route::Wait(left);
        }
        // A number can only be a person's word then: what this create did or did not do is decided.
        if record.is_some_and(|record| number_in(record, &mapping.espocrm.link).is_none()) {
            return Route::Recover(intent);
        }
    }
    let Some(record) = record else { return Route::Dissolve(known.pair) };
    // Whatever was written now, the update that is under way could undo, and its values would look like edits.
    let left = known.pair.as_ref().and_then(|pair| pair.unheard).map(|sent| quiet_left(sent, quiet, now));
    if let Some(left) = left.filter(|left| !left.is_zero()) {
        return Route::Wait(left);
    }
    // The number in EspoCRM is what people see and may set; the ledger's counts where EspoCRM shows none, because a
    // crash may have come between the two writes.
    let shown = number_in(record, &mapping.espocrm.link);
    match (shown, known.pair) {
        (None, None) => Route::Create,
        (None, Some(pair)) => Route::Compare { number: pair.number.clone(), pair: Some(pair), left: None },
        (Some(number), Some(left)) if left.number != number => {
            Route::Compare { number, pair: None, left: Some(Box::new(left)) }
        }
        (Some(number), pair) => Route::Compare { number, pair, left: None },
    }
}

/// How much of the quiet time of a POST that was about to be sent at `at` is left.
#[must_use]
pub fn quiet_left(at: DateTime<Utc>, quiet: Duration, now: DateTime<Utc>) -> Duration {
    let passed = (now - at).to_std().unwrap_or_default();
    quiet.saturating_sub(passed)
}

/// A record's number, however it is written; blank and 0 are none.
#[must_use]
pub fn number_in(record: &Map<String, Value>, attribute: &str) -> Option<String> {
    let text = match record.get(attribute)? {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    (!text.is_empty() && text != "0").then_some(text)
}

/// Whether a record carries this number; leading zeros do not count.
#[must_use]
pub fn is_numbered(record: &Map<String, Value>, attribute: &str, number: &str) -> bool {
    let plain = |text: &str| text.trim().trim_start_matches('0').to_owned();
    number_in(record, attribute).is_some_and(|said| plain(&said) == plain(number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sync::record::mapping::Mappings;

    const QUIET: Duration = Duration::from_mins(1);

    fn intent(seconds_ago: i64) -> Intent {
        let at = DateTime::UNIX_EPOCH - chrono::TimeDelta::seconds(seconds_ago);
        Intent { digest: "d".into(), at, body: Map::new(), known: Vec::new(), tries: 1 }
    }

    fn pair(number: &str) -> Pair {
        Pair::new(number, None, None, DateTime::UNIX_EPOCH)
    }

    fn check(record: Option<Value>, pair: Option<Pair>, intent: Option<Intent>) -> Route {
        let mappings = Mappings::load(None).unwrap();
        let record = record.map(|record| record.as_object().unwrap().clone());
        let known = Known { pair, intent };
        route(mappings.get("beteiligte").unwrap(), record.as_ref(), known, QUIET, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn what_was_read_decides() {
        let linked = Some(json!({ "id": "a", "advowareId": 17 }));
        let unlinked = Some(json!({ "id": "a", "advowareId": null }));
        let compare = |number: &str, known| Route::Compare { number: number.into(), pair: known, left: None };
        let renumbered = Route::Compare { number: "17".into(), pair: None, left: Some(Box::new(pair("18"))) };
        assert_eq!(check(unlinked.clone(), None, None), Route::Create);
        assert_eq!(check(linked.clone(), None, None), compare("17", None));
        assert_eq!(check(linked.clone(), Some(pair("17")), None), compare("17", Some(pair("17"))));
        assert_eq!(check(linked.clone(), Some(pair("18")), None), renumbered, "another party: first contact");
        assert_eq!(check(unlinked.clone(), Some(pair("18")), None), compare("18", Some(pair("18"))));
        assert_eq!(check(None, Some(pair("18")), None), Route::Dissolve(Some(pair("18"))));
        assert_eq!(check(None, None, None), Route::Dissolve(None));
        assert_eq!(check(unlinked.clone(), None, Some(intent(20))), Route::Wait(Duration::from_secs(40)));
        assert_eq!(check(None, None, Some(intent(20))), Route::Wait(Duration::from_secs(40)), "an orphan could follow");
        assert_eq!(check(unlinked, None, Some(intent(60))), Route::Recover(intent(60)));
        assert_eq!(check(None, None, Some(intent(60))), Route::Dissolve(None));
        assert_eq!(check(linked.clone(), None, Some(intent(20))), Route::Wait(Duration::from_secs(40)));
        assert_eq!(check(linked, None, Some(intent(60))), compare("17", None), "a person has decided");
    }

    #[test]
    fn an_update_that_nobody_answered_is_waited_for() {
        let sent = |seconds_ago| Some(intent(seconds_ago).at);
        let pair = |seconds_ago| Some(Pair { unheard: sent(seconds_ago), ..pair("17") });
        let linked = || Some(json!({ "id": "a", "advowareId": 17 }));
        assert_eq!(check(linked(), pair(20), None), Route::Wait(Duration::from_secs(40)));
        assert_eq!(check(linked(), pair(60), None), Route::Compare { number: "17".into(), pair: pair(60), left: None });
        assert_eq!(check(None, pair(20), None), Route::Dissolve(pair(20)), "there is nothing that it could undo");
    }

    #[test]
    fn a_record_is_the_one_whose_number_it_carries() {
        let check = |said: Value, expected: bool| {
            let record = json!({ "betNr": said });
            assert_eq!(is_numbered(record.as_object().unwrap(), "betNr", "17"), expected, "{record}");
        };
        check(json!(17), true);
        check(json!("17"), true);
        check(json!(" 0017 "), true);
        for other in [json!(18), json!(170), json!(-17), json!("17a"), json!(""), json!(0), Value::Null, json!([17])] {
            check(other, false);
        }
        assert!(!is_numbered(&Map::new(), "betNr", "17"), "an answer without a number is no record");
    }

    #[test]
    fn a_clock_that_went_back_only_lengthens_the_quiet_time() {
        assert_eq!(quiet_left(intent(-30).at, QUIET, DateTime::UNIX_EPOCH), QUIET);
    }
}
