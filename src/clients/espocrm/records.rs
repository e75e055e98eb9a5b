//! Reading and writing records of any entity.

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::client::Client;
use super::error::Error;
use super::exchange::{Request, unreadable};
use super::search::{Page, Search};
use crate::clients::{Call, http};

const X_VERSION_NUMBER: HeaderName = HeaderName::from_static("x-version-number");
const X_SKIP_DUPLICATE_CHECK: HeaderName = HeaderName::from_static("x-skip-duplicate-check");
const X_NO_TOTAL: HeaderName = HeaderName::from_static("x-no-total");
const TRUE: HeaderValue = HeaderValue::from_static("true");
/// More is refused with 403 (contract, "Errors").
const MAX_SIZE: u16 = 200;

/// One record as EspoCRM sent it. Times in it are UTC, `YYYY-MM-DD HH:mm:ss`.
pub type Record = Map<String, Value>;

impl Client {
    /// Reads one record.
    pub async fn get(&self, entity: &str, id: &str) -> Result<Record, Error> {
        let path = [entity, id];
        let request = Request::new(Method::GET, &path);
        let call = request.call();
        same(self.exchange(request).await?, id, &call)
    }

    /// Writes the given fields and no others; answers the whole record. Unknown fields are ignored silently by EspoCRM.
    /// `version_number` matters only where the entity has optimistic concurrency, and is not atomic even there.
    pub async fn update(
        &self,
        entity: &str,
        id: &str,
        fields: &Record,
        version_number: Option<u64>,
    ) -> Result<Record, Error> {
        let path = [entity, id];
        let body = Value::Object(fields.clone());
        let mut request = Request::new(Method::PUT, &path);
        request.body = Some(&body);
        // Namesakes are no reason to refuse a change; EspoCRM checks updates, too, where an admin has turned that on.
        request.headers.insert(X_SKIP_DUPLICATE_CHECK, TRUE);
        if let Some(version_number) = version_number {
            request.headers.insert(X_VERSION_NUMBER, version_number.into());
        }
        let call = request.call();
        same(self.exchange(request).await?, id, &call)
    }

    /// Creates a record; answers it with its id.
    pub async fn create(&self, entity: &str, fields: &Record, skip_duplicate_check: bool) -> Result<Record, Error> {
        let path = [entity];
        let body = Value::Object(fields.clone());
        let mut request = Request::new(Method::POST, &path);
        request.body = Some(&body);
        if skip_duplicate_check {
            request.headers.insert(X_SKIP_DUPLICATE_CHECK, TRUE);
        }
        let call = request.call();
        record(self.exchange(request).await?, &call)
    }

    /// Reads one page. The condition travels in the address, so an `in` with hundreds of values must be cut up.
    pub async fn list(&self, entity: &str, search: &Search) -> Result<Page, Error> {
        let path = [entity];
        let query = [("searchParams", search.params().to_string())];
        let mut request = Request::new(Method::GET, &path);
        request.query = &query;
        if search.no_total {
            request.headers.insert(X_NO_TOTAL, TRUE);
        }
        let call = request.call();
        if !(1..=MAX_SIZE).contains(&search.max_size) {
            return Err(Error::Invalid { call, reason: format!("a page holds 1 to {MAX_SIZE} records") });
        }
        let mut answer = self.exchange(request).await?;
        // Indexing for writing panics on anything but an object, so the list is taken by name.
        let Some(Value::Array(items)) = answer.get_mut("list").map(Value::take) else {
            return Err(unreadable(&call, &format!("not a page but {}", http::shape(&answer))));
        };
        let list = items.into_iter().map(|item| record(item, &call)).collect::<Result<_, _>>()?;
        Ok(Page { total: answer["total"].as_u64(), list })
    }

    /// The id of the user we are, asked for once.
    pub async fn own_user(&self) -> Result<String, Error> {
        self.shared.own_user.get_or_try_init(|| self.ask_own_user()).await.cloned()
    }

    /// Signs in and asks who we are. An error for which [`Error::upstream_down`] is false still means that EspoCRM
    /// answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.ask_own_user().await.map(drop)
    }

    /// Writes a note on a record's stream; answers the note's id.
    pub async fn note_on_record(&self, parent_type: &str, parent_id: &str, post: &str) -> Result<String, Error> {
        let fields = [("type", "Post"), ("post", post), ("parentType", parent_type), ("parentId", parent_id)];
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let note = self.create("Note", &fields, false).await?;
        Ok(id_of(&note).unwrap_or_default().to_owned())
    }

    /// Writes a message to users, who are notified; answers the note's id. The API user's role needs the right to (Message
    /// Permission), otherwise EspoCRM refuses it ([`Error::NoAccess`]).
    pub async fn message_to_users(&self, users: &[String], post: &str) -> Result<String, Error> {
        let fields = [("type", "Post".into()), ("post", post.into()), ("targetType", "users".into())];
        let fields = fields.into_iter().chain([("usersIds", users.into())]);
        let fields = fields.map(|(name, value): (_, Value)| (name.to_owned(), value)).collect();
        let note = self.create("Note", &fields, false).await?;
        Ok(id_of(&note).unwrap_or_default().to_owned())
    }

    /// Where people see a record: the address of its page.
    #[must_use]
    pub fn page_of(&self, entity: &str, id: &str) -> String {
        let site = self.shared.base.strip_suffix("/api/v1").unwrap_or(&self.shared.base);
        format!("{site}/#{entity}/view/{id}")
    }

    /// Any other call, for `setup` and `doctor`: `path` behind `/api/v1/`, such as `Admin/fieldManager/CBeteiligte`.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let parts: Vec<&str> = path.split('/').collect();
        self.exchange(Request { body, ..Request::new(method, &parts) }).await
    }

    /// A part of the metadata, such as `entityDefs.CBeteiligte`. `None`: there is no such part, or the user may not see
    /// it; EspoCRM does not tell which, it answers 200 with nothing.
    pub async fn metadata(&self, key: &str) -> Result<Option<Value>, Error> {
        let query = [("key", key.to_owned())];
        let request = Request { query: &query, ..Request::new(Method::GET, &["Metadata"]) };
        let call = request.call();
        let body = self.send(request).await?;
        if body.trim_ascii().is_empty() {
            return Ok(None);
        }
        let part = http::json(&body).ok_or_else(|| unreadable(&call, &http::described(&body, &[])))?;
        Ok(Some(part).filter(|part| !part.is_null()))
    }

    /// Whom our user may send messages to: `all`, `team` or `no`, as its role says. `None`: EspoCRM does not tell.
    pub async fn message_permission(&self) -> Result<Option<String>, Error> {
        let answer = self.exchange(Request::new(Method::GET, &["App", "user"])).await?;
        Ok(answer["acl"]["messagePermission"].as_str().map(str::to_owned))
    }

    async fn ask_own_user(&self) -> Result<String, Error> {
        let request = Request::new(Method::GET, &["App", "user"]);
        let call = request.call();
        let answer = self.exchange(request).await?;
        match answer["user"]["id"].as_str().filter(|id| !id.is_empty()) {
            Some(id) => Ok(id.to_owned()),
            None => Err(unreadable(&call, &format!("{} without a user's id", http::shape(&answer)))),
        }
    }
}

fn id_of(record: &Record) -> Option<&str> {
    record.get("id").and_then(Value::as_str).filter(|id| !id.is_empty())
}

/// An object with an id.
fn record(value: Value, call: &Call) -> Result<Record, Error> {
    match value {
        Value::Object(record) if id_of(&record).is_some() => Ok(record),
        Value::Object(_) => Err(unreadable(call, "a record without id")),
        other => Err(unreadable(call, &format!("not a record but {}", http::shape(&other)))),
    }
}

/// The record that was asked for and no other.
fn same(value: Value, id: &str, call: &Call) -> Result<Record, Error> {
    let record = record(value, call)?;
    match id_of(&record) {
        Some(found) if found != id => {
            Err(unreadable(call, &format!("the record {} instead", http::snippet(found, &[]))))
        }
        _ => Ok(record),
    }
}
