//! google-calendar.md: sign-in, calendars, events, lists, series, limits and push.

mod events;
mod limits;
mod lists;
mod normal;
mod people;
mod push;
mod series;
mod sign_in;

use advosync_sandbox::{Options, Sandbox};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// A client that is signed in, and one calendar `AW-SB`.
pub(crate) struct Google {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: Client,
    token: String,
    pub(crate) calendar: String,
}

/// Status, body and Retry-After of an answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<String>,
}

impl Got {
    /// Status and reason of an error.
    pub(crate) fn error(&self) -> (u16, &str) {
        (self.status, self.body["error"]["errors"][0]["reason"].as_str().unwrap_or_default())
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:?}")).to_owned()
    }

    /// The ids of a list.
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
    }
}

impl Google {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let http = Client::builder().no_proxy().build().unwrap();
        let sandbox = Sandbox::start(options).await.unwrap();
        let calendar = sandbox.people().google_create_calendar("AW-SB").unwrap();
        let mut google = Self { sandbox, http, token: String::new(), calendar };
        google.renew().await;
        google
    }

    /// Signs in again.
    pub(crate) async fn renew(&mut self) {
        let (status, answer) = self.sign_in(&self.assertion(&json!({}))).await;
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().clone_into(&mut self.token);
    }

    /// An assertion as a client makes it from the key file, with some claims replaced.
    pub(crate) fn assertion(&self, replaced: &Value) -> String {
        let account: Value = serde_json::from_str(&self.sandbox.service_account_json()).unwrap();
        let now = chrono::Utc::now().timestamp();
        let mut claims = json!({
            "iss": account["client_email"], "aud": account["token_uri"], "iat": now, "exp": now + 3600,
            "scope": "https://www.googleapis.com/auth/calendar",
        });
        for (name, value) in replaced.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims));
        let pem = account["private_key"].as_str().unwrap();
        let der: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let key = RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(der).unwrap()).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    pub(crate) async fn sign_in(&self, assertion: &str) -> (u16, Value) {
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", grant)
            .append_pair("assertion", assertion)
            .finish();
        let request = self.http.post(self.sandbox.google_token_url());
        let answer =
            request.header("Content-Type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// A call below the API's base.
    pub(crate) async fn call(&self, method: Method, path: &str, etag: Option<&str>, body: Option<Value>) -> Got {
        self.try_call(method, path, etag, body).await.unwrap()
    }

    pub(crate) async fn try_call(
        &self,
        method: Method,
        path: &str,
        etag: Option<&str>,
        body: Option<Value>,
    ) -> reqwest::Result<Got> {
        let url = format!("{}/{path}", self.sandbox.google_base_url());
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(etag) = etag {
            request = request.header("If-Match", etag);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("Retry-After").map(|value| value.to_str().unwrap().to_owned());
        let text = answer.text().await?;
        Ok(Got { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), retry_after })
    }

    /// The path of an event, or with a query of the list: `events("?maxResults=2")`, `events("/abcde")`.
    pub(crate) fn events(&self, rest: &str) -> String {
        format!("calendars/{}/events{rest}", self.calendar.replace('@', "%40"))
    }

    pub(crate) async fn list(&self, query: &str) -> Got {
        self.call(Method::GET, &self.events(&format!("?{query}")), None, None).await
    }

    pub(crate) async fn get(&self, id: &str) -> Got {
        self.call(Method::GET, &self.events(&format!("/{id}")), None, None).await
    }

    pub(crate) async fn insert(&self, event: Value) -> Got {
        self.call(Method::POST, &self.events(""), None, Some(event)).await
    }

    /// A write of an event with the etag that it has now.
    pub(crate) async fn write(&self, method: Method, id: &str, body: Option<Value>) -> Got {
        let etag = self.get(id).await.text("etag");
        self.write_at(method, id, &etag, body).await
    }

    pub(crate) async fn write_at(&self, method: Method, id: &str, etag: &str, body: Option<Value>) -> Got {
        self.call(method, &self.events(&format!("/{id}")), Some(etag), body).await
    }

    /// Reads everything and answers the sync token.
    pub(crate) async fn sync_token(&self) -> String {
        self.list("").await.text("nextSyncToken")
    }
}

/// An hour on 5 March 2026 in Berlin.
pub(crate) fn hour(id: &str) -> Value {
    json!({
        "id": id, "summary": "Besprechung",
        "start": {"dateTime": "2026-03-05T14:00:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-03-05T15:00:00", "timeZone": "Europe/Berlin"},
    })
}

/// The same every week, four times.
pub(crate) fn weekly(id: &str) -> Value {
    let mut event = hour(id);
    event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=4"]);
    event
}

/// A whole day.
pub(crate) fn day(id: &str) -> Value {
    json!({"id": id, "summary": "Urlaub", "start": {"date": "2026-03-05"}, "end": {"date": "2026-03-06"}})
}
