//! Events, as raw JSON so that fields we do not know survive.

use reqwest::Method;
use serde_json::{Map, Value};

use super::classify::Gone;
use super::client::Client;
use super::error::Error;
use super::exchange::{Request, unreadable};
use crate::clients::{Call, http};

/// One event as Google sent it, every field kept.
pub type Event = Map<String, Value>;

/// Nobody is mailed about what we write (contract, "Endpoints used").
const QUIET: [(&str, &str); 1] = [("sendUpdates", "none")];

/// What changed in a calendar, or all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// All pages' events; with a sync token, deleted ones too.
    pub events: Vec<Event>,
    /// For the next call.
    pub next_sync_token: String,
    /// How many pages there were.
    pub pages: usize,
}

impl Client {
    /// Reads all pages. With a sync token, what changed since; [`Error::SyncTokenGone`] asks to do without.
    pub async fn list(&self, calendar: &str, sync_token: Option<&str>) -> Result<Listing, Error> {
        let path = ["calendars", calendar, "events"];
        let mut query = vec![("singleEvents", "false"), ("maxResults", "2500")];
        query.extend(sync_token.map(|token| ("syncToken", token)));
        let gone = if sync_token.is_some() { Gone::SyncToken } else { Gone::Thing };
        let request = Request { query: &query, gone, ..Request::new(Method::GET, &path) };
        let call = request.call();
        let (items, next, pages) = self.pages(&request).await?;
        let next_sync_token = next.ok_or_else(|| unreadable(&call, "a last page without nextSyncToken"))?;
        let events = items.into_iter().map(|item| event(&call, item)).collect::<Result<_, _>>()?;
        Ok(Listing { events, next_sync_token, pages })
    }

    /// Reads one event; a deleted one comes with `status=cancelled`, `None` never was.
    pub async fn get(&self, calendar: &str, id: &str) -> Result<Option<Event>, Error> {
        let path = ["calendars", calendar, "events", id];
        let request = Request::new(Method::GET, &path);
        match self.exchange(&request).await {
            Ok(value) => event(&request.call(), value).map(Some),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates an event under the id it holds; [`Error::Exists`] where that is taken. Returns it as Google stored it.
    pub async fn insert(&self, calendar: &str, new: &Event) -> Result<Event, Error> {
        let path = ["calendars", calendar, "events"];
        let body = Value::Object(new.clone());
        let request = Request { query: &QUIET, body: Some(&body), ..Request::new(Method::POST, &path) };
        if new.get("id").and_then(Value::as_str).is_none_or(str::is_empty) {
            // Google would choose one, and a repeat would make a second event.
            return Err(Error::Invalid { call: request.call(), reason: "the new event has no id".to_owned() });
        }
        event(&request.call(), self.exchange(&request).await?)
    }

    /// Writes a whole event, if it still has that etag; else [`Error::Changed`]. Returns it as Google stored it.
    pub async fn update(&self, calendar: &str, id: &str, etag: &str, new: &Event) -> Result<Event, Error> {
        let path = ["calendars", calendar, "events", id];
        let body = Value::Object(new.clone());
        let request =
            Request { query: &QUIET, etag: Some(etag), body: Some(&body), ..Request::new(Method::PUT, &path) };
        event(&request.call(), self.exchange(&request).await?)
    }

    /// Deletes an event, if it still has that etag. One that is gone already is a success.
    pub async fn delete(&self, calendar: &str, id: &str, etag: &str) -> Result<(), Error> {
        let path = ["calendars", calendar, "events", id];
        let request = Request { query: &QUIET, etag: Some(etag), ..Request::new(Method::DELETE, &path) };
        match self.send(&request).await {
            Ok(body) if http::is_html(&body) => Err(unreadable(&request.call(), &http::described(&body, &[]))),
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn event(call: &Call, value: Value) -> Result<Event, Error> {
    match value {
        Value::Object(event) => Ok(event),
        other => Err(unreadable(call, &http::shape(&other))),
    }
}
