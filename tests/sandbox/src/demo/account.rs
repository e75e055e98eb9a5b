//! The account that a person reads: numbered steps, what was done, what was seen.

use std::io::{Stdout, Write};
use std::time::Instant;

use serde_json::Value;

/// Prints as it goes, so that a reader sees where it hangs. A reader who has seen enough (`| head`) stops nothing.
pub(crate) struct Account {
    out: Stdout,
    begun: Instant,
    step: usize,
    step_begun: Instant,
}

impl Account {
    /// An account that begins now.
    pub(crate) fn begin() -> Self {
        let now = Instant::now();
        Self { out: std::io::stdout(), begun: now, step: 0, step_begun: now }
    }

    /// A heading without a number.
    pub(crate) fn heading(&mut self, text: &str) {
        self.step_begun = Instant::now();
        self.line(&format!("\n{text}"));
    }

    /// The next numbered step.
    pub(crate) fn step(&mut self, title: &str) {
        self.step += 1;
        let number = self.step;
        self.heading(&format!("{number}. {title}"));
    }

    /// Somebody did something.
    pub(crate) fn did(&self, text: impl AsRef<str>) {
        self.say("did", text.as_ref());
    }

    /// A side was looked at.
    pub(crate) fn saw(&self, side: &str, text: impl AsRef<str>) {
        self.say("saw", &format!("{side:<9} {}", text.as_ref()));
    }

    /// A remark.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        self.say("", text.as_ref());
    }

    /// What a program printed, line by line.
    pub(crate) fn printed(&self, text: &str) {
        for line in text.trim_end().lines() {
            self.line(&format!("        | {line}"));
        }
    }

    /// Ends a step with its time.
    pub(crate) fn done(&self, verdict: &str) {
        self.say("ok", &format!("{verdict} ({} ms)", self.step_begun.elapsed().as_millis()));
    }

    /// A line of its own.
    pub(crate) fn line(&self, text: &str) {
        let _ = writeln!(&self.out, "{text}");
    }

    fn say(&self, what: &str, text: &str) {
        self.line(&format!("   {what:<4} {text}"));
    }

    /// Milliseconds since the account began.
    pub(crate) fn elapsed_ms(&self) -> u128 {
        self.begun.elapsed().as_millis()
    }
}

/// A value as a person writes it; `-` for none.
pub(crate) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
