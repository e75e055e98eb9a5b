//! Who signed a webhook (contract `EspoCRM`, "Signatures"): pure, over the raw bytes, before anything is parsed.
//!
//! - `Signature`: base64 of `<webhookId>:` and the lower-case hex HMAC-SHA256 of the body (`EspoCRM` 9 and later)
//! - `X-Signature`: base64 of `<webhookId>:` and the 32 bytes of the same HMAC (8.x; leaves in 11)

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::secret::Secret;
use crate::settings::WebhookSecrets;

/// Why a webhook is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither header is there.
    #[error(
        "the request is not signed: register the webhook with a secret key in EspoCRM, or clear ESPOCRM_WEBHOOK_SECRET"
    )]
    Missing,
    /// A header is there and is no signature.
    #[error("the signature header is not base64 of `<webhook id>:<digest>`; does a proxy in between change it?")]
    Malformed,
    /// No secret is known for this webhook.
    #[error("no secret is set for this webhook's id: add `<webhook id>:<secret>` to ESPOCRM_WEBHOOK_SECRET")]
    UnknownWebhook,
    /// The digest is not that of this body under this secret.
    #[error(
        "the signature does not fit the body: compare ESPOCRM_WEBHOOK_SECRET with the webhook's secret key in EspoCRM"
    )]
    Wrong,
}

/// How the digest stands in a header.
#[derive(Clone, Copy)]
enum Form {
    Hex,
    Raw,
}

/// Checks the signature of `body`. Where both headers are there, one that fits is enough.
pub fn verify(secrets: &WebhookSecrets, headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let mut refusal = None;
    for (name, form) in [("signature", Form::Hex), ("x-signature", Form::Raw)] {
        let Some(value) = headers.get(name) else { continue };
        match check(secrets, value.as_bytes(), form, body) {
            Ok(()) => return Ok(()),
            Err(why) => refusal = refusal.or(Some(why)),
        }
    }
    Err(refusal.unwrap_or(Refusal::Missing))
}

fn check(secrets: &WebhookSecrets, header: &[u8], form: Form, body: &[u8]) -> Result<(), Refusal> {
    let decoded = STANDARD.decode(header.trim_ascii()).map_err(|_| Refusal::Malformed)?;
    let colon = decoded.iter().position(|byte| *byte == b':').ok_or(Refusal::Malformed)?;
    let (id, digest) = (&decoded[..colon], &decoded[colon + 1..]);
    let id = std::str::from_utf8(id).map_err(|_| Refusal::Malformed)?;
    let secret = secrets.of(id).ok_or(Refusal::UnknownWebhook)?;
    let expected = sign(secret, body);
    let fits = match form {
        Form::Hex => hex::encode(expected).as_bytes().ct_eq(digest),
        Form::Raw => expected.ct_eq(digest),
    };
    if fits.into() { Ok(()) } else { Err(Refusal::Wrong) }
}

/// HMAC-SHA256 of `message` under this secret.
#[must_use]
pub fn sign(secret: &Secret, message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("hmac takes keys of any length, so this cannot fail");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingress::testing::Vector;

    #[test]
    fn the_signature_table() {
        let real = Vector::real();
        let (hex, raw) = (real.signature.as_str(), real.x_signature.as_str());
        let one = WebhookSecrets::Shared(Secret::new(&real.secret));
        let wrong = WebhookSecrets::Shared(Secret::new("another"));
        let map = |id: &str, secret: &str| {
            WebhookSecrets::ByWebhook(vec![
                ("0000000000000000a".to_owned(), Secret::new("zzz")),
                (id.to_owned(), Secret::new(secret)),
            ])
        };
        let ours = map(&real.webhook_id, &real.secret);
        let check =
            |secrets: &WebhookSecrets, signature: Option<&str>, x: Option<&str>, expected: Result<(), Refusal>| {
                let mut headers = HeaderMap::new();
                if let Some(value) = signature {
                    headers.insert("Signature", value.parse().unwrap());
                }
                if let Some(value) = x {
                    headers.insert("X-Signature", value.parse().unwrap());
                }
                assert_eq!(verify(secrets, &headers, real.body.as_bytes()), expected, "{signature:?} {x:?}");
            };
        check(&one, Some(hex), Some(raw), Ok(()));
        check(&one, Some(hex), None, Ok(()));
        check(&one, None, Some(raw), Ok(()));
        check(&ours, Some(hex), Some(raw), Ok(()));
        check(&ours, Some(hex), None, Ok(()));
        check(&ours, None, Some(raw), Ok(()));
        // One that fits is enough.
        check(&ours, Some("AAAA"), Some(raw), Ok(()));
        check(&ours, Some(hex), Some("AAAA"), Ok(()));
        // The two forms are not interchangeable.
        check(&one, Some(raw), None, Err(Refusal::Wrong));
        check(&one, None, Some(hex), Err(Refusal::Wrong));
        check(&one, None, None, Err(Refusal::Missing));
        check(&ours, None, None, Err(Refusal::Missing));
        check(&wrong, Some(hex), Some(raw), Err(Refusal::Wrong));
        check(&map(&real.webhook_id, "another"), Some(hex), Some(raw), Err(Refusal::Wrong));
        check(&map("1111111111111111b", &real.secret), Some(hex), Some(raw), Err(Refusal::UnknownWebhook));
        // Cut off within a group of four, and at the end of one.
        check(&one, Some(&hex[..hex.len() - 3]), None, Err(Refusal::Malformed));
        check(&one, Some(&hex[..hex.len() - 4]), None, Err(Refusal::Wrong));
        check(&one, None, Some(&raw[..raw.len() - 5]), Err(Refusal::Malformed));
        check(&one, Some(""), None, Err(Refusal::Malformed));
        check(&one, Some("not base64!"), None, Err(Refusal::Malformed));
        check(&one, Some(&STANDARD.encode("no colon")), None, Err(Refusal::Malformed));
        check(&one, Some(&STANDARD.encode(format!("{}:", real.webhook_id))), None, Err(Refusal::Wrong));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let real = Vector::real();
        let mut body = real.body.clone().into_bytes();
        let last = body.len() - 3;
        body[last] ^= 1;
        let secrets = WebhookSecrets::Shared(Secret::new(&real.secret));
        assert_eq!(verify(&secrets, &real.headers(), &body), Err(Refusal::Wrong));
    }
}
