//! Where to listen and who may call.

use std::net::SocketAddr;

use super::callers;
use super::espocrm::WebhookSecrets;
use super::fault::Problem;
use super::parse;
use super::reader::Reader;
use super::role::Role;
use super::secret::Secret;
use crate::callers::Token;

/// A token that others can try at must not be shorter.
const SHORT: usize = 20;

/// The HTTP side of a role.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where to listen; none where the role serves nothing.
    pub listen: Option<SocketAddr>,
    /// Where an ingress with the same settings listens.
    pub ingress: SocketAddr,
    /// The bearer token that opens trigger, proxy and console.
    pub api_token: Option<Secret>,
    /// Everybody who may call them, `api_token` included; nobody: whoever reaches the port may.
    pub callers: Vec<Token>,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
}

impl Http {
    pub(super) fn read(reader: &mut Reader<'_>, role: Role, webhook_secrets: Option<&WebhookSecrets>) -> Self {
        let listen = reader.optional("ADVOSYNC_LISTEN", parse::address);
        let ingress = listen.unwrap_or(super::role::INGRESS);
        let listen = listen.or_else(|| role.default_address()).filter(|_| role.serves());
        let api_token = reader.optional("ADVOSYNC_API_TOKEN", token);
        let max_body_bytes = reader.value("ADVOSYNC_MAX_BODY_BYTES", parse::number(1..=1 << 30));
        let mut callers: Vec<Token> = api_token.iter().map(Token::of_setting).collect();
        if role.serves() {
            callers.extend(callers::read(reader, api_token.as_ref()));
        }
        let has_token = reader.is_set("ADVOSYNC_API_TOKEN") || reader.is_set("ADVOSYNC_CALLERS_FILE");
        let missing: Vec<&str> = [
            ("ADVOSYNC_API_TOKEN", has_token),
            ("ESPOCRM_WEBHOOK_SECRET", webhook_secrets.is_some() || reader.is_set("ESPOCRM_WEBHOOK_SECRET")),
        ]
        .into_iter()
        .filter_map(|(name, set)| (!set).then_some(name))
        .collect();
        let public = listen.filter(|address| !address.ip().to_canonical().is_loopback());
        if public.is_some() && api_token.as_ref().is_some_and(|token| token.expose().len() < SHORT) {
            reader.warnings.push(format!(
                "ADVOSYNC_API_TOKEN has fewer than {SHORT} characters and can be guessed; write one made by `openssl rand -hex 32`"
            ));
        }
        if let Some(address) = public.filter(|_| !missing.is_empty()) {
            let port = address.port();
            reader.fault(
                "ADVOSYNC_LISTEN",
                Problem::new(
                    format!("`{address}` can be reached from other machines, and not every caller would be checked"),
                    format!("set {}, or listen on 127.0.0.1:{port}", missing.join(" and ")),
                ),
            );
        }
        Self { listen, ingress, api_token, callers, max_body_bytes }
    }
}

/// A token must survive an HTTP header.
pub(super) fn token(text: &str) -> Result<Secret, Problem> {
    if text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(Secret::new(text));
    }
    Err(Problem::new(
        "a token with spaces or other than ASCII characters fits no HTTP header",
        "write one made by `openssl rand -hex 32`",
    ))
}
