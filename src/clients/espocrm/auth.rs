//! The sign-in header of one request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue, InvalidHeaderValue};
use sha2::Sha256;

use super::options::Credentials;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_HMAC_AUTHORIZATION: HeaderName = HeaderName::from_static("x-hmac-authorization");

impl Credentials {
    /// Name and value of the header; `path` starts with a slash, without `/api/v1` and query, as it is sent.
    pub(super) fn header(&self, method: &Method, path: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
        let (name, value) = match self {
            Self::ApiKey(key) => (X_API_KEY, key.expose().to_owned()),
            Self::Hmac { api_key, secret } => {
                (X_HMAC_AUTHORIZATION, signed(api_key.expose(), secret.expose(), method, path))
            }
            Self::Basic { user, password } => {
                (AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose()))))
            }
        };
        let mut value = HeaderValue::from_str(&value)?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

/// base64(apiKey + ":" + hex(HMAC-SHA256(secret, `METHOD /path`))); contract, "Auth". The hex digest needs EspoCRM 8.4.
fn signed(api_key: &str, secret: &str, method: &Method, path: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{method} {path}").as_bytes());
    STANDARD.encode(format!("{api_key}:{}", hex::encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Secret;

    #[test]
    fn each_kind_has_its_header() {
        let check = |credentials: Credentials, name: &str, expected: &str| {
            let (found, value) = credentials.header(&Method::GET, "/CBeteiligte/abc").unwrap();
            assert_eq!((found.as_str(), value.to_str().unwrap()), (name, expected));
            assert!(value.is_sensitive());
        };
        let key = || Secret::new("key123");
        check(Credentials::api_user(key(), None), "x-api-key", "key123");
        // printf 'GET /CBeteiligte/abc' | openssl dgst -sha256 -hmac secret456
        // eb45d5ad82f03202304e70eb2389f3c9a326be3d372ff4966162b9b0bdd7e7bd
        check(
            Credentials::api_user(key(), Some(Secret::new("secret456"))),
            "x-hmac-authorization",
            "a2V5MTIzOmViNDVkNWFkODJmMDMyMDIzMDRlNzBlYjIzODlmM2M5YTMyNmJlM2QzNzJmZjQ5NjYxNjJiOWIwYmRkN2U3YmQ=",
        );
        let admin = Credentials::Basic { user: "admin".to_owned(), password: Secret::new("pw") };
        check(admin, "authorization", "Basic YWRtaW46cHc=");
    }
}
