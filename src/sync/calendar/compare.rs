//! Whether two entries say the same, whatever Google has made of the text.

use sha2::{Digest as _, Sha256};

use super::entry::{Entry, Field, Fields, Series, Unit, When};
use super::pair::Prints;

/// Tags that Google's descriptions hold. Others are text: a note may well say `<Mandant>`.
const TAGS: [&str; 19] = [
    "a",
    "b",
    "i",
    "u",
    "s",
    "p",
    "br",
    "ul",
    "ol",
    "li",
    "em",
    "div",
    "span",
    "strong",
    "html-blob",
    "h1",
    "h2",
    "h3",
    "font",
];
/// Tags after which a new line begins.
const BREAKS: [&str; 4] = ["br", "p", "div", "li"];

impl Entry {
    /// Fingerprints of all fields; the same on every machine, since the ledger keeps them.
    #[must_use]
    pub fn prints(&self) -> Prints {
        Prints(Field::ALL.map(|field| self.print(field)))
    }

    fn print(&self, field: Field) -> u64 {
        let said = match field {
            Field::When => when(&self.when),
            Field::Series => self.series.map(|it| series(&it)).unwrap_or_default(),
            Field::Text => plain(&self.text),
            Field::Notiz => plain(&self.notiz),
            Field::Ort => plain(&self.ort),
        };
        let hash = Sha256::digest(said.as_bytes());
        u64::from_be_bytes(std::array::from_fn(|at| hash[at]))
    }
}

impl Prints {
    /// The fields in which two entries differ.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Fields {
        let pairs = self.0.iter().zip(&other.0);
        Field::ALL.into_iter().zip(pairs).filter(|(_, (mine, theirs))| mine != theirs).map(|(field, _)| field).collect()
    }

    /// These, with some fields taken from others.
    #[must_use]
    pub fn with(mut self, fields: &Fields, from: &Self) -> Self {
        for (at, field) in Field::ALL.into_iter().enumerate() {
            if fields.contains(&field) {
                self.0[at] = from.0[at];
            }
        }
        self
    }

    /// All of them in one short text, for the event's private property `advosync_hash`.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.0.iter().for_each(|print| hash.update(print.to_be_bytes()));
        hex::encode(&hash.finalize()[..8])
    }
}

fn when(when: &When) -> String {
    match when {
        When::AllDay { first, last } => format!("{first}/{last}"),
        When::Timed { start, end } => format!("{start}/{end}"),
    }
}

fn series(series: &Series) -> String {
    let unit = match series.unit {
        Unit::Day => "day",
        Unit::Week => "week",
        Unit::Month => "month",
        Unit::Year => "year",
    };
    let until = series.until.map(|until| until.to_string()).unwrap_or_default();
    format!("{} {unit} {until}", series.interval)
}

/// A text as a person reads it: without the HTML of Google's descriptions, with LF, without blanks at line ends.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((name, len)) = tag(rest) {
            if BREAKS.contains(&name.as_str()) && !rest.starts_with("</") && !out.is_empty() {
                out.push('\n');
            }
            rest = &rest[len..];
        } else {
            out.push('<');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    let lines = entities(&out);
    let lines: Vec<&str> = lines.lines().map(str::trim_end).collect();
    lines.join("\n").trim().to_owned()
}

/// A text as a description at Google is to hold it: what only looks like a tag is spelled out, because Google drops it, and
/// what it dropped would later be taken for an edit. It reads as before.
#[must_use]
pub fn spelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((_, len)) = tag(rest) {
            out.push_str(&rest[..len]);
            rest = &rest[len..];
        } else {
            let begins = rest[1..].trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic());
            out.push_str(if begins && rest.contains('>') { "&lt;" } else { "<" });
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// The name and length of a known tag at the start of a text.
fn tag(text: &str) -> Option<(String, usize)> {
    let end = text.find('>')?;
    let inner = text[1..end].trim_start_matches('/').trim_end_matches('/');
    let name = inner.split(|c: char| c.is_whitespace()).next().unwrap_or_default().to_ascii_lowercase();
    TAGS.contains(&name.as_str()).then_some((name, end + 1))
}

fn entities(text: &str) -> String {
    if !text.contains('&') && !text.contains('\u{a0}') && !text.contains('\r') {
        return text.to_owned();
    }
    // The ampersand last, so that a written `&amp;lt;` stays the text `&lt;`.
    let known = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("\u{a0}", " ")];
    let text = known.iter().fold(text.replace("\r\n", "\n"), |text, (written, meant)| text.replace(written, meant));
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn entry() -> Entry {
        let day = NaiveDate::from_ymd_opt(2026, 3, 5).unwrap();
        Entry {
            when: When::AllDay { first: day, last: day },
            text: "Termin".into(),
            notiz: "a & b".into(),
            ort: String::new(),
            series: None,
        }
    }

    #[test]
    fn texts_are_read_as_people_read_them() {
        let check = |text: &str, expected: &str| assert_eq!(plain(text), expected, "{text}");
        check("a < b & c", "a < b & c");
        check("a &lt; b &amp; c", "a < b & c");
        check("<b>Wichtig</b><br>zweite Zeile", "Wichtig\nzweite Zeile");
        check("Gespräch mit <Mandant>", "Gespräch mit <Mandant>");
        check("eins \r\nzwei\r\n", "eins\nzwei");
        check("<a href=\"https://x\">Akte</a>", "Akte");
        check("&amp;lt;", "&lt;");
        check("<", "<");
        check("1 <2 und 3> 2", "1 <2 und 3> 2");
        check("😀<br/>", "😀");
    }

    #[test]
    fn what_only_looks_like_a_tag_is_spelled_out() {
        let check = |text: &str, expected: &str| {
            assert_eq!(spelled(text), expected, "{text}");
            assert_eq!(plain(&spelled(text)), plain(text), "{text}");
        };
        check("Gespräch mit <Mandant>", "Gespräch mit &lt;Mandant>");
        check("<b>Wichtig</b><br>", "<b>Wichtig</b><br>");
        check("a < b > c <d", "a < b > c <d");
        check("<Mandant <b>x</b></Mandant>", "&lt;Mandant <b>x</b>&lt;/Mandant>");
    }

    proptest::proptest! {
        #[test]
        fn what_is_spelled_out_reads_as_before(text in "[<>/ab&; lt\\n]{0,30}") {
            proptest::prop_assert_eq!(plain(&spelled(&text)), plain(&text));
        }
    }

    #[test]
    fn what_google_rewrites_is_no_difference_and_an_edit_is_one() {
        let mine = entry();
        let mut theirs = entry();
        theirs.notiz = "a &amp; b".into();
        assert!(mine.prints().differing(&theirs.prints()).is_empty());
        theirs.text = "Anderer Termin".into();
        let differing = mine.prints().differing(&theirs.prints());
        assert_eq!(differing, Fields::from([Field::Text]));
        assert_eq!(mine.prints().with(&differing, &theirs.prints()), theirs.prints());
        assert_ne!(mine.prints().digest(), theirs.prints().digest());
    }

    #[test]
    fn fingerprints_never_change_since_the_ledger_keeps_them() {
        insta::assert_snapshot!(entry().prints().digest());
    }
}
