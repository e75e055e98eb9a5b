//! The signature of a sign-in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;

/// HMAC-SHA512 over `<product>:<app id>:<nonce>:<timestamp>` with the base64-decoded API key, in base64 (contract,
/// "Sign-in"). `timestamp` is the very string that is sent.
pub fn signature(
    product_id: i64,
    app_id: &str,
    nonce: &str,
    timestamp: &str,
    api_key: &str,
) -> Result<String, base64::DecodeError> {
    let key = STANDARD.decode(api_key.trim())?;
    let mut mac = Hmac::<Sha512>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(format!("{product_id}:{app_id}:{nonce}:{timestamp}").as_bytes());
    Ok(STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_vector() {
        let signature = signature(64, "app-123", "nonce-abc", "2026-08-30T00:00:00.000Z", "dGVzdC1zZWNyZXQta2V5");
        assert_eq!(
            signature.unwrap(),
            "o7rz9KmoXZs550HfzO6ffiG17XwiPmlBHlksUYKZ3jcfolELow51Fw5KlrQqCK5y41aIValDjrh1iQ2GZ2WtqQ=="
        );
    }

    #[test]
    fn a_key_that_is_not_base64_is_an_error() {
        assert!(signature(64, "a", "n", "t", "not base64!").is_err());
    }
}
