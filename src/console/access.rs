//! Who may see the pages: a bearer token, or a session cookie that a sign-in made from it. Pure.
//!
//! The cookie holds when it expires, whose it is, and a hash of both and of the token's digest. A caller who is taken out, or whose
//! token changes, has no session any more. The hash is keyed by a number that only this process knows, so that nobody can
//! make a session from the file of callers, and nobody can find a key by trying: sessions of these callers end with the
//! process. Those of `ADVOSYNC_API_TOKEN` are keyed by that token itself: every process that has it accepts them.
//! Forms carry a value that only our own pages can know.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use chrono::{DateTime, TimeDelta, Utc};
use subtle::ConstantTimeEq;

use crate::callers::{API_TOKEN, Caller, Door, Peer, Refusal, Scope, generate};
use crate::ingress::sign;
use crate::secret::Secret;

/// A working day.
const SESSION: TimeDelta = TimeDelta::hours(12);
/// The cookie's name.
pub(super) const COOKIE: &str = "advosync_console";

/// Tells visitors from strangers.
pub(super) struct Access {
    callers: Arc<Door>,
    api_token: Option<Secret>,
    /// Known to this process alone.
    key: Secret,
}

/// Somebody who may see the pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Visitor {
    /// No token is set.
    Anybody,
    /// The request itself carries the token: no browser adds that by itself.
    Bearer(Caller),
    /// Signed in.
    Session {
        /// The cookie's value.
        cookie: String,
        /// Who signed in.
        caller: Caller,
    },
}

impl Visitor {
    /// Who it is, for the log.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Anybody => "anybody",
            Self::Bearer(caller) | Self::Session { caller, .. } => &caller.name,
        }
    }

    /// Whether it may do more than look.
    pub(super) fn may_act(&self) -> bool {
        match self {
            Self::Anybody => true,
            Self::Bearer(caller) | Self::Session { caller, .. } => caller.is_admin,
        }
    }
}

impl Access {
    pub(super) fn new(callers: Arc<Door>, api_token: Option<Secret>) -> Self {
        Self { callers, api_token, key: generate() }
    }

    /// Who sends this request, if it is somebody who may.
    pub(super) fn visitor(&self, headers: &HeaderMap, from: Peer, now: DateTime<Utc>) -> Result<Visitor, Refusal> {
        if self.callers.is_open() {
            return Ok(Visitor::Anybody);
        }
        if let Some(visitor) = self.session_of(headers, now) {
            tracing::Span::current().record("caller", visitor.name());
            return Ok(visitor);
        }
        self.callers.admit(headers, from, Scope::Read).map(Visitor::Bearer)
    }

    /// Whether the pages would be shown to whoever has these cookies.
    pub(super) fn is_signed_in(&self, headers: &HeaderMap, now: DateTime<Utc>) -> bool {
        self.callers.is_open() || self.session_of(headers, now).is_some()
    }

    /// A new session for whoever knows a token, and their name.
    pub(super) fn sign_in(&self, given: &str, from: Peer, now: DateTime<Utc>) -> Result<(String, String), Refusal> {
        if given.is_empty() {
            return Err(Refusal::Missing);
        }
        let caller = self.callers.recognise(given.as_bytes(), from, Scope::Read)?;
        let session = self.session((now + SESSION).timestamp(), &caller.name).ok_or(Refusal::Wrong)?;
        Ok((caller.name, session))
    }

    fn session(&self, expires: i64, name: &str) -> Option<String> {
        let digest = self.callers.token(name)?.digest.written();
        let hash = hash(self.key_of(name), "session", &format!("{expires} {name} {digest}"));
        Some(format!("{expires}.{name}.{hash}"))
    }

    fn session_of(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Visitor> {
        cookies(headers).find_map(|cookie| {
            let (expires, rest) = cookie.split_once('.')?;
            let (name, _) = rest.rsplit_once('.')?;
            let expires = expires.parse().ok()?;
            let genuine: bool = self.session(expires, name)?.as_bytes().ct_eq(cookie.as_bytes()).into();
            let token = self.callers.token(name).filter(|token| token.may(Scope::Read))?;
            let caller = Caller { name: name.to_owned(), is_admin: token.may(Scope::Admin) };
            (genuine && now.timestamp() < expires).then(|| Visitor::Session { cookie: cookie.to_owned(), caller })
        })
    }

    /// The API token may be short, so nothing that others are shown may be keyed by it: they could try tokens against it.
    fn key_of(&self, caller: &str) -> &Secret {
        self.api_token.as_ref().filter(|_| caller == API_TOKEN).unwrap_or(&self.key)
    }

    /// What a form of this visitor's pages carries.
    pub(super) fn form_key(&self, visitor: &Visitor) -> String {
        let cookie = if let Visitor::Session { cookie, .. } = visitor { cookie } else { "" };
        hash(self.key_of(visitor.name()), "form", cookie)
    }

    /// Whether a form was sent from our own pages.
    pub(super) fn is_own_form(&self, visitor: &Visitor, headers: &HeaderMap, form_key: &str) -> bool {
        if let Visitor::Bearer(_) = visitor {
            return true;
        }
        let genuine: bool = self.form_key(visitor).as_bytes().ct_eq(form_key.as_bytes()).into();
        genuine && is_same_origin(headers)
    }
}

fn hash(key: &Secret, purpose: &str, text: &str) -> String {
    hex::encode(sign(key, format!("advosync console {purpose}: {text}").as_bytes()))
}

/// Whether a browser says that the request comes from a page of this server. Nothing said: no browser, or an old one.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, None) => true,
    }
}

/// The values of our cookie; a browser may send several of one name.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(name, value)| (name == COOKIE).then_some(value))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::callers::{Digest, Token};

    const HERE: Peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn door(tokens: &[(&str, Scope, &str)]) -> Arc<Door> {
        let token = |(name, scope, token): &(&str, Scope, &str)| match *name {
            API_TOKEN => Token::of_setting(&Secret::new(*token)),
            name => Token { name: name.to_owned(), scopes: vec![*scope], digest: Digest::of(token.as_bytes()) },
        };
        Arc::new(Door::new(tokens.iter().map(token).collect()))
    }

    fn with_token(token: &str) -> Access {
        Access::new(door(&[(API_TOKEN, Scope::Admin, token)]), Some(Secret::new(token)))
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_774_000_000, 0).unwrap()
    }

    fn who(access: &Access, cookie: &str, now: DateTime<Utc>) -> Option<String> {
        let visitor = access.visitor(&headers(&[("cookie", cookie)]), HERE, now);
        visitor.ok().map(|visitor| visitor.name().to_owned())
    }

    #[test]
    fn a_session_is_made_from_the_token_and_ends() {
        let (now, access) = (now(), with_token("geheim"));
        assert_eq!(access.sign_in("falsch", HERE, now), Err(Refusal::Wrong));
        assert_eq!(access.sign_in("", HERE, now), Err(Refusal::Missing));
        let (name, session) = access.sign_in("geheim", HERE, now).unwrap();
        assert!(!session.contains("geheim") && name == API_TOKEN);
        let check = |access: &Access, cookie: &str, now: DateTime<Utc>, expected: bool| {
            assert_eq!(who(access, cookie, now).is_some(), expected, "{cookie} {now}");
        };
        let cookie = format!("a=b; {COOKIE}={session}");
        check(&access, &cookie, now, true);
        check(&access, &format!("{COOKIE}=old; {COOKIE}={session}"), now, true);
        check(&access, &cookie, now + SESSION - TimeDelta::seconds(1), true);
        check(&access, &cookie, now + SESSION, false);
        check(&with_token("geheim"), &cookie, now, true);
        check(&with_token("anders"), &cookie, now, false);
        let (expires, rest) = session.split_once('.').unwrap();
        check(&access, &format!("{COOKIE}={}.{rest}", expires.parse::<i64>().unwrap() + 1), now, false);
        check(&access, &format!("{COOKIE}=geheim"), now, false);
        check(&access, &format!("{COOKIE}={expires}.{API_TOKEN}."), now, false);
        check(&access, &format!("{COOKIE}={expires}."), now, false);
        check(&access, "", now, false);
        let bearer = |text: &str| access.visitor(&headers(&[("authorization", text)]), HERE, now);
        assert!(matches!(bearer("Bearer geheim"), Ok(Visitor::Bearer(caller)) if caller.is_admin));
        assert_eq!(bearer("Bearer falsch"), Err(Refusal::Wrong));
        let open = Access::new(Arc::default(), None);
        assert_eq!(open.visitor(&HeaderMap::new(), HERE, now), Ok(Visitor::Anybody));
    }

    #[test]
    fn a_session_is_its_callers_and_goes_with_the_token() {
        let (now, secret) = (now(), Some(Secret::new("geheim")));
        let anna = ("anna", Scope::Read, "a");
        let mut access =
            Access::new(door(&[(API_TOKEN, Scope::Admin, "geheim"), anna, ("bot", Scope::Trigger, "b")]), secret);
        assert_eq!(access.sign_in("b", HERE, now).unwrap_err().status(), 403);
        let (_, session) = access.sign_in("a", HERE, now).unwrap();
        let cookie = format!("{COOKIE}={session}");
        assert_eq!(who(&access, &cookie, now).as_deref(), Some("anna"));
        let visitor = access.visitor(&headers(&[("cookie", &cookie)]), HERE, now).unwrap();
        assert!(!visitor.may_act());
        // The rest of the cookie with another name in it.
        for name in [API_TOKEN, "bot", "nobody"] {
            assert_eq!(who(&access, &cookie.replace("anna", name), now), None, "{name}");
        }
        // Neither the file nor the API token makes a session of anna's; another process has another key.
        let other = Access::new(Arc::clone(&access.callers), access.api_token.clone());
        assert_eq!(who(&other, &cookie, now), None);
        let check = |access: &mut Access, tokens: &[(&str, Scope, &str)], expected: bool| {
            access.callers = door(tokens);
            assert_eq!(who(access, &cookie, now).is_some(), expected, "{tokens:?}");
        };
        check(&mut access, &[anna], true);
        check(&mut access, &[("anna", Scope::Read, "new")], false);
        check(&mut access, &[("anna", Scope::Proxy, "a")], false);
        check(&mut access, &[("berta", Scope::Read, "a")], false);
        check(&mut access, &[(API_TOKEN, Scope::Admin, "geheim")], false);
    }

    #[test]
    fn nothing_that_others_are_shown_is_keyed_by_the_api_token() {
        let key = |token: &str| {
            let tokens = [(API_TOKEN, Scope::Admin, token), ("anna", Scope::Read, "a")];
            let access = Access { key: Secret::new("same"), ..Access::new(door(&tokens), Some(Secret::new(token))) };
            let (_, session) = access.sign_in("a", HERE, now()).unwrap();
            let caller = Caller { name: "anna".to_owned(), is_admin: false };
            let forms = [Visitor::Bearer(caller.clone()), Visitor::Session { cookie: session.clone(), caller }];
            (session, forms.map(|visitor| access.form_key(&visitor)))
        };
        assert_eq!(key("one"), key("other"));
    }

    #[test]
    fn forms_count_only_from_our_own_pages() {
        for access in [Access::new(Arc::default(), None), with_token("geheim")] {
            let caller = Caller { name: API_TOKEN.to_owned(), is_admin: true };
            let visitor = Visitor::Session { cookie: "1.x".to_owned(), caller: caller.clone() };
            let key = access.form_key(&visitor);
            let check = |pairs: &[(&'static str, &str)], key: &str, expected: bool| {
                assert_eq!(access.is_own_form(&visitor, &headers(pairs), key), expected, "{pairs:?}");
            };
            check(&[], &key, true);
            check(&[], "", false);
            check(&[], &access.form_key(&Visitor::Anybody), false);
            check(&[("sec-fetch-site", "same-origin")], &key, true);
            check(&[("sec-fetch-site", "same-site")], &key, false);
            check(&[("sec-fetch-site", "cross-site"), ("origin", "http://a:1"), ("host", "a:1")], &key, false);
            check(&[("origin", "http://a:1"), ("host", "a:1")], &key, true);
            check(&[("origin", "http://b:1"), ("host", "a:1")], &key, false);
            check(&[("origin", "null"), ("host", "a:1")], &key, false);
            assert!(access.is_own_form(&Visitor::Bearer(caller), &HeaderMap::new(), ""));
        }
    }
}
