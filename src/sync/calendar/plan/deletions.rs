//! Too many deletions at once are held back (C1): an upstream that answers with an empty list must not empty the other.

use crate::sync::calendar::scope::Scope;

/// What becomes of the deletions of a run, those of both sides together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They are done.
    Done,
    /// None of them is done before a person confirms it; creates and updates go on.
    HeldBack,
}

/// Judges a number of proved deletions in a calendar of so many pairs.
#[must_use]
pub fn judge(scope: &Scope, pairs: usize, deletions: usize) -> Verdict {
    if scope.confirm_deletions || deletions <= scope.rules.max_deletions.allowed(pairs) {
        Verdict::Done
    } else {
        Verdict::HeldBack
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::sync::calendar::scope::{MaxDeletions, Multiday, Rules, Window};

    #[test]
    fn five_or_a_tenth_may_go_at_once_and_more_when_confirmed() {
        let day = NaiveDate::from_ymd_opt(2026, 3, 5).unwrap();
        let check = |pairs, deletions, confirm_deletions, expected| {
            let rules = Rules {
                kanzlei: "K".into(),
                multiday: Multiday::AllDay,
                blocked_title: "blocked".into(),
                max_deletions: MaxDeletions { count: 5, percent: 10 },
                write_protection: false,
            };
            let window = Window { from: day, to: day };
            let scope = Scope {
                kuerzel: "SB".into(),
                rules,
                anonymised: false,
                window,
                confirm_deletions,
                first_contact: false,
            };
            assert_eq!(judge(&scope, pairs, deletions), expected, "{deletions} of {pairs}");
        };
        check(20, 5, false, Verdict::Done);
        check(20, 6, false, Verdict::HeldBack);
        check(20, 20, true, Verdict::Done);
        check(100, 10, false, Verdict::Done);
        check(109, 11, false, Verdict::HeldBack);
        check(0, 0, false, Verdict::Done);
    }
}
