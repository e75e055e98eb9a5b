//! Calendar days. A date field has no time zone: the day that is written is the day that is meant, also where a
//! system appends a midnight or a `Z`.

use chrono::{NaiveDate, NaiveTime};

/// Advoware's way to say "no date" (contracts/advoware.md).
const NO_DATE: &str = "0001-01-01";

/// `YYYY-MM-DD`, or blank; an error names what was expected.
pub(super) fn canonical(text: &str) -> Result<Option<String>, &'static str> {
    const EXPECTED: &str = "not a date (YYYY-MM-DD)";
    let (day, time) = split(text).ok_or(EXPECTED)?;
    let is_date = NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok() && (time.is_empty() || is_time(&time[1..]));
    match is_date {
        true if day == NO_DATE => Ok(None),
        true => Ok(Some(day.to_owned())),
        false => Err(EXPECTED),
    }
}

/// The day with the old value's tail, where that is a midnight: Advoware keeps `1980-02-29T00:00:00`.
pub(super) fn in_form_of(day: &str, old: &str) -> String {
    match split(old.trim()) {
        Some((_, "")) | None => day.to_owned(),
        Some((_, tail)) if tail[1..].starts_with("00:00:00") => format!("{day}{tail}"),
        Some(_) => format!("{day}T00:00:00"),
    }
}

/// Day and tail; the tail is empty or starts with `T` or a space.
fn split(text: &str) -> Option<(&str, &str)> {
    let (day, tail) = text.split_at_checked(10)?;
    let digits = |range: std::ops::Range<usize>| day.as_bytes()[range].iter().all(u8::is_ascii_digit);
    let form = digits(0..4) && digits(5..7) && digits(8..10) && day.as_bytes()[4] == b'-' && day.as_bytes()[7] == b'-';
    (form && (tail.is_empty() || tail.starts_with(['T', ' ']))).then_some((day, tail))
}

fn is_time(text: &str) -> bool {
    let time = match text.strip_suffix('Z') {
        Some(time) => time,
        None => match text.find(['+', '-']) {
            Some(sign) if NaiveTime::parse_from_str(&text[sign + 1..], "%H:%M").is_ok() => &text[..sign],
            Some(_) => return false,
            None => text,
        },
    };
    NaiveTime::parse_from_str(time, "%H:%M:%S%.f").is_ok() || NaiveTime::parse_from_str(time, "%H:%M").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_from_every_form_in_use() {
        let day = Some(Some("1980-02-29".to_owned()));
        let blank = Some(None);
        for (text, expected) in [
            ("1980-02-29", &day),
            ("1980-02-29T00:00:00", &day),
            ("1980-02-29 00:00:00", &day),
            ("1980-02-29T00:00:00.0000000", &day),
            ("1980-02-29T00:00:00Z", &day),
            ("1980-02-29T00:00:00+01:00", &day),
            ("0001-01-01", &blank),
            ("0001-01-01T00:00:00Z", &blank),
            ("1981-02-29", &None),
            ("1980-2-29", &None),
            ("1980-02-29X", &None),
            ("1980-02-29T25:00:00", &None),
            ("29.02.1980", &None),
            ("unbekannt, ca. 1980", &None),
            ("ä980-02-2", &None),
        ] {
            assert_eq!(&canonical(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_new_day_takes_the_form_of_the_old_one() {
        for (old, expected) in [
            ("1980-02-29", "1981-03-01"),
            ("1980-02-29T00:00:00", "1981-03-01T00:00:00"),
            ("1980-02-29T00:00:00.000Z", "1981-03-01T00:00:00.000Z"),
            ("1980-02-28T23:00:00Z", "1981-03-01T00:00:00"),
            ("0001-01-01T00:00:00", "1981-03-01T00:00:00"),
            ("", "1981-03-01"),
            ("unbekannt", "1981-03-01"),
        ] {
            assert_eq!(in_form_of("1981-03-01", old), expected, "{old}");
        }
    }
}
