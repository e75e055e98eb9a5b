//! A sandbox with callers that are signed in, and a receiver of webhooks.

use std::sync::{Arc, Mutex};

use advosync_sandbox::{Options, Sandbox, advoware_signature};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: Client,
}

/// Status, reason header and body of an answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) text: String,
}

impl Got {
    async fn of(response: Response) -> Self {
        let reason =
            response.headers().get("X-Status-Reason").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        Self { status: response.status().as_u16(), reason, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let http = Client::builder().no_proxy().build().unwrap();
        Self { sandbox: Sandbox::start(options).await.unwrap(), http }
    }

    pub(crate) fn token_request(&self) -> Value {
        let options = self.sandbox.options().advoware;
        let (nonce, timestamp) = ("8d7c5a0e-0000-4000-8000-000000000001", "2026-08-30T00:00:00.000Z");
        let signature =
            advoware_signature(options.product, &options.app_id, nonce, timestamp, &options.api_key).unwrap();
        json!({
            "AppID": options.app_id, "Kanzlei": options.kanzlei, "Database": options.database, "User": options.user,
            "Role": options.role, "Product": options.product, "Password": options.password, "Nonce": nonce,
            "HMAC512Signature": signature, "RequestTimeStamp": timestamp,
        })
    }

    pub(crate) async fn sign_in(&self, request: &Value) -> Got {
        Got::of(self.http.post(self.sandbox.advoware_auth_url()).json(request).send().await.unwrap()).await
    }

    pub(crate) async fn token(&self) -> String {
        let answer = self.sign_in(&self.token_request()).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// A call to Advoware, `Beteiligte/5`, with a token.
    pub(crate) async fn advoware(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Got {
        Got::of(self.try_advoware(token, method, path, body).await.unwrap()).await
    }

    pub(crate) async fn try_advoware(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<Response> {
        let url = format!("{}api/v1/advonet/{path}", self.sandbox.advoware_base_url());
        let request = self.http.request(method, url).bearer_auth(token);
        match body {
            Some(body) => request.json(&body).send().await,
            None => request.send().await,
        }
    }

    /// A call to `EspoCRM` as the API user.
    pub(crate) async fn espocrm(&self, method: Method, path: &str, body: Option<Value>) -> Got {
        let key = self.sandbox.options().espocrm.api_key;
        self.espocrm_with(method, path, body, &[("X-Api-Key", &key)]).await
    }

    pub(crate) async fn espocrm_with(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Got {
        let mut request = self.http.request(method, format!("{}/{path}", self.sandbox.espocrm_base_url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Got::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Got {
        let mut request = self.http.request(method, format!("{}/sandbox/{path}", self.sandbox.origin()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        Got::of(request.send().await.unwrap()).await
    }
}

pub(crate) type Heard = (String, HeaderMap, Bytes);

/// A product that answers every webhook with a chosen status and remembers what it heard.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    status: Arc<Mutex<u16>>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Self { url, status: Arc::new(Mutex::new(200)), heard: Arc::default() };
        let app = Router::new().fallback(hear).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        receiver
    }

    pub(crate) fn answer(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn hear(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.heard.lock().unwrap().push((uri.path().to_owned(), headers, body));
    StatusCode::from_u16(*receiver.status.lock().unwrap()).unwrap()
}

/// A person who is complete.
pub(crate) fn max() -> Value {
    json!({"firstName": "Max", "lastName": "Müller"})
}
