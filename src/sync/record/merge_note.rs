//! The note on a record's stream that tells people what a sync decided over their heads. German, as they read it.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Berlin;

use super::convert::Conversion;
use super::mapping::{Field, Mapping};
use super::merge::{BlockReason, Blocked, Difference, Merged, Side};
use super::normal::Content;
use super::normal_write::Replaced;

/// Longest piece of a value that a note quotes, in characters; the rest is cut with `…`.
const QUOTED: usize = 200;

/// A value that was sent to Advoware, and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Canonical field.
    pub field: String,
    /// What was sent; `None` is blank.
    pub sent: Option<String>,
    /// What Advoware shows after it.
    pub shown: Option<String>,
}

/// The text of a note at `when` on what Advoware did not take, or none.
#[must_use]
pub fn note_on_ignored(mapping: &Mapping, ignored: &[Ignored], when: DateTime<Utc>) -> Option<String> {
    let mut note = String::new();
    section(&mut note, "Von Advoware nicht übernommen:", ignored, |it| {
        let field = mapping.field(&it.field);
        let (sent, there) = (shown(field, it.sent.as_deref()), shown(field, it.shown.as_deref()));
        format!("{}: EspoCRM {sent}, in Advoware steht {there}", label(field, &it.field))
    });
    titled(&note, when)
}

/// The text of a note at `when` on what differs in a record and a party that have just been linked, or none. Both stay as they
/// are, so nobody else tells.
#[must_use]
pub fn note_on_link(mapping: &Mapping, espocrm: &Content, advoware: &Content, when: DateTime<Utc>) -> Option<String> {
    let differing: Vec<&Field> = mapping.differing(espocrm, advoware).collect();
    let mut note = String::new();
    section(&mut note, "Verknüpft, und verschieden, bis jemand eine Seite ändert:", &differing, |field| {
        let text = |content: &Content| shown(Some(field), content.get(&field.advoware).text());
        format!("{}: EspoCRM {}, Advoware {}", field.label, text(espocrm), text(advoware))
    });
    titled(&note, when)
}

/// The text of a note at `when`, or none where there is nothing to tell. `cleared` are the values that writing a clean
/// person or company group removed.
#[must_use]
pub fn note_for(mapping: &Mapping, merged: &Merged, cleared: &[Replaced], when: DateTime<Utc>) -> Option<String> {
    let mut note = String::new();
    section(&mut note, "In EspoCRM und in Advoware verschieden geändert:", &merged.conflicts, |it| {
        difference(mapping, it)
    });
    section(&mut note, "Beim Abgleich ersetzt:", &merged.replaced, |it| difference(mapping, it));
    section(&mut note, "In EspoCRM geleert (Person oder Firma):", cleared, |it| {
        format!("{}: bisher {}", it.attribute, quoted(&it.old))
    });
    section(&mut note, "Nicht übernommen:", &merged.blocked, |it| blocked(mapping, it));
    titled(&note, when)
}

/// The note of a run in which a record has another party than before.
#[must_use]
pub fn renumbered(note: Option<String>, left: &str, number: &str, when: DateTime<Utc>) -> String {
    let text = format!(
        "\n\nDie Nummer in EspoCRM wurde von {left} auf {number} geändert. {left} bleibt in Advoware, ohne Datensatz in EspoCRM."
    );
    note.map_or_else(|| headed(&text, when), |note| note + &text)
}

/// The note on a record with this number when one with the same name was deleted whose party stays.
#[must_use]
pub fn namesake_deleted(id: &str, left: &str, number: &str, when: DateTime<Utc>) -> String {
    let text = format!(
        "\n\nIn EspoCRM wurde ein Datensatz gleichen Namens gelöscht ({id}). Seine Nummer {left} bleibt in Advoware, ohne \
         Datensatz in EspoCRM. Wurden hier Dubletten zusammengeführt, so sind auch {left} und {number} in Advoware \
         Dubletten: bitte dort zusammenführen."
    );
    headed(&text, when)
}

fn titled(note: &str, when: DateTime<Utc>) -> Option<String> {
    (!note.is_empty()).then(|| headed(note, when))
}

fn headed(text: &str, when: DateTime<Utc>) -> String {
    let local = when.with_timezone(&Berlin).format("%d.%m.%Y, %H:%M Uhr");
    format!("Abgleich mit Advoware am {local}{text}")
}

/// An older note that is still owed, with what a newer one has to say beyond it: the older may be the only place that still has
/// the values in it, and a run that is repeated after a crash says most of it again.
#[must_use]
pub fn with_news(before: Option<&str>, now: Option<&str>) -> Option<String> {
    let (Some(before), Some(now)) = (before, now) else { return before.or(now).map(str::to_owned) };
    // The first paragraph has the time, each further one a title and a line for each value, or a sentence.
    let mut paragraphs = now.split("\n\n");
    let mut note = vec![before.to_owned()];
    note.extend(paragraphs.next().map(str::to_owned));
    for paragraph in paragraphs {
        let mut lines = paragraph.lines();
        let title = lines.next().unwrap_or_default();
        let news: Vec<&str> = lines.filter(|line| !before.lines().any(|told| told == *line)).collect();
        if !news.is_empty() {
            note.push(format!("{title}\n{}", news.join("\n")));
        } else if paragraph == title && !before.contains(title) {
            note.push(title.to_owned());
        }
    }
    Some(if note.len() == 2 { before.to_owned() } else { note.join("\n\n") })
}

fn section<T>(note: &mut String, title: &str, items: &[T], line: impl Fn(&T) -> String) {
    if items.is_empty() {
        return;
    }
    let _ = write!(note, "\n\n{title}");
    for item in items {
        let _ = write!(note, "\n- {}", line(item));
    }
}

fn difference(mapping: &Mapping, difference: &Difference) -> String {
    let field = mapping.field(&difference.field);
    let (ours, theirs) = (shown(field, difference.espocrm.as_deref()), shown(field, difference.advoware.as_deref()));
    let label = label(field, &difference.field);
    match difference.winner {
        Side::Espocrm => format!("{label}: EspoCRM {ours} gilt, Advoware {theirs} wurde ersetzt"),
        Side::Advoware => format!("{label}: Advoware {theirs} gilt, EspoCRM {ours} wurde ersetzt"),
    }
}

fn blocked(mapping: &Mapping, blocked: &Blocked) -> String {
    let field = mapping.field(&blocked.field);
    let from = match blocked.from {
        Side::Espocrm => "EspoCRM",
        Side::Advoware => "Advoware",
    };
    let why = match blocked.reason {
        BlockReason::Direction => "dieses Feld wird nur in der anderen Richtung abgeglichen",
        BlockReason::ReadOnly => "Advoware lässt dieses Feld nicht ändern",
        BlockReason::Required => "ein Name oder Pflichtfeld darf nicht leer werden",
        BlockReason::Refused(_) => "EspoCRM nimmt diesen Wert nicht an",
    };
    format!("{}: {from} {} ({why})", label(field, &blocked.field), shown(field, blocked.value.as_deref()))
}

fn label<'t>(field: Option<&'t Field>, name: &'t str) -> &'t str {
    field.map_or(name, |field| &field.label)
}

fn shown(field: Option<&Field>, value: Option<&str>) -> String {
    let Some(value) = value else { return "leer".to_owned() };
    let day = NaiveDate::parse_from_str(value, "%Y-%m-%d").ok();
    match day.filter(|_| field.is_some_and(|field| field.convert == Conversion::Date)) {
        Some(day) => quoted(&day.format("%d.%m.%Y").to_string()),
        None => quoted(field.map_or(value, |field| field.convert.espocrm_text(value))),
    }
}

/// One line in German quotation marks.
fn quoted(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= QUOTED {
        return format!("„{line}“");
    }
    format!("„{}…“", line.chars().take(QUOTED).collect::<String>())
}

#[cfg(test)]
#[path = "merge_note_tests.rs"]
mod tests;
