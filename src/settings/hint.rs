//! Names that nobody reads: probably mistyped.

use super::catalogue;

/// Only these prefixes are ours beyond doubt; other programs have variables that begin with `REDIS_` or `GOOGLE_`.
const PREFIXES: [&str; 4] = ["ADVOSYNC_", "ESPOCRM_", "ADVOWARE_", "CALENDAR_SYNC_"];

/// Further away than this a name is no typing mistake.
const FAR: usize = 8;

/// The known name that is nearest to `name`, if any is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let near = catalogue::names().map(|known| (distance_to(name, known), known)).min()?;
    (near.0 <= FAR).then_some(near.1)
}

/// The distance to a known name; a word that was left out after the prefix (`ADVOSYNC_CONCURRENCY`) counts as one mistake.
fn distance_to(name: &str, known: &str) -> usize {
    let shortened = name.split_once('_').zip(known.split_once('_')).filter(|((prefix, _), (other, _))| prefix == other);
    let tails = shortened.into_iter().flat_map(|((_, tail), (_, known_tail))| {
        known_tail.match_indices('_').map(move |(at, _)| 1 + distance(tail, &known_tail[at + 1..]))
    });
    tails.chain([distance(name, known)]).min().unwrap_or(usize::MAX)
}

/// A warning for a name of an environment that no setting has, if it looks like one of ours.
pub(super) fn unknown(name: &str, place: &str) -> Option<String> {
    let ours = PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && catalogue::find(name).or(catalogue::in_file(name)).is_none();
    if name == "REDIS_PASSWORD" {
        return Some(format!("{name} ({place}) is not read; write REDIS_URL=redis://:PASSWORD@host:6379/1"));
    }
    ours.then(|| match nearest(name) {
        Some(known) => format!("{name} ({place}) is no setting and is not read; did you mean {known}?"),
        None => format!("{name} ({place}) is no setting and is not read"),
    })
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, to) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest, unknown};

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn the_nearest_name_is_offered() {
        assert_eq!(nearest("ADVOSYNC_LISTNE"), Some("ADVOSYNC_LISTEN"));
        assert_eq!(nearest("ESPOCRM_WEBHOOK_SECRETS"), Some("ESPOCRM_WEBHOOK_SECRET"));
        assert_eq!(nearest("ADVOSYNC_CONCURENCY"), Some("ADVOSYNC_WORKER_CONCURRENCY"));
        assert_eq!(nearest("ADVOWARE_TIMEOUT_SECONDS"), Some("ADVOWARE_API_TIMEOUT_SECONDS"));
        assert_eq!(nearest("COMPLETELY_DIFFERENT_AND_LONG"), None);
    }

    #[test]
    fn only_our_prefixes_are_warned_about() {
        assert!(unknown("ADVOSYNC_LEASES", "environment").is_some_and(|text| text.contains("ADVOSYNC_LEASE?")));
        assert_eq!(unknown("ADVOSYNC_LEASE", "environment"), None);
        assert_eq!(unknown("REDIS_SERVICE_HOST", "environment"), None);
        assert_eq!(unknown("PATH", "environment"), None);
    }
}
