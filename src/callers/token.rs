//! A caller's token as it is kept: never itself, only its digest.
//!
//! A plain SHA-256 is enough, because [`generate`] draws 256 bits: no list of likely tokens can be tried against it, so a
//! slow hash would only cost every request its time. What a person thinks up must not be used.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::secret::Secret;

/// The name of the caller who has the token of this setting.
pub const API_TOKEN: &str = "ADVOSYNC_API_TOKEN";
/// What every token begins with, so that one that was published by mistake can be searched for.
const PREFIX: &str = "advosync_";
/// What a digest begins with in a file.
const ALGORITHM: &str = "sha256:";

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The console's pages, without its actions.
    Read,
    /// `POST /advoware/calendar/sync`.
    Trigger,
    /// `/api/advoware/…`, all methods.
    Proxy,
    /// All of it, and the console's actions.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Trigger, Self::Proxy, Self::Admin];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Trigger => "trigger",
            Self::Proxy => "proxy",
            Self::Admin => "admin",
        }
    }

    /// Reads what [`Scope::name`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == text)
    }
}

/// A token's SHA-256. Not printed either: a short token could be found from it.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of a token.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Reads `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = hex::decode(text.strip_prefix(ALGORITHM)?).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// What [`Digest::parse`] reads.
    #[must_use]
    pub fn written(&self) -> String {
        ALGORITHM.to_owned() + &hex::encode(self.0)
    }

    /// Whether the two are equal; takes the same time in any case.
    pub(super) fn equals(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::secret::HIDDEN)
    }
}

/// One caller's token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Who has it: for logs and traces.
    pub name: String,
    /// What it opens; never empty.
    pub scopes: Vec<Scope>,
    /// What it is known by.
    pub digest: Digest,
}

impl Token {
    /// The token of `ADVOSYNC_API_TOKEN`, which opens everything.
    #[must_use]
    pub fn of_setting(token: &Secret) -> Self {
        let digest = Digest::of(token.expose().as_bytes());
        Self { name: API_TOKEN.to_owned(), scopes: vec![Scope::Admin], digest }
    }

    /// Whether it opens this.
    #[must_use]
    pub fn may(&self, needed: Scope) -> bool {
        self.scopes.contains(&needed) || self.scopes.contains(&Scope::Admin)
    }
}

/// Whether a caller may have this name: 1 to 64 of `[A-Za-z0-9._-]`, so that it stands in logs and cookies as it is.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=64).contains(&text.len()) && text.chars().all(plain) && text != API_TOKEN
}

/// A new token: 256 bits of the operating system's randomness.
#[must_use]
pub fn generate() -> Secret {
    Secret::new(PREFIX.to_owned() + &URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_is_long_and_never_the_same() {
        let (one, other) = (generate(), generate());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), PREFIX.len() + 43);
        assert!(one.expose().chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    }

    #[test]
    fn a_digest_is_read_as_it_is_written_and_is_never_printed() {
        let digest = Digest::of(b"abc");
        let written = digest.written();
        // The first example of FIPS 180-2.
        assert_eq!(written, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::parse(&written), Some(digest));
        for bad in ["", "sha256:", &written[7..], &written[..70], &format!("{written}00"), "sha256:xyz"] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
        assert_eq!(format!("{digest:?}"), "***");
    }

    #[test]
    fn names_are_plain() {
        for good in ["n8n", "anna.b-2_x", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a;b", "Jürgen", "a\nb", "a=b", &"x".repeat(65), API_TOKEN] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_scope_opens_itself_and_admin_opens_all() {
        for held in Scope::ALL {
            let token = Token { name: "x".to_owned(), scopes: vec![held], digest: Digest::of(b"") };
            for needed in Scope::ALL {
                assert_eq!(token.may(needed), held == needed || held == Scope::Admin, "{held:?} {needed:?}");
            }
            assert_eq!(Scope::parse(held.name()), Some(held));
        }
        assert_eq!(Scope::parse("Admin"), None);
    }
}
