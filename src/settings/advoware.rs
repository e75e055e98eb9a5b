//! How to reach Advoware.

use std::time::Duration;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use url::Url;

use super::fault::Problem;
use super::missing::{Missing, required};
use super::parse;
use super::reader::Reader;
use super::role::Upstream;
use super::secret::Secret;

/// Advoware's address and sign-in.
#[derive(Debug, Clone)]
pub struct Advoware {
    /// The API's base, which ends in `/`; none: ask the discovery.
    pub base_url: Option<Url>,
    /// Where tokens come from.
    pub auth_url: Url,
    /// The product number.
    pub product_id: u32,
    /// The application's id.
    pub app_id: String,
    /// The key that signs token requests, base64; see [`Advoware::api_key_bytes`].
    pub api_key: Secret,
    /// The law firm's name.
    pub kanzlei: String,
    /// The law firm's database.
    pub database: String,
    /// The user to sign in as.
    pub user: String,
    /// That user's role.
    pub role: u32,
    /// That user's password.
    pub password: Secret,
    /// When a token is renewed at the latest.
    pub token_lifetime: Duration,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// Whether nothing may be written.
    pub write_protection: bool,
    /// What the token in Redis is sealed with, 64 hex digits; none: what follows from the key and the password.
    pub encryption_key: Option<Secret>,
}

/// What does not depend on the sign-in being complete.
pub(super) struct Basics {
    base_url: Option<Url>,
    auth_url: Url,
    product_id: u32,
    role: u32,
    token_lifetime: Duration,
    pub(super) timeout: Duration,
    pub(super) write_protection: bool,
    encryption_key: Option<Secret>,
}

impl Basics {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            base_url: reader.optional("ADVOWARE_API_BASE_URL", parse::base_url),
            auth_url: reader.value("ADVOWARE_AUTH_URL", parse::web_url),
            product_id: reader.value("ADVOWARE_PRODUCT_ID", parse::number(0..=u32::MAX)),
            role: reader.value("ADVOWARE_ROLE", parse::number(0..=u32::MAX)),
            token_lifetime: reader.value(
                "ADVOWARE_TOKEN_LIFETIME_MINUTES",
                parse::bare("minutes", Duration::from_mins(1), 0.01..=1440.0),
            ),
            timeout: reader
                .value("ADVOWARE_API_TIMEOUT_SECONDS", parse::bare("seconds", Duration::from_secs(1), 0.1..=600.0)),
            write_protection: reader.value("ADVOWARE_WRITE_PROTECTION", parse::flag),
            encryption_key: reader.optional("ADVOSYNC_ENCRYPTION_KEY", parse::key_of_32_bytes),
        }
    }
}

impl Advoware {
    /// The key's bytes, as the signature needs them; empty only if the key is not from [`super::Settings::load`], which
    /// refuses a key that is no base64.
    #[must_use]
    pub fn api_key_bytes(&self) -> Vec<u8> {
        decode(self.api_key.expose()).unwrap_or_default()
    }

    pub(super) fn read(reader: &mut Reader<'_>, missing: &mut Vec<Missing>) -> (Option<Self>, Basics) {
        let basics = Basics::read(reader);
        let app_id = reader.text("ADVOWARE_APP_ID");
        let api_key = reader.optional("ADVOWARE_API_KEY", api_key);
        let kanzlei = reader.text("ADVOWARE_KANZLEI");
        let database = reader.text("ADVOWARE_DATABASE");
        let user = reader.text("ADVOWARE_USER");
        let password = reader.secret("ADVOWARE_PASSWORD");
        missing.extend(required(
            reader,
            Upstream::Advoware,
            &[
                "ADVOWARE_APP_ID",
                "ADVOWARE_API_KEY",
                "ADVOWARE_KANZLEI",
                "ADVOWARE_DATABASE",
                "ADVOWARE_USER",
                "ADVOWARE_PASSWORD",
            ],
        ));
        let complete = || {
            Some(Self {
                base_url: basics.base_url.clone(),
                auth_url: basics.auth_url.clone(),
                product_id: basics.product_id,
                app_id: app_id?,
                api_key: api_key?,
                kanzlei: kanzlei?,
                database: database?,
                user: user?,
                role: basics.role,
                password: password?,
                token_lifetime: basics.token_lifetime,
                timeout: basics.timeout,
                write_protection: basics.write_protection,
                encryption_key: basics.encryption_key.clone(),
            })
        };
        (complete(), basics)
    }
}

/// Keys are copied by hand, so missing padding is forgiven.
fn decode(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, lenient).decode(text.trim()).ok()
}

fn api_key(text: &str) -> Result<Secret, Problem> {
    match decode(text) {
        Some(bytes) if !bytes.is_empty() => Ok(Secret::new(text.trim())),
        _ => Err(Problem::new("the key is no base64", "copy the whole key that Advoware gave you")),
    }
}
