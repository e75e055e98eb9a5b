//! Seals what must not lie in Redis as plain text: AES-256-GCM under a key that only processes with the same settings have.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;

use crate::secret::Secret;
use crate::settings::Advoware;

/// What sets keys made here apart from any other use of the same secrets.
const SALT: &[u8] = b"advosync: secrets at rest in redis";

/// Seals texts and opens them again.
pub(super) struct Seal {
    key: RandomizedNonceKey,
    name: String,
}

impl Seal {
    /// For what belongs to this Advoware: under the chosen key, else under one made of the key and the password that whoever
    /// could use the token has anyway. `None` only if the cipher refuses its own key's length.
    pub(super) fn of_advoware(advoware: &Advoware) -> Option<Self> {
        match &advoware.encryption_key {
            Some(key) => Self::new(&[b"chosen", key.expose().as_bytes()]),
            None => {
                Self::new(&[b"advoware", advoware.api_key.expose().as_bytes(), advoware.password.expose().as_bytes()])
            }
        }
    }

    fn new(secrets: &[&[u8]]) -> Option<Self> {
        let mut material = Vec::new();
        for secret in secrets {
            // With its length, so that no two lists of secrets make the same text.
            material.extend_from_slice(&(secret.len() as u64).to_be_bytes());
            material.extend_from_slice(secret);
        }
        let material = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&material);
        let made = |what: &[u8]| -> Result<[u8; 32], Unspecified> {
            let mut bytes = [0; 32];
            material.expand(&[what], hkdf::HKDF_SHA256)?.fill(&mut bytes)?;
            Ok(bytes)
        };
        let key = RandomizedNonceKey::new(&AES_256_GCM, &made(b"key").ok()?).ok()?;
        Some(Self { key, name: hex::encode(&made(b"name").ok()?[..4]) })
    }

    /// Tells this key from others, and nothing of it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The text as it may be stored at `place`, and nowhere else. `None` only if the cipher refuses, which it does for no
    /// text of less than gigabytes.
    pub(super) fn close(&self, place: &str, secret: &Secret) -> Option<String> {
        let mut bytes = secret.expose().as_bytes().to_vec();
        let nonce = self.key.seal_in_place_append_tag(Aad::from(place), &mut bytes).ok()?;
        Some(BASE64.encode([nonce.as_ref().as_slice(), &bytes].concat()))
    }

    /// What [`Seal::close`] was given for this place; `None` for anything else.
    pub(super) fn open(&self, place: &str, sealed: &str) -> Option<Secret> {
        let mut bytes = BASE64.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.key.open_in_place(nonce, Aad::from(place), sealed).ok()?;
        Some(Secret::new(std::str::from_utf8(text).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secret: &str) -> Seal {
        Seal::new(&[b"chosen", secret.as_bytes()]).unwrap()
    }

    #[test]
    fn only_the_same_key_opens_it_and_only_where_it_was_put() {
        let token = Secret::new("0badc0de Token mit Ümlaut");
        let stored = seal("one").close("a:token", &token).unwrap();
        assert_eq!(seal("one").open("a:token", &stored), Some(token.clone()));
        assert_eq!(seal("two").open("a:token", &stored), None);
        assert_eq!(seal("one").open("b:token", &stored), None);
        assert!(!stored.contains("0badc0de"));
        assert_ne!(seal("one").close("a:token", &token).unwrap(), stored, "no two are alike");
    }

    #[test]
    fn whatever_was_changed_does_not_open() {
        let stored = seal("one").close("a:token", &Secret::new("token")).unwrap();
        let bytes = BASE64.decode(&stored).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(seal("one").open("a:token", &BASE64.encode(&changed)), None, "byte {at}");
            assert_eq!(seal("one").open("a:token", &BASE64.encode(&bytes[..at])), None, "cut off at {at}");
        }
        for odd in ["", "token", "fp 0badc0de", "ä", "===="] {
            assert_eq!(seal("one").open("a:token", odd), None, "{odd:?}");
        }
    }

    #[test]
    fn keys_have_names_that_tell_them_apart() {
        let names =
            [seal("one"), seal("two"), Seal::new(&[b"chosenone"]).unwrap(), Seal::new(&[b"advoware", b"one"]).unwrap()]
                .map(|seal| seal.name().to_owned());
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        assert_eq!(seal("one").name(), names[0]);
    }
}
