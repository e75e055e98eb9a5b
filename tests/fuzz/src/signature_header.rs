//! A webhook is let in if, and only if, one of its two headers is what EspoCRM would have sent with this body.

use advosync::clients::Secret;
use advosync::ingress::verify;
use advosync::settings::WebhookSecrets;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::harness::run;

/// Of the captured webhook in `tests/fixtures`, whose signatures are in the corpus.
const REAL: &str = include_str!("../../fixtures/espocrm-create.json");

/// An input is the two headers, a line each, and the body.
#[test]
fn only_the_right_signature_is_let_in() {
    let real: serde_json::Value = serde_json::from_str(REAL).unwrap();
    let (id, secret) = (real["webhook_id"].as_str().unwrap(), real["secret"].as_str().unwrap());
    let ours = [(id, secret), ("0000000000000000a", "zzz"), ("", "empty")];
    let by_webhook = ours.map(|(id, secret)| (id.to_owned(), Secret::new(secret))).to_vec();
    let (by_webhook, shared) = (WebhookSecrets::ByWebhook(by_webhook), WebhookSecrets::Shared(Secret::new(secret)));
    run("signature_header", 1_500, |input| {
        let mut lines = input.splitn(3, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let (signature, x_signature, body) = (line(), line(), line());
        let mut headers = HeaderMap::new();
        for (name, value) in [("signature", signature), ("x-signature", x_signature)] {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(name, value);
            }
        }
        let header = |name: &str| headers.get(name).map(|value| value.as_bytes().trim_ascii().to_vec());
        let (signature, x_signature) = (header("signature"), header("x-signature"));

        let known = ours.iter().any(|(id, secret)| {
            let (hex, raw) = sent(id, secret, body);
            signature.as_deref() == Some(hex.as_bytes()) || x_signature.as_deref() == Some(raw.as_bytes())
        });
        assert_eq!(verify(&by_webhook, &headers, body).is_ok(), known, "{headers:?}");

        let digest = hmac(secret, body);
        let ends = |header: Option<&Vec<u8>>, with: &[u8]| header.and_then(|it| behind_id(it)).as_deref() == Some(with);
        let fits = ends(signature.as_ref(), hex::encode(digest).as_bytes()) || ends(x_signature.as_ref(), &digest);
        assert_eq!(verify(&shared, &headers, body).is_ok(), fits, "{headers:?}");

        // What is signed is let in, and the same under one changed byte is not.
        let (hex, raw) = sent(id, secret, body);
        let mut changed = body.to_vec();
        match changed.last_mut() {
            Some(last) => *last ^= 1,
            None => changed.push(b' '),
        }
        for (name, value) in [("signature", hex), ("x-signature", raw)] {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(verify(&by_webhook, &headers, body), Ok(()));
            assert!(verify(&by_webhook, &headers, &changed).is_err() && verify(&shared, &headers, &changed).is_err());
        }
    });
}

/// Both headers' values.
fn sent(id: &str, secret: &str, body: &[u8]) -> (String, String) {
    let digest = hmac(secret, body);
    let header = |digest: &[u8]| BASE64_STANDARD.encode([id.as_bytes(), b":", digest].concat());
    (header(hex::encode(digest).as_bytes()), header(&digest))
}

/// What stands behind the first colon.
fn behind_id(header: &[u8]) -> Option<Vec<u8>> {
    let decoded = BASE64_STANDARD.decode(header).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    // An id is text.
    std::str::from_utf8(&decoded[..colon]).ok().map(|_| decoded[colon + 1..].to_vec())
}

/// HMAC-SHA256 as RFC 2104 has it, for keys of at most a block.
fn hmac(key: &str, message: &[u8]) -> [u8; 32] {
    let padded = |with: u8| -> Vec<u8> {
        let key = key.bytes().chain(std::iter::repeat(0)).take(64);
        key.map(|byte| byte ^ with).collect()
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}
