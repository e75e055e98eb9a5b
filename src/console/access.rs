//! Who may see the pages: a bearer token, or a session cookie that a sign-in made from it. Pure.
//!
//! The cookie holds when it expires and a hash of that, keyed by the token: it cannot be made without the token, does
//! not contain it, and every process that knows the token accepts it. A changed token ends all sessions. Forms carry a
//! value that only our own pages can know.

use axum::http::{HeaderMap, header};
use chrono::{DateTime, TimeDelta, Utc};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::ingress::{is_bearer, sign};
use crate::secret::Secret;

/// A working day.
const SESSION: TimeDelta = TimeDelta::hours(12);
/// The cookie's name.
pub(super) const COOKIE: &str = "advosync_console";

/// Tells visitors from strangers.
pub(super) struct Access {
    token: Option<Secret>,
    /// The token, or without one something that only this process knows: forms need a key in any case.
    key: Secret,
}

/// Somebody who may see the pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Visitor {
    /// No token is set.
    Anybody,
    /// The request itself carries the token: no browser adds that by itself.
    Bearer,
    /// Signed in; the cookie's value.
    Session(String),
}

impl Access {
    pub(super) fn new(token: Option<Secret>) -> Self {
        let key = token.clone().unwrap_or_else(|| Secret::new(Uuid::new_v4().to_string()));
        Self { token, key }
    }

    /// Who sends this request, if it is somebody who may.
    pub(super) fn visitor(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Visitor> {
        let Some(token) = &self.token else { return Some(Visitor::Anybody) };
        if is_bearer(token, headers) {
            return Some(Visitor::Bearer);
        }
        cookies(headers).find(|value| self.is_session(value, now)).map(|value| Visitor::Session(value.to_owned()))
    }

    /// A new session for whoever knows the token.
    pub(super) fn sign_in(&self, given: &str, now: DateTime<Utc>) -> Option<String> {
        let token = self.token.as_ref()?;
        token.matches(given.as_bytes()).then(|| self.session((now + SESSION).timestamp()))
    }

    fn session(&self, expires: i64) -> String {
        format!("{expires}.{}", self.hash("session", &expires.to_string()))
    }

    fn is_session(&self, value: &str, now: DateTime<Utc>) -> bool {
        let Some(expires) = value.split_once('.').and_then(|(expires, _)| expires.parse::<i64>().ok()) else {
            return false;
        };
        let genuine: bool = self.session(expires).as_bytes().ct_eq(value.as_bytes()).into();
        genuine && now.timestamp() < expires
    }

    /// What a form of this visitor's pages carries.
    pub(super) fn form_key(&self, visitor: &Visitor) -> String {
        self.hash("form", if let Visitor::Session(value) = visitor { value } else { "" })
    }

    /// Whether a form was sent from our own pages.
    pub(super) fn is_own_form(&self, visitor: &Visitor, headers: &HeaderMap, form_key: &str) -> bool {
        if *visitor == Visitor::Bearer {
            return true;
        }
        let genuine: bool = self.form_key(visitor).as_bytes().ct_eq(form_key.as_bytes()).into();
        genuine && is_same_origin(headers)
    }

    fn hash(&self, purpose: &str, text: &str) -> String {
        hex::encode(sign(&self.key, format!("advosync console {purpose}: {text}").as_bytes()))
    }
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
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_session_is_made_from_the_token_and_ends() {
        let now = DateTime::from_timestamp(1_774_000_000, 0).unwrap();
        let access = Access::new(Some(Secret::new("geheim")));
        assert_eq!(access.sign_in("falsch", now), None);
        let session = access.sign_in("geheim", now).unwrap();
        assert!(!session.contains("geheim"));
        let check = |access: &Access, cookie: &str, now: DateTime<Utc>, expected: bool| {
            assert_eq!(access.visitor(&headers(&[("cookie", cookie)]), now).is_some(), expected, "{cookie} {now}");
        };
        let cookie = format!("a=b; {COOKIE}={session}");
        check(&access, &cookie, now, true);
        check(&access, &format!("{COOKIE}=old; {COOKIE}={session}"), now, true);
        check(&access, &cookie, now + SESSION - TimeDelta::seconds(1), true);
        check(&access, &cookie, now + SESSION, false);
        check(&Access::new(Some(Secret::new("geheim"))), &cookie, now, true);
        check(&Access::new(Some(Secret::new("anders"))), &cookie, now, false);
        let (expires, hash) = session.split_once('.').unwrap();
        check(&access, &format!("{COOKIE}={}.{hash}", expires.parse::<i64>().unwrap() + 1), now, false);
        check(&access, &format!("{COOKIE}=geheim"), now, false);
        check(&access, &format!("{COOKIE}={expires}."), now, false);
        check(&access, "", now, false);
        assert_eq!(access.visitor(&headers(&[("authorization", "Bearer geheim")]), now), Some(Visitor::Bearer));
        assert_eq!(access.visitor(&headers(&[("authorization", "Bearer falsch")]), now), None);
        assert_eq!(Access::new(None).visitor(&HeaderMap::new(), now), Some(Visitor::Anybody));
    }

    #[test]
    fn forms_count_only_from_our_own_pages() {
        for access in [Access::new(None), Access::new(Some(Secret::new("geheim")))] {
            let visitor = Visitor::Session("1.x".to_owned());
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
            assert!(access.is_own_form(&Visitor::Bearer, &HeaderMap::new(), ""));
        }
    }
}
