//! A secret: compared in constant time, never printed.

use axum::http::{HeaderMap, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A token or key. Shows as `***` wherever it is printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret as it stands in the settings.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether `given` is this secret. Takes the same time whatever is given; not even the length shows, because
    /// digests are compared.
    #[must_use]
    pub fn matches(&self, given: &[u8]) -> bool {
        Sha256::digest(self.0.as_bytes()).ct_eq(&Sha256::digest(given)).into()
    }

    /// Whether a request carries `Authorization: Bearer <this secret>`.
    #[must_use]
    pub fn is_bearer_of(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.as_bytes().split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
        });
        given.is_some_and(|token| self.matches(token))
    }

    /// HMAC-SHA256 of `message` under this secret.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes())
            .expect("hmac takes keys of any length, so this cannot fail");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_matches_and_it_is_never_printed() {
        let secret = Secret::new("geheim");
        let check = |given: &str, expected: bool| assert_eq!(secret.matches(given.as_bytes()), expected, "{given:?}");
        check("geheim", true);
        check("geheim ", false);
        check("gehei", false);
        check("", false);
        assert_eq!(format!("{secret:?}"), "***");
    }

    #[test]
    fn a_bearer_is_read_as_clients_write_it() {
        let secret = Secret::new("geheim");
        let check = |given: &'static str, expected: bool| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, given.parse().unwrap())]);
            assert_eq!(secret.is_bearer_of(&headers), expected, "{given:?}");
        };
        check("Bearer geheim", true);
        check("bearer  geheim", true);
        check("Bearergeheim", false);
        check("Basic geheim", false);
        check("geheim", false);
        check("Bearer", false);
        assert!(!secret.is_bearer_of(&HeaderMap::new()));
    }
}
