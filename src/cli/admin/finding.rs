//! What a check of `doctor` came to: one line each.

use crate::cli::Report;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Level {
    /// As it should be.
    Ok,
    /// Was not checked, and why.
    Note,
    /// Works, and deserves a look.
    Warn,
    /// Something is to be done.
    Fail,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Finding {
    pub(in crate::cli) level: Level,
    /// What was checked, such as `redis durability`.
    pub(in crate::cli) about: String,
    /// How it stands, and what to do.
    pub(in crate::cli) text: String,
}

impl Finding {
    fn new(level: Level, about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level, about: about.into(), text: text.into() }
    }

    /// As it should be.
    pub(in crate::cli) fn ok(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Level::Ok, about, text)
    }

    /// Was not checked.
    pub(in crate::cli) fn note(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Level::Note, about, text)
    }

    /// Deserves a look.
    pub(in crate::cli) fn warn(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Level::Warn, about, text)
    }

    /// Something is to be done.
    pub(in crate::cli) fn fail(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(Level::Fail, about, text)
    }
}

/// All lines; exit code 1 if any is `FAIL`.
pub(in crate::cli) fn report(findings: &[Finding]) -> Report {
    let width = findings.iter().map(|it| it.about.chars().count()).max().unwrap_or_default();
    let line = |it: &Finding| {
        let text = super::show::clean(&it.text).replace('\n', " ");
        format!("{:<4}  {:<width$}  {text}", it.level.word(), it.about)
    };
    let lines: Vec<String> = findings.iter().map(line).collect();
    let count = |level| findings.iter().filter(|it| it.level == level).count();
    let (fails, warns) = (count(Level::Fail), count(Level::Warn));
    let verdict = match (fails, warns) {
        (0, 0) => "everything that was checked is as it should be".to_owned(),
        (0, _) => format!("nothing must be done; {warns} to look at"),
        _ => format!("{fails} to do, {warns} to look at"),
    };
    Report { stdout: lines.join("\n") + "\n", stderr: vec![verdict], exit: u8::from(fails > 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_fail_ends_with_1_and_every_finding_is_one_line() {
        let ok = Finding::ok("a", "fine");
        let warn = Finding::warn("longer", "two\nlines");
        let healthy = report(&[ok.clone(), warn.clone(), Finding::note("a", "not checked")]);
        assert_eq!(healthy.stdout, "ok    a       fine\nwarn  longer  two lines\nnote  a       not checked\n");
        assert_eq!((healthy.exit, healthy.stderr[0].as_str()), (0, "nothing must be done; 1 to look at"));
        assert_eq!(report(&[ok, warn, Finding::fail("b", "no")]).exit, 1);
    }
}
