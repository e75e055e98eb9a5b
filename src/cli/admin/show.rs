//! How values are shown to people: aligned tables, ages, local times, text that cannot upset a terminal.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::queue::Loss;

/// How long a loss of data is told to whoever asks how things are.
const WORTH_TELLING: TimeDelta = TimeDelta::days(7);

/// Rows with aligned columns, two blanks apart; nothing after the last column. Numbers stand to the right.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    // The head of a column of numbers stands to the right as well.
    let numeric: Vec<bool> = (0..columns)
        .map(|column| {
            let mut body = rows.iter().skip(1).filter_map(|row| row.get(column)).peekable();
            body.peek().is_some() && body.all(|cell| cell.chars().all(|c| c.is_ascii_digit()))
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let fill = " ".repeat(widths[at].saturating_sub(cell.chars().count()));
            let (before, after) = if numeric[at] { (fill.as_str(), "") } else { ("", fill.as_str()) };
            // Writing to a string cannot fail.
            let _ = write!(line, "{before}{cell}{after}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The first line of a text, at most so many characters, without anything that a terminal would obey.
pub(super) fn first_line(text: &str, most: usize) -> String {
    let line = clean(text.trim_start().lines().next().unwrap_or_default());
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A text in which line breaks stay and other control characters are replaced: entries are also written by hand.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// An age in the largest unit that says enough.
pub(super) fn age(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// An instant as the wall clock of the firm shows it.
pub(super) fn local(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// What became of the data in Redis, in words, if that was so lately that a person may not know yet.
pub(super) fn recent_loss(loss: Option<(Loss, DateTime<Utc>)>, now: DateTime<Utc>, zone: Tz) -> Option<String> {
    let (loss, at) = loss.filter(|(_, at)| now - *at < WORTH_TELLING)?;
    let what = match loss {
        Loss::Emptied => "redis was emptied or exchanged",
        Loss::RolledBack => "redis went back to an older state",
    };
    let at = local(at, zone);
    Some(format!(
        "{what}, noticed on {at}: jobs and dead letters were lost, everything is compared again; find out why, see the \
         runbook under \"Redis has lost data\""
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_end_without_blanks() {
        let rows = [vec!["flow", "ready", "what"], vec!["vmh", "12", "Kürzel"], vec!["calendar", "3", ""]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|it| (*it).to_owned()).collect()).collect();
        assert_eq!(table(&rows), "flow      ready  what\nvmh          12  Kürzel\ncalendar      3\n");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn text_is_tamed() {
        assert_eq!(first_line("\n a\u{1b}[31mb\r\nsecond", 80), "a\u{fffd}[31mb");
        assert_eq!(first_line("ääää", 2), "ää…");
        assert_eq!(clean("a\nb\u{7}"), "a\nb\u{fffd}");
    }

    #[test]
    fn ages_are_short() {
        for (ms, expected) in
            [(-5, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (3_600_000, "1 h"), (172_800_000, "2 d")]
        {
            assert_eq!(age(ms), expected);
        }
    }

    #[test]
    fn a_loss_is_told_for_a_week() {
        let at: DateTime<Utc> = "2026-07-01T10:00:00Z".parse().unwrap();
        let told = |loss, days| recent_loss(Some((loss, at)), at + TimeDelta::days(days), chrono_tz::Europe::Berlin);
        assert!(
            told(Loss::Emptied, 0)
                .unwrap()
                .starts_with("redis was emptied or exchanged, noticed on 2026-07-01 12:00:00 CEST")
        );
        assert!(told(Loss::RolledBack, 6).unwrap().contains("older state"));
        assert_eq!((told(Loss::Emptied, 7), recent_loss(None, at, chrono_tz::Europe::Berlin)), (None, None));
    }

    #[test]
    fn times_are_local() {
        let at = "2026-07-01T10:00:00Z".parse().unwrap();
        assert_eq!(local(at, chrono_tz::Europe::Berlin), "2026-07-01 12:00:00 CEST");
    }
}
