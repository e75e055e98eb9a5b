//! How Google spells a recurrence rule: the same rule, other parts order.

use crate::options::{IntervalOne, Normalising};

/// The order of the parts; all others follow as they came.
const ORDER: [&str; 5] = ["FREQ", "WKST", "UNTIL", "COUNT", "INTERVAL"];

/// A line of `recurrence` as Google stores it.
pub(super) fn spelled(line: &str, normalise: &Normalising) -> String {
    let Some(rule) = line.strip_prefix("RRULE:") else { return line.to_owned() };
    let mut parts: Vec<&str> = rule.split(';').filter(|part| !part.is_empty()).collect();
    match normalise.interval_one {
        IntervalOne::AsWritten => {}
        IntervalOne::Dropped => parts.retain(|part| *part != "INTERVAL=1"),
        IntervalOne::Added if parts.iter().any(|part| part.starts_with("INTERVAL=")) => {}
        IntervalOne::Added => parts.push("INTERVAL=1"),
    }
    if normalise.rule_order {
        let place = |part: &&str| {
            let name = part.split('=').next().unwrap_or_default();
            ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len())
        };
        parts.sort_by_key(place);
    }
    format!("RRULE:{}", parts.join(";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        fn check(line: &str, interval_one: IntervalOne, expected: &str) {
            assert_eq!(spelled(line, &Normalising { interval_one, ..Normalising::default() }), expected);
        }
        check(
            "RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20251224",
            IntervalOne::Dropped,
            "RRULE:FREQ=DAILY;UNTIL=20251224;INTERVAL=3",
        );
        check("RRULE:INTERVAL=1;BYDAY=MO;FREQ=WEEKLY", IntervalOne::Dropped, "RRULE:FREQ=WEEKLY;BYDAY=MO");
        check("RRULE:INTERVAL=1;FREQ=WEEKLY", IntervalOne::AsWritten, "RRULE:FREQ=WEEKLY;INTERVAL=1");
        check("RRULE:FREQ=WEEKLY;BYDAY=MO", IntervalOne::Added, "RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO");
        check("EXDATE;VALUE=DATE:20260305", IntervalOne::Added, "EXDATE;VALUE=DATE:20260305");
        let plain = Normalising { rule_order: false, ..Normalising::default() };
        assert_eq!(spelled("RRULE:COUNT=2;FREQ=DAILY", &plain), "RRULE:COUNT=2;FREQ=DAILY");
    }
}
