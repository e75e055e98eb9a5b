//! From a request to the caller who sent it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};

use axum::http::{Extensions, HeaderMap, header};
use subtle::ConditionallySelectable as _;
use tokio::time::Instant;
use tracing::Span;

use super::attempts::Attempts;
use super::refusal::Refusal;
use super::token::{Digest, Scope, Token};
use crate::telemetry::Hush;

/// Where a request comes from: the address at the other end of its connection. An `X-Forwarded-For` is not believed, because
/// anybody can write one.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// Of a request; nowhere in particular where nobody has noted it.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into()))
    }
}

/// Somebody who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is, for logs and traces.
    pub name: String,
    /// Whether it may do everything.
    pub is_admin: bool,
}

/// Knows all tokens. One for a process, so that attempts at one of its routes count for all.
#[derive(Debug, Default)]
pub struct Door {
    tokens: Vec<Token>,
    attempts: Mutex<Attempts>,
    wrong: Hush,
    lacking: Hush,
}

impl Door {
    /// Lets in whoever has one of these; without any, everybody (only ever on loopback).
    #[must_use]
    pub fn new(tokens: Vec<Token>) -> Self {
        Self { tokens, ..Self::default() }
    }

    /// Whether everybody is let in.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether a token of this name is known.
    #[must_use]
    pub fn token(&self, name: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.name == name)
    }

    /// Who sends this, if they may do that. The caller's name goes to the request's span.
    pub fn admit(&self, headers: &HeaderMap, from: Peer, needed: Scope) -> Result<Caller, Refusal> {
        if self.is_open() {
            return Ok(Caller { name: "anybody".to_owned(), is_admin: true });
        }
        let given = bearer(headers).ok_or_else(|| refused(Refusal::Missing))?;
        self.recognise(given, from, needed)
    }

    /// Whose token this is, if it opens that.
    pub fn recognise(&self, given: &[u8], from: Peer, needed: Scope) -> Result<Caller, Refusal> {
        let Some(token) = self.holder(given) else { return Err(self.guessed(from)) };
        let caller = token.name.clone();
        if !token.may(needed) {
            if let Some(unsaid) = self.lacking.may_speak(Instant::now()) {
                tracing::warn!(
                    caller,
                    needed = needed.name(),
                    unsaid,
                    "a caller's token does not open what it asks for"
                );
            }
            return Err(refused(Refusal::Scope { caller, needed }));
        }
        Span::current().record("caller", &caller);
        Ok(Caller { name: caller, is_admin: token.may(Scope::Admin) })
    }

    /// Compares with every token, always all of them, in the same time whatever is given.
    fn holder(&self, given: &[u8]) -> Option<&Token> {
        let (given, mut found) = (Digest::of(given), 0_u64);
        for (number, token) in (1..).zip(&self.tokens) {
            found.conditional_assign(&number, token.digest.equals(&given));
        }
        self.tokens.get(usize::try_from(found).ok()?.checked_sub(1)?)
    }

    fn guessed(&self, Peer(address): Peer) -> Refusal {
        let now = Instant::now();
        let wait = self.attempts.lock().unwrap_or_else(PoisonError::into_inner).count(address, now);
        if let Some(unsaid) = self.wrong.may_speak(now) {
            tracing::warn!(%address, unsaid, "a caller's token is wrong");
        }
        refused(wait.map_or(Refusal::Wrong, Refusal::TooMany))
    }
}

fn refused(refusal: Refusal) -> Refusal {
    let why = match refusal {
        Refusal::Missing => "no_token",
        Refusal::Wrong => "wrong_token",
        Refusal::TooMany(_) => "too_many",
        Refusal::Scope { .. } => "scope",
    };
    metrics::counter!("advosync_refused_callers_total", "why" => why).increment(1);
    refusal
}

/// The token of `Authorization: Bearer <token>`.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, given) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked("Bearer ".len())?;
    let given = given.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !given.is_empty()).then_some(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn token(name: &str, scopes: &[Scope], token: &str) -> Token {
        Token { name: name.to_owned(), scopes: scopes.to_vec(), digest: Digest::of(token.as_bytes()) }
    }

    #[test]
    fn a_bearer_is_read_as_clients_write_it() {
        let check = |given: &str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, given.parse().unwrap())]);
            assert_eq!(bearer(&headers), expected.map(str::as_bytes), "{given:?}");
        };
        check("Bearer geheim", Some("geheim"));
        check("bearer  geheim ", Some("geheim"));
        for none in ["Bearergeheim", "Basic geheim", "geheim", "Bearer", "Bearer ", ""] {
            check(none, None);
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn everybody_is_known_by_the_own_token_and_opens_what_it_names() {
        let door = Door::new(vec![
            token("first", &[Scope::Trigger], "one"),
            token("middle", &[Scope::Read, Scope::Proxy], "two"),
            token("last", &[Scope::Admin], "three"),
        ]);
        let check = |given: &str, needed: Scope, expected: Result<&str, u16>| {
            let found = door.recognise(given.as_bytes(), HERE, needed);
            let found = found.map(|it| it.name).map_err(|refusal| refusal.status().as_u16());
            assert_eq!(found, expected.map(str::to_owned), "{given:?} {needed:?}");
        };
        for (given, name) in [("one", "first"), ("two", "middle"), ("three", "last")] {
            for needed in Scope::ALL {
                let may = door.token(name).unwrap().may(needed);
                check(given, needed, if may { Ok(name) } else { Err(403) });
            }
        }
        for wrong in ["", "on", "one ", "onetwo", "sha256:", "first"] {
            check(wrong, Scope::Read, Err(401));
        }
        assert!(door.recognise(b"three", HERE, Scope::Read).unwrap().is_admin);
        assert!(!door.recognise(b"two", HERE, Scope::Read).unwrap().is_admin);
    }

    #[test]
    fn guessers_are_told_to_wait_and_never_lock_anybody_out() {
        let door = Door::new(vec![token("good", &[Scope::Read], "geheim")]);
        let guess = || door.recognise(b"falsch", HERE, Scope::Read).unwrap_err();
        let statuses: Vec<u16> = (0..100).map(|_| guess().status().as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 60);
        let refusal = guess();
        let (name, value) = refusal.header().unwrap();
        assert_eq!((name, refusal.code()), (header::RETRY_AFTER, "too_many_attempts"));
        assert!((1..=60).contains(&value.to_str().unwrap().parse::<u64>().unwrap()));
        assert!(door.recognise(b"geheim", HERE, Scope::Read).is_ok(), "from the same address");
        let elsewhere = Peer("192.0.2.7".parse().unwrap());
        assert_eq!(door.recognise(b"falsch", elsewhere, Scope::Read), Err(Refusal::Wrong));
        // Whoever sends nothing guesses nothing.
        assert_eq!(door.admit(&HeaderMap::new(), HERE, Scope::Read), Err(Refusal::Missing));
    }

    #[test]
    fn without_tokens_everybody_is_let_in() {
        let caller = Door::default().admit(&HeaderMap::new(), HERE, Scope::Admin).unwrap();
        assert_eq!((caller.name.as_str(), caller.is_admin), ("anybody", true));
    }
}
