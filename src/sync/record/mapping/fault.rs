use std::fmt;

/// One thing that is wrong with a mapping file: file, line and key, so that a person can go there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct MappingFault {
    /// Path as given, or `beteiligte.toml (built in)`.
    pub file: String,
    /// Counted from 1; none where the fault is about the file or folder itself.
    pub line: Option<usize>,
    /// Dotted path of the key, for example `field.convert`; empty where no key is concerned.
    pub key: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for MappingFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(out, ": `{}`", self.key)?;
        }
        write!(out, ": {}", self.problem)
    }
}
