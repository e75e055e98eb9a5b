//! Calendars and whom they are shared with.

use std::collections::HashSet;

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::client::Client;
use super::error::Error;
use super::exchange::{Request, unreadable};
use crate::clients::Call;

/// More pages than this (2.5 million events) are no calendar.
pub(super) const MAX_PAGES: usize = 1000;

/// One entry of our calendar list, hidden ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Google's id of it.
    pub id: String,
    /// Its name, as its owner gave it; may be empty.
    pub summary: String,
    /// What we may do there: `owner`, `writer`, `reader`, `freeBusyReader`.
    pub access_role: String,
}

/// One entry of a calendar's access list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclRule {
    /// What it allows.
    pub role: String,
    /// `user`, `group`, `domain` or `default`.
    pub scope_type: String,
    /// The e-mail address or domain; empty for `default`.
    pub scope_value: String,
}

impl Client {
    /// Signs in and does the cheapest read.
    pub async fn ping(&self) -> Result<(), Error> {
        let path = ["users", "me", "calendarList"];
        let query = [("maxResults", "1")];
        self.exchange(&Request { query: &query, ..Request::new(Method::GET, &path) }).await.map(drop)
    }

    /// All calendars in our list; a hidden one counts, a deleted one does not.
    pub async fn calendars(&self) -> Result<Vec<Calendar>, Error> {
        let path = ["users", "me", "calendarList"];
        let query = [("maxResults", "250"), ("showHidden", "true")];
        let (items, _, _) = self.pages(&Request { query: &query, ..Request::new(Method::GET, &path) }).await?;
        Ok(items.iter().filter_map(calendar).collect())
    }

    /// Creates a calendar and returns its id. Not idempotent: after [`Error::Unknown`] look before doing it again.
    pub async fn create_calendar(&self, summary: &str, time_zone: &str) -> Result<String, Error> {
        let body = json!({ "summary": summary, "timeZone": time_zone });
        let request = Request { body: Some(&body), ..Request::new(Method::POST, &["calendars"]) };
        let made = self.exchange(&request).await?;
        let id = made.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| unreadable(&request.call(), "a calendar without an id"))
    }

    /// Whom a calendar is shared with.
    pub async fn acl(&self, calendar: &str) -> Result<Vec<AclRule>, Error> {
        let path = ["calendars", calendar, "acl"];
        let query = [("maxResults", "250")];
        let (items, _, _) = self.pages(&Request { query: &query, ..Request::new(Method::GET, &path) }).await?;
        let rules = items.iter().map(|item| AclRule {
            role: word(item, "/role"),
            scope_type: word(item, "/scope/type"),
            scope_value: word(item, "/scope/value"),
        });
        Ok(rules.collect())
    }

    /// Shares a calendar with one person, who gets no mail about it.
    pub async fn share(&self, calendar: &str, email: &str, role: &str) -> Result<(), Error> {
        let body = json!({ "role": role, "scope": { "type": "user", "value": email } });
        let path = ["calendars", calendar, "acl"];
        let query = [("sendNotifications", "false")];
        self.send(&Request { query: &query, body: Some(&body), ..Request::new(Method::POST, &path) }).await.map(drop)
    }

    /// The items of all pages, the last page's `nextSyncToken`, and how many pages there were.
    pub(super) async fn pages(&self, first: &Request<'_>) -> Result<(Vec<Value>, Option<String>, usize), Error> {
        let (mut items, mut token) = (Vec::new(), None::<String>);
        let mut seen = HashSet::new();
        for pages in 1..=MAX_PAGES {
            let mut query = first.query.to_vec();
            query.extend(token.as_deref().map(|token| ("pageToken", token)));
            let request = Request { query: &query, gone: first.gone, ..Request::new(Method::GET, first.path) };
            let page: Page = parsed(&request.call(), self.exchange(&request).await?)?;
            items.extend(page.items);
            match page.next_page_token {
                None => return Ok((items, page.next_sync_token, pages)),
                Some(next) if !seen.insert(next.clone()) => {
                    return Err(unreadable(&request.call(), "the same page again"));
                }
                next => token = next,
            }
        }
        Err(unreadable(&first.call(), "pages without an end"))
    }
}

fn word(item: &Value, at: &str) -> String {
    item.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An entry without an id cannot be used, one that is deleted must not be.
fn calendar(item: &Value) -> Option<Calendar> {
    let id = word(item, "/id");
    let usable = !id.is_empty() && item["deleted"].as_bool() != Some(true);
    usable.then(|| Calendar { id, summary: word(item, "/summary"), access_role: word(item, "/accessRole") })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    /// May be empty, or left out, and the page still not be the last.
    #[serde(default)]
    items: Vec<Value>,
    next_page_token: Option<String>,
    next_sync_token: Option<String>,
}

fn parsed<T: DeserializeOwned>(call: &Call, value: Value) -> Result<T, Error> {
    // The parser's words may quote somebody's data.
    serde_json::from_value(value).map_err(|_| unreadable(call, "JSON of another shape"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars_are_read_tolerantly() {
        let check = |item: Value, expected: Option<(&str, &str)>| {
            let found = calendar(&item).map(|found| (found.id, found.summary));
            assert_eq!(found, expected.map(|(id, summary)| (id.to_owned(), summary.to_owned())), "{item}");
        };
        check(json!({ "id": "a", "summary": "AW-SB", "accessRole": "owner", "hidden": true }), Some(("a", "AW-SB")));
        check(json!({ "id": "a", "summary": null }), Some(("a", "")));
        check(json!({ "id": "a", "deleted": true }), None);
        check(json!({ "summary": "AW-SB" }), None);
        check(json!(17), None);
    }
}
