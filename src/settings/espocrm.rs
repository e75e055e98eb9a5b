//! How to reach `EspoCRM`, and how to know its webhooks.

use std::time::Duration;

use url::Url;

use super::fault::Problem;
use super::missing::{Missing, required};
use super::parse;
use super::reader::Reader;
use super::role::{Role, Upstream};
use super::secret::Secret;

/// `EspoCRM`'s address and sign-in.
#[derive(Debug, Clone)]
pub struct EspoCrm {
    /// The API's base; its path ends in `/api/v1/`.
    pub base_url: Url,
    /// The API user's key.
    pub api_key: Secret,
    /// The API user's secret; set: HMAC sign-in.
    pub api_secret: Option<Secret>,
    /// How long to wait for an answer.
    pub timeout: Duration,
}

/// An administrator's sign-in, for `setup espocrm`.
#[derive(Debug, Clone)]
pub struct EspoCrmAdmin {
    /// The API's base; its path ends in `/api/v1/`.
    pub base_url: Url,
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: Secret,
    /// How long to wait for an answer.
    pub timeout: Duration,
}

/// What checks the signature of a webhook.
#[derive(Clone, PartialEq, Eq)]
pub enum WebhookSecrets {
    /// One secret for every webhook.
    Shared(Secret),
    /// Every webhook's own, by webhook id.
    ByWebhook(Vec<(String, Secret)>),
}

impl std::fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the ids either: a secret with a colon in it, pasted in the wrong form, would be taken for one.
        match self {
            Self::Shared(_) => f.write_str("one secret"),
            Self::ByWebhook(all) => write!(f, "{} webhooks", all.len()),
        }
    }
}

impl WebhookSecrets {
    /// The secret of the webhook `id`; none: such a webhook is not known.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<&Secret> {
        match self {
            Self::Shared(secret) => Some(secret),
            Self::ByWebhook(secrets) => secrets.iter().find(|(known, _)| known == id).map(|(_, secret)| secret),
        }
    }

    /// Reads a value of `ESPOCRM_WEBHOOK_SECRET`.
    ///
    /// # Errors
    /// It has neither form; the text of the problem holds no secret.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        webhook_secrets(text)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.optional("ESPOCRM_WEBHOOK_SECRET", webhook_secrets)
    }
}

impl EspoCrm {
    pub(super) fn read(
        reader: &mut Reader<'_>,
        role: Role,
        missing: &mut Vec<Missing>,
    ) -> (Option<Self>, Option<EspoCrmAdmin>) {
        let base_url = reader.optional("ESPOCRM_API_BASE_URL", api_base);
        let timeout =
            reader.value("ESPOCRM_API_TIMEOUT_SECONDS", parse::bare("seconds", Duration::from_secs(1), 0.1..=600.0));
        let api_key = reader.secret("ESPOCRM_API_KEY");
        let api_secret = reader.secret("ESPOCRM_API_SECRET");
        let user = reader.text("ESPOCRM_ADMIN_USER");
        let password = reader.secret("ESPOCRM_ADMIN_PASSWORD");
        let names: &[&str] = match role {
            Role::Setup => &["ESPOCRM_API_BASE_URL", "ESPOCRM_ADMIN_USER", "ESPOCRM_ADMIN_PASSWORD"],
            _ => &["ESPOCRM_API_BASE_URL", "ESPOCRM_API_KEY"],
        };
        missing.extend(required(reader, Upstream::EspoCrm, names));
        let api =
            base_url.clone().zip(api_key).map(|(base_url, api_key)| Self { base_url, api_key, api_secret, timeout });
        let admin = base_url.zip(user.zip(password)).map(|(base_url, (user, password))| EspoCrmAdmin {
            base_url,
            user,
            password,
            timeout,
        });
        (api, admin)
    }
}

fn api_base(text: &str) -> Result<Url, Problem> {
    let url = parse::base_url(text)?;
    if url.path().ends_with("/api/v1/") {
        return Ok(url);
    }
    let shown = super::secret::hide_password(text);
    let shown = shown.trim_end_matches('/');
    Err(Problem::new(format!("`{shown}` does not end in /api/v1"), format!("write {shown}/api/v1")))
}

/// One secret, or several by webhook id. A secret of `EspoCRM` is hexadecimal, so a colon or comma tells the forms apart.
fn webhook_secrets(text: &str) -> Result<WebhookSecrets, Problem> {
    let refused = |what: &str| Problem::new(what, "write one secret, or webhookId:secret,webhookId:secret");
    let text = text.trim();
    if !text.contains([':', ',']) {
        return Ok(WebhookSecrets::Shared(Secret::new(text)));
    }
    let mut secrets: Vec<(String, Secret)> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (id, secret) = part.split_once(':').ok_or_else(|| refused("an entry has no webhook id"))?;
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if id.is_empty() || id.len() > 64 || !id.chars().all(valid) {
            return Err(refused("what stands before a `:` is no webhook id"));
        }
        if secret.trim().is_empty() {
            return Err(refused("an entry has no secret"));
        }
        if secrets.iter().any(|(known, _)| known == id) {
            return Err(refused("a webhook id stands there twice"));
        }
        secrets.push((id.to_owned(), Secret::new(secret.trim())));
    }
    if secrets.is_empty() { Err(refused("it holds no secret")) } else { Ok(WebhookSecrets::ByWebhook(secrets)) }
}
