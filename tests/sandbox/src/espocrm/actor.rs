//! Who asks, and whether it may (espocrm.md, Auth).

use std::collections::VecDeque;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::API;
use crate::options::EspoCrmOptions;
use crate::wire::{Answer, Ask};
use crate::world::World;

/// Bad sign-ins a minute after which every request is refused.
const BAD_SIGN_INS: usize = 10;

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) id: String,
    /// The user name.
    pub(crate) name: String,
    /// An API user has no admin rights here; the person is an admin.
    pub(crate) admin: bool,
}

impl Actor {
    pub(crate) fn api(options: &EspoCrmOptions) -> Self {
        Self { id: options.api_user_id.clone(), name: options.api_user_name.clone(), admin: false }
    }

    pub(crate) fn person(options: &EspoCrmOptions) -> Self {
        Self { id: options.person_id.clone(), name: options.person_name.clone(), admin: true }
    }
}

/// Sign-ins that failed within the last minute. All callers share the loopback address, hence one list.
#[derive(Debug, Default)]
pub(crate) struct BadSignIns(VecDeque<DateTime<Utc>>);

impl BadSignIns {
    fn locked(&mut self, now: DateTime<Utc>) -> bool {
        while self.0.front().is_some_and(|at| *at <= now - TimeDelta::seconds(60)) {
            self.0.pop_front();
        }
        self.0.len() > BAD_SIGN_INS
    }
}

/// Finds the user of a request, or the answer that refuses it.
pub(crate) fn sign_in(world: &mut World, ask: &Ask) -> Result<Actor, Answer> {
    let now = world.clock.now();
    if world.espocrm.bad_sign_ins.locked(now) {
        return Err(Answer::empty(403));
    }
    match identify(&world.options.espocrm, ask) {
        Credentials::Fit(actor) => Ok(actor),
        Credentials::Missing => Err(Answer::empty(401)),
        Credentials::Wrong => {
            world.espocrm.bad_sign_ins.0.push_back(now);
            Err(Answer::empty(401))
        }
    }
}

/// Only wrong credentials count towards the lockout.
enum Credentials {
    Fit(Actor),
    Wrong,
    Missing,
}

fn identify(options: &EspoCrmOptions, ask: &Ask) -> Credentials {
    let (fits, actor) = if let Some(signed) = ask.header("x-hmac-authorization") {
        (hmac_fits(options, ask, signed), Actor::api(options))
    } else if let Some(key) = ask.header("x-api-key") {
        // A user of HMAC sign-in has another authentication method; its key alone opens nothing.
        (options.api_secret.is_none() && key == options.api_key, Actor::api(options))
    } else if let Some(basic) = ask.header("authorization").and_then(|value| value.strip_prefix("Basic ")) {
        let wanted = format!("{}:{}", options.person_name, options.person_password);
        (BASE64_STANDARD.decode(basic).ok().as_deref() == Some(wanted.as_bytes()), Actor::person(options))
    } else {
        return Credentials::Missing;
    };
    if fits { Credentials::Fit(actor) } else { Credentials::Wrong }
}

/// base64 of `<api key>:<HMAC-SHA256 of "METHOD /path">`, the digest in hex (8.4 and later) or raw.
fn hmac_fits(options: &EspoCrmOptions, ask: &Ask, signed: &str) -> bool {
    let Some(secret) = &options.api_secret else { return false };
    let Ok(decoded) = BASE64_STANDARD.decode(signed) else { return false };
    let Some(digest) = decoded.strip_prefix(format!("{}:", options.api_key).as_bytes()) else { return false };
    let path = ask.path.strip_prefix(API).unwrap_or(&ask.path);
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(format!("{} {path}", ask.method).as_bytes());
    let wanted = mac.finalize().into_bytes();
    digest == &wanted[..] || digest == hex::encode(wanted).as_bytes()
}
