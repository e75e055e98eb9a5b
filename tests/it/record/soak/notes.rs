//! What the program's notes tell people.

use advosync_sandbox::System;
use serde_json::Value;

use super::history::{Field, History, Side, fields};
use crate::support::world::US;

/// One line of a note: a value that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The effect that wrote the note.
    pub number: u64,
    /// The record on whose stream it stands.
    pub id: String,
    /// The field.
    pub field: Field,
    /// Whose value was replaced.
    pub loser: Side,
    /// That value, as the note shows it.
    pub lost: String,
    /// The one that counts.
    pub stays: String,
}

impl Told {
    /// Whether it tells the same as another one, maybe elsewhere.
    pub fn says(&self, other: &Self) -> bool {
        Self { number: other.number, ..self.clone() } == *other
    }
}

/// All lines of all notes, and those that tell of something else than a value that was replaced.
pub fn told(history: &History<'_>) -> (Vec<Told>, Vec<String>) {
    let (mut told, mut others) = (Vec::new(), Vec::new());
    let notes =
        history.effects().iter().filter(|it| it.system == System::EspoCrm && it.entity == "Note" && it.by == US);
    for note in notes {
        let text = |name: &str| note.body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let lines: Vec<String> =
            text("post").lines().filter_map(|it| it.strip_prefix("- ")).map(str::to_owned).collect();
        if lines.is_empty() {
            others.push(text("post"));
        }
        for line in lines {
            match replaced(&line) {
                Some((field, loser, lost, stays)) => {
                    told.push(Told { number: note.number, id: text("parentId"), field, loser, lost, stays });
                }
                None => others.push(line),
            }
        }
    }
    (told, others)
}

/// `E-Mail: EspoCRM „neu@example.org“ gilt, Advoware „alt@example.org“ wurde ersetzt`
fn replaced(line: &str) -> Option<(Field, Side, String, String)> {
    let (label, rest) = line.split_once(": ")?;
    let field = fields().find(|field| field.label == label)?;
    let (stays, lost) = rest.strip_suffix(" wurde ersetzt")?.split_once(" gilt, ")?;
    let of = |system: &str, text: &str| text.strip_prefix(system).map(str::to_owned);
    match (of("EspoCRM ", stays), of("Advoware ", lost)) {
        (Some(stays), Some(lost)) => Some((field, Side::Advoware, lost, stays)),
        _ => Some((field, Side::Crm, of("EspoCRM ", lost)?, of("Advoware ", stays)?)),
    }
}
