//! Whose calendar is meant: a Kürzel or all of them.

use crate::queue::Topic;

/// The longest Kürzel, in letters.
const LONGEST: usize = 20;

/// The target of a calendar sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every employee's calendar.
    All,
    /// The calendar of one Kürzel.
    Employee(String),
}

impl Target {
    /// Reads a target as people write it: `ALL` in any case, or 1 to 20 letters (Umlauts too), digits, `_` and `-`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("ALL") {
            return Some(Self::All);
        }
        let fits = (1..=LONGEST).contains(&text.chars().count())
            && text.chars().all(|c| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '_' | '-'));
        fits.then(|| Self::Employee(text.to_owned()))
    }

    /// The topic that syncs it.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::All => Topic::CalendarAll,
            Self::Employee(_) => Topic::CalendarEmployee,
        }
    }

    /// The job's key, which is also what callers are shown.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::All => "ALL",
            Self::Employee(kuerzel) => kuerzel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(Target::parse(text).as_ref().map(Target::key), expected, "{text:?}");
        };
        for all in ["ALL", "all", "All"] {
            check(all, Some("ALL"));
            assert_eq!(Target::parse(all), Some(Target::All));
        }
        check("SB", Some("SB"));
        check("sb", Some("sb"));
        check("MÜß-2_x", Some("MÜß-2_x"));
        check(&"Ü".repeat(20), Some(&"Ü".repeat(20)));
        for bad in ["", " ", "S B", " SB", "SB\n", "S:B", "S*", "../x", "S\u{0}", &"x".repeat(21), "😀", "ALLE!"] {
            check(bad, None);
        }
    }
}
