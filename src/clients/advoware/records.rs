//! Generic record calls: any entity whose path and key a mapping names.

use reqwest::Method;
use serde_json::{Map, Value};

use super::address::{self, Key};
use super::client::Client;
use super::error::Error;
use super::exchange::Request;
use crate::clients::{Call, Cause, http};

/// One record as Advoware sent it, every field kept.
pub type Record = Map<String, Value>;

/// What a POST answered (contract: the new object, an array of it, or just its number).
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// The whole new record.
    Record(Record),
    /// Only its number; read the record for the rest.
    Number(i64),
}

impl Client {
    /// Reads one record. An empty array counts as [`Error::NotFound`]: Advoware has no record with that key.
    pub async fn get(&self, path: &str, key: impl Into<Key<'_>>) -> Result<Record, Error> {
        let request = keyed(Method::GET, path, key.into(), None)?;
        let body = self.exchange(&request).await?;
        match http::json(&body) {
            Some(Value::Array(items)) if items.is_empty() => Err(Error::NotFound { call: request.call }),
            Some(value) => one(value).map_err(|value| unexpected(&request.call, "one record", &http::shape(&value))),
            None => Err(unexpected(&request.call, "one record", &http::described(&body, &[]))),
        }
    }

    /// Reads a list; `query` goes out as it is. Advoware ignores wrongly cased names, so check what comes back.
    pub async fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Record>, Error> {
        let call = Call { method: Method::GET, path: path.trim_matches('/').to_owned() };
        let request = Request::json(call, address::list(path, query), None);
        let body = self.exchange(&request).await?;
        let Some(Value::Array(items)) = http::json(&body) else {
            return Err(unexpected(&request.call, "a list", &http::described(&body, &[])));
        };
        let records = items.into_iter().map(|item| match item {
            Value::Object(record) => Ok(record),
            other => {
                Err(unexpected(&request.call, "a list of records", &format!("a list with {}", http::shape(&other))))
            }
        });
        records.collect()
    }

    /// Creates a record. Not idempotent: after [`Error::Unknown`] look before sending it again.
    pub async fn post(&self, path: &str, body: &Record) -> Result<Created, Error> {
        let call = Call { method: Method::POST, path: path.trim_matches('/').to_owned() };
        let request = Request::json(call, address::list(path, &[]), Some(&Value::Object(body.clone())));
        let answer = self.exchange(&request).await?;
        let found = http::json(&answer).and_then(created);
        found.ok_or_else(|| unexpected(&request.call, "the new record or its number", &http::described(&answer, &[])))
    }

    /// Writes a whole record. `None` where the answer does not carry the record; then its new rowId must be read.
    pub async fn put(&self, path: &str, key: impl Into<Key<'_>>, body: &Record) -> Result<Option<Record>, Error> {
        let request = keyed(Method::PUT, path, key.into(), Some(&Value::Object(body.clone())))?;
        let answer = self.exchange(&request).await?;
        if answer.trim_ascii().is_empty() {
            return Ok(None);
        }
        match http::json(&answer) {
            Some(Value::Array(items)) if items.len() > 1 => {
                Err(unexpected(&request.call, "one record", &http::shape(&Value::Array(items))))
            }
            Some(value) => Ok(one(value).ok()),
            None if http::is_html(&answer) => {
                Err(unexpected(&request.call, "a record or nothing", &http::described(&answer, &[])))
            }
            None => Ok(None),
        }
    }

    /// Deletes a record.
    pub async fn delete(&self, path: &str, key: impl Into<Key<'_>>) -> Result<(), Error> {
        let request = keyed(Method::DELETE, path, key.into(), None)?;
        let answer = self.exchange(&request).await?;
        if http::is_html(&answer) {
            return Err(unexpected(&request.call, "a confirmation", &http::described(&answer, &[])));
        }
        Ok(())
    }
}

fn keyed(method: Method, path: &str, key: Key<'_>, body: Option<&Value>) -> Result<Request, Error> {
    let call = Call { method, path: path.trim_matches('/').to_owned() };
    match address::record(path, key) {
        // The key belongs into messages, so the call's path is the whole target here.
        Ok(target) => Ok(Request::json(Call { path: target.clone(), ..call }, target, body)),
        Err(reason) => Err(Error::Invalid { call, reason }),
    }
}

/// An object, or an array of exactly one; else the value itself back.
fn one(value: Value) -> Result<Record, Value> {
    match value {
        Value::Object(record) => Ok(record),
        Value::Array(mut items) if items.len() == 1 && items[0].is_object() => match items.pop() {
            Some(Value::Object(record)) => Ok(record),
            _ => Err(Value::Array(items)),
        },
        other => Err(other),
    }
}

fn created(value: Value) -> Option<Created> {
    match value {
        Value::Number(number) => number.as_i64().map(Created::Number),
        Value::String(text) => text.trim().parse().ok().map(Created::Number),
        Value::Object(record) => Some(Created::Record(record)),
        Value::Array(mut items) if items.len() == 1 => items.pop().filter(|item| !item.is_array()).and_then(created),
        _ => None,
    }
}

/// A 2xx answer that cannot be read: for a write, its effect is unknown.
fn unexpected(call: &Call, wanted: &str, came: &str) -> Error {
    Error::Unknown { call: call.clone(), cause: Cause::Unreadable(format!("not {wanted} but {came}")) }
}
