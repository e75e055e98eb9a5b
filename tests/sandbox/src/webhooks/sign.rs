//! The two signature headers.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `Signature` (id and hex digest) and `X-Signature` (id and raw digest) of a body, as `EspoCRM` 9 sends both.
#[must_use]
pub fn headers(webhook_id: &str, secret: &str, body: &[u8]) -> [(&'static str, String); 2] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let raw = [webhook_id.as_bytes(), b":", &digest[..]].concat();
    [
        ("Signature", BASE64_STANDARD.encode(format!("{webhook_id}:{}", hex::encode(digest)))),
        ("X-Signature", BASE64_STANDARD.encode(raw)),
    ]
}
