//! Calendars and whom they are shared with.

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::client::Client;
use super::error::Error;
use super::exchange::{Request, unreadable};
use crate::clients::Call;

/// More pages than this are an answer that goes in circles.
pub(super) const MAX_PAGES: usize = 1000;

/// One entry of our calendar list, hidden ones included.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calendar {
    /// Google's id of it.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub summary: String,
    /// What we may do there: `owner`, `writer`, `reader`, `freeBusyReader`.
    #[serde(default)]
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
        let (items, _, _) = self.pages(&path, &[("maxResults", "250"), ("showHidden", "true")]).await?;
        let call = Call { method: Method::GET, path: path.join("/") };
        items.into_iter().map(|item| parsed(&call, item)).collect()
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
        let (items, _, _) = self.pages(&["calendars", calendar, "acl"], &[("maxResults", "250")]).await?;
        let word = |item: &Value, at: &str| item.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
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
    pub(super) async fn pages(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<(Vec<Value>, Option<String>, usize), Error> {
        let (mut items, mut token) = (Vec::new(), None::<String>);
        for pages in 1..=MAX_PAGES {
            let mut query = query.to_vec();
            query.extend(token.as_deref().map(|token| ("pageToken", token)));
            let request = Request { query: &query, ..Request::new(Method::GET, path) };
            let page: Page = parsed(&request.call(), self.exchange(&request).await?)?;
            items.extend(page.items);
            match page.next_page_token {
                None => return Ok((items, page.next_sync_token, pages)),
                next if next == token => return Err(unreadable(&request.call(), "the same page again")),
                next => token = next,
            }
        }
        Err(unreadable(&Request::new(Method::GET, path).call(), "pages without an end"))
    }
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
