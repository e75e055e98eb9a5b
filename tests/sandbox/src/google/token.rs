//! Google's token service: the JWT-bearer grant of a service account (google-calendar.md, Sign-in).

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::key;
use crate::clock::Clock;
use crate::wire::{Answer, Ask};
use crate::world::World;

/// Path of the token service.
pub(crate) const TOKEN: &str = "/google/oauth/token";
/// The only scope that opens the API.
const SCOPE: &str = "https://www.googleapis.com/auth/calendar";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How far the caller's clock may be ahead.
const SKEW_SECONDS: i64 = 300;
/// The longest life of an assertion.
const ASSERTION_SECONDS: i64 = 3600;

/// Tokens that were given out: who acts, and until when.
#[derive(Debug, Default)]
pub(crate) struct Tokens(BTreeMap<String, (String, DateTime<Utc>)>);

impl Tokens {
    /// Who acts with this token.
    pub(super) fn actor(&self, token: &str, now: DateTime<Utc>) -> Option<String> {
        self.0.get(token).filter(|(_, end)| *end > now).map(|(actor, _)| actor.clone())
    }

    pub(crate) fn revoke_all(&mut self) {
        self.0.clear();
    }

    fn issue(&mut self, actor: String, end: DateTime<Utc>, now: DateTime<Utc>) -> String {
        self.0.retain(|_, (_, end)| *end > now);
        let token = format!("ya29.{}", Uuid::new_v4().simple());
        self.0.insert(token.clone(), (actor, end));
        token
    }
}

/// Answers a token request.
pub(crate) fn handle(world: &mut World, ask: &Ask) -> Answer {
    if ask.method != "POST" || ask.path != TOKEN {
        return Answer::empty(404);
    }
    let form: BTreeMap<String, String> = form_urlencoded::parse(&ask.body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if field("grant_type") != GRANT {
        return refused(400, "unsupported_grant_type", "Invalid grant_type");
    }
    let Some(claims) = claims(field("assertion")) else {
        return refused(400, "invalid_grant", "Invalid JWT Signature.");
    };
    let actor = match check(world, &claims) {
        Ok(actor) => actor,
        Err(answer) => return answer,
    };
    let now = world.clock.now();
    let lifetime = world.options.google.token_lifetime_seconds;
    let token = world.google.tokens.issue(actor, now + TimeDelta::seconds(lifetime), now);
    Answer::json(200, &json!({"access_token": token, "expires_in": lifetime, "token_type": "Bearer"}))
}

/// The claims of an assertion that the service account signed.
fn claims(assertion: &str) -> Option<Value> {
    let (message, signature) = assertion.rsplit_once('.')?;
    let (head, body) = message.split_once('.')?;
    // yup-oauth2 pads, against RFC 7515, and Google takes it.
    let decoded = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let head: Value = serde_json::from_slice(&decoded(head)?).ok()?;
    if head["alg"] != "RS256" || !key::signed(message.as_bytes(), &decoded(signature)?) {
        return None;
    }
    serde_json::from_slice(&decoded(body)?).ok()
}

/// Who will act. Times are compared with the machine's clock: the caller knows nothing of the sandbox's.
fn check(world: &World, claims: &Value) -> Result<String, Answer> {
    let options = &world.options.google;
    let text = |name: &str| claims[name].as_str().unwrap_or_default();
    let grant = |why: &str| refused(400, "invalid_grant", why);
    if text("iss") != options.service_account {
        return Err(grant("Invalid issuer: Not a valid email or user ID."));
    }
    if text("aud") != format!("{}{TOKEN}", world.origin) {
        return Err(grant("Invalid JWT: Failed audience check."));
    }
    let now = Clock::real().timestamp();
    let (Some(issued), Some(end)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
        return Err(grant("Invalid JWT: iat and exp are required."));
    };
    if issued > now + SKEW_SECONDS || end <= now || end - issued > ASSERTION_SECONDS {
        return Err(grant("Invalid JWT: Token must be a short-lived token and in a reasonable timeframe."));
    }
    if !text("scope").split_whitespace().any(|scope| scope == SCOPE) {
        return Err(refused(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided."));
    }
    match claims["sub"].as_str() {
        None => Ok(options.service_account.clone()),
        Some(user) if user == options.service_account || options.subjects.iter().any(|known| known == user) => {
            Ok(user.to_owned())
        }
        Some(_) => Err(refused(401, "unauthorized_client", "Client is unauthorized to retrieve access tokens.")),
    }
}

fn refused(status: u16, error: &str, description: &str) -> Answer {
    Answer::json(status, &json!({"error": error, "error_description": description}))
}
