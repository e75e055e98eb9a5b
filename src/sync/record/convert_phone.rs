//! Phone numbers in E.164. Advoware holds them as people type them; EspoCRM takes international ones only.
//!
//! Deliberately strict: a text that could be two numbers, a number with a remark, or one without an area code stays
//! text. Guessing would put a wrong number into a client's record.

/// `+` and digits, numbers with a leading zero read as German; `None` for everything else.
pub(super) fn canonical(text: &str) -> Option<String> {
    let text = text.trim();
    if holds_two_numbers(text) {
        return None;
    }
    // `(+49) 30 …` is a common spelling.
    let bare = text.strip_prefix('(').filter(|rest| rest.starts_with('+')).unwrap_or(text);
    let digits = digits(bare)?;
    let international = bare.strip_prefix('+').map(|_| digits.as_str()).or_else(|| digits.strip_prefix("00"));
    let number = match international {
        Some(number) => without_trunk_zero(number, bare)?,
        None => format!("49{}", digits.strip_prefix('0')?),
    };
    is_plausible(&number).then(|| format!("+{number}"))
}

/// All digits; `None` where anything but digits and the usual separators occurs.
fn digits(text: &str) -> Option<String> {
    let body = text.strip_prefix('+').unwrap_or(text);
    let separator = |letter: char| " \u{a0}\u{202f}/-.()\u{2013}".contains(letter);
    body.chars()
        .all(|letter| letter.is_ascii_digit() || separator(letter))
        .then(|| body.chars().filter(char::is_ascii_digit).collect())
}

/// `030 123 / 0171 456`: what follows the slash starts a number of its own.
fn holds_two_numbers(text: &str) -> bool {
    text.split('/').skip(1).any(|part| part.trim_start().starts_with(['0', '+']))
}

/// `+49 (0)30` and `+49 030` mean `+49 30`. Italy keeps its zero.
fn without_trunk_zero(number: &str, spelled: &str) -> Option<String> {
    if let Some(national) = number.strip_prefix("49") {
        return Some(format!("49{}", national.strip_prefix('0').unwrap_or(national)));
    }
    let Some((before, _)) = spelled.split_once("(0)").filter(|_| !number.starts_with("39")) else {
        return Some(number.to_owned());
    };
    let written = before.bytes().filter(u8::is_ascii_digit).count();
    let country = if spelled.starts_with('+') { written } else { written.checked_sub(2)? };
    let (country, rest) = number.split_at_checked(country)?;
    rest.strip_prefix('0').map(|national| format!("{country}{national}"))
}

/// Lengths as international numbering allows; within Germany at least area code and number.
fn is_plausible(number: &str) -> bool {
    let national = number.strip_prefix("49");
    let length = national.map_or((8..=15).contains(&number.len()), |rest| (5..=13).contains(&rest.len()));
    length && !number.starts_with('0') && !national.is_some_and(|rest| rest.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(canonical(text).as_deref(), expected, "{text}");
    }

    #[test]
    fn german_spellings_become_one_number() {
        for text in [
            "030/123456",
            "030 123456",
            "(030) 12 34 56",
            "030-1234-56",
            "+49 (0)30 12 34 56",
            "+49 030 123456",
            "+49 30 123456",
            "(+49) 30 123456",
            "0049 30 123456",
            "0049 (0)30/123456",
            "+4930123456",
        ] {
            check(text, Some("+4930123456"));
        }
        check("+49 (0)30 12 34", Some("+49301234"));
        check("0171\u{a0}1234567", Some("+491711234567"));
    }

    #[test]
    fn foreign_numbers_keep_their_country() {
        check("+43 (0)1 5123456", Some("+4315123456"));
        check("0043 (0)1 5123456", Some("+4315123456"));
        check("+39 06 1234567", Some("+39061234567"));
        check("+1 (212) 555-0100", Some("+12125550100"));
    }

    #[test]
    fn what_could_be_wrong_stays_text() {
        for text in [
            "123456",
            "030 123456 privat",
            "030/123456, 0171/1234567",
            "030 123 / 0171 456",
            "030 1234 App. 5",
            "110",
            "+49",
            "+49 00 30 123",
            "00",
            "+0301234567",
            "+49301234567890123",
            "siehe Akte",
            "+",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_canonical_number_stays_as_it_is(text in "[(]?[+]?[0-9 /()-]{0,18}") {
            if let Some(number) = canonical(&text) {
                prop_assert_eq!(canonical(&number), Some(number));
            }
        }
    }
}
