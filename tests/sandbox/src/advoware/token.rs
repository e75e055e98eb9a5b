//! Discovery and sign-in (advoware.md, Sign-in).

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha512;
use uuid::Uuid;

use crate::options::{AdvowareOptions, Trouble};
use crate::wire::{Answer, Ask};
use crate::world::World;

/// Path of the token service.
pub(crate) const TOKEN: &str = "/security/api/v1/Token";
/// Path of discovery.
pub(crate) const DISCOVERY: &str = "/AdvonetConfigurator/api/Url";

/// Tokens that were given out, with their end.
#[derive(Debug, Default)]
pub(crate) struct Tokens(BTreeMap<String, DateTime<Utc>>);

impl Tokens {
    pub(crate) fn valid(&self, token: &str, now: DateTime<Utc>) -> bool {
        self.0.get(token).is_some_and(|end| *end > now)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn revoke_all(&mut self) {
        self.0.clear();
    }

    fn issue(&mut self, end: DateTime<Utc>, now: DateTime<Utc>) -> String {
        self.0.retain(|_, end| *end > now);
        // Recognised wherever it turns up, as Google's are; nothing may read anything into it.
        let token = format!("awt.{}", Uuid::new_v4().simple());
        self.0.insert(token.clone(), end);
        token
    }
}

/// Advoware's signature: base64 of HMAC-SHA512 over `<product>:<app id>:<nonce>:<timestamp>`, keyed with the
/// base64-decoded API key. `None` where the key is no base64.
#[must_use]
pub fn sign(product: i64, app_id: &str, nonce: &str, timestamp: &str, api_key: &str) -> Option<String> {
    let key = BASE64_STANDARD.decode(api_key).ok()?;
    let mut mac = Hmac::<Sha512>::new_from_slice(&key).ok()?;
    mac.update(format!("{product}:{app_id}:{nonce}:{timestamp}").as_bytes());
    Some(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// Answers discovery and token requests.
pub(crate) fn handle(world: &mut World, ask: &Ask) -> Answer {
    match (ask.method.as_str(), ask.path.as_str()) {
        ("POST", TOKEN) => token(world, ask),
        ("GET", DISCOVERY) => discover(world, ask),
        _ => Answer::text(404, "Diese Adresse gibt es nicht."),
    }
}

fn discover(world: &World, ask: &Ask) -> Answer {
    let options = &world.options.advoware;
    if ask.param("Kanzlei").as_deref() != Some(&options.kanzlei) {
        return Answer::text(404, "Die Kanzlei ist nicht registriert.");
    }
    let base = format!("{}{}", world.origin, super::BASE);
    let connector = options.discover_connector.then(|| base.clone());
    let gateway = format!("{}/security/", world.origin);
    Answer::json(200, &json!({"relayUrl": base, "connectorUrl": connector, "securityGateway": gateway}))
}

fn token(world: &mut World, ask: &Ask) -> Answer {
    let options = &world.options.advoware;
    if let Err(text) =
        ask.json().ok_or_else(|| "Die Anfrage ist unvollständig.".into()).and_then(|body| check(options, &body))
    {
        return Answer::text(options.sign_in_error_status, &text);
    }
    let now = world.clock.now();
    let end = now + TimeDelta::seconds(options.token_lifetime_seconds);
    let mut answer = json!({
        "access_token": world.advoware.tokens.issue(end, now),
        "token_type": "Bearer",
        "expires_in": options.token_lifetime_seconds,
        "expiration_utc": end.to_rfc3339_opts(SecondsFormat::Millis, true),
        "refresh_token": Uuid::new_v4().simple().to_string(),
    });
    if let (false, Some(answer)) = (options.tell_expires_in, answer.as_object_mut()) {
        answer.shift_remove("expires_in");
    }
    Answer::json(200, &answer)
}

/// The German texts are the ones that the contract names; they are all that tells the causes apart.
fn check(options: &AdvowareOptions, body: &Value) -> Result<(), String> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| body.get(name).and_then(Value::as_i64);
    let kanzlei = text("Kanzlei");
    let trouble = if options.trouble.is_some() {
        options.trouble
    } else if kanzlei != options.kanzlei || text("AppID") != options.app_id || text("Database") != options.database {
        Some(Trouble::NotRegistered)
    } else if number("Product") != Some(options.product) || number("Role") != Some(options.role) {
        Some(Trouble::NotEnabled)
    } else {
        None
    };
    if let Some(trouble) = trouble {
        return Err(complaint(trouble, kanzlei));
    }
    if NaiveDateTime::parse_from_str(text("RequestTimeStamp"), "%Y-%m-%dT%H:%M:%S%.3fZ").is_err() {
        return Err("Der Zeitstempel der Anfrage ist ungültig.".into());
    }
    let wanted = sign(options.product, &options.app_id, text("Nonce"), text("RequestTimeStamp"), &options.api_key);
    if text("Nonce").is_empty() || wanted.as_deref() != Some(text("HMAC512Signature")) {
        return Err("Die Signatur der Anfrage ist ungültig.".into());
    }
    if text("User") != options.user || text("Password") != options.password {
        return Err(complaint(Trouble::WrongPassword, kanzlei));
    }
    Ok(())
}

fn complaint(trouble: Trouble, kanzlei: &str) -> String {
    match trouble {
        Trouble::NotEnabled => "Das Produkt ist für diese Kanzlei nicht freigeschaltet.".into(),
        Trouble::NotRegistered => format!("Die Kanzlei '{kanzlei}' ist nicht registriert."),
        Trouble::WrongPassword => "Falscher Name oder falsches Kennwort.".into(),
        Trouble::Offline => format!("Die Kanzlei '{kanzlei}' ist nicht angemeldet."),
    }
}
