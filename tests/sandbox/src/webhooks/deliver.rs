//! A run of `EspoCRM`'s sending job.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

use super::queue::{Batch, Hook, Verdict, verdict};
use super::{payload, sign};
use crate::effects::System;
use crate::faults::{Action, Phase};
use crate::server::Shared;
use crate::wire::Ask;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// 2xx or 3xx.
    Success,
    /// It will be sent again, or was given up after the last attempt.
    Failed,
    /// Given up at once.
    GivenUp,
    /// 410: the webhook is gone.
    HookRemoved,
}

/// One request to the product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The webhook's id.
    pub hook_id: String,
    /// Its event.
    pub event: String,
    /// Where it went.
    pub url: String,
    /// The exact body.
    pub body: String,
    /// The signature headers, none for a webhook without a secret.
    pub signatures: Vec<(String, String)>,
    /// The answer's status; `None`: no answer.
    pub status: Option<u16>,
    /// The answer's body, or why there was none.
    pub answer: String,
    /// What `EspoCRM` makes of it.
    pub outcome: Outcome,
}

impl Delivery {
    /// The items of the body.
    #[must_use]
    pub fn items(&self) -> Vec<Value> {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The requests in the order in which they were sent.
    pub deliveries: Vec<Delivery>,
}

/// The sender: one run at a time, no redirects, no cookies, no user agent.
pub(crate) struct Sender {
    client: Client,
    running: Mutex<()>,
}

impl Sender {
    pub(crate) fn new() -> reqwest::Result<Self> {
        let client = Client::builder().redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { client, running: Mutex::new(()) })
    }

    /// A request without a redirect, for other senders.
    pub(crate) fn request(&self, url: &str) -> RequestBuilder {
        self.client.post(url)
    }

    /// Sends what is due: one run.
    pub(crate) async fn run(&self, shared: &Arc<Shared>) -> Run {
        let _one_at_a_time = self.running.lock().await;
        let (options, batches) = {
            let mut world = shared.world();
            let now = world.clock.now();
            let world = &mut *world;
            let options = world.options.webhooks.clone();
            let batches = world.hooks.batches(&options, now, &mut || world.faults.random());
            (options, batches)
        };
        let mut run = Run::default();
        for batch in batches {
            let items = batch.items.iter().map(|item| item.data.clone()).collect();
            let sent = self.send(shared, &batch.hook, payload::spelled(items), options.timeout_ms).await;
            let settled = sent.first().and_then(|delivery| delivery.status);
            settle(shared, &batch, settled);
            run.deliveries.extend(sent);
        }
        run
    }

    /// Runs until nothing is due. With no wait between attempts a failing receiver is due at once; its attempts are
    /// counted, so this ends.
    pub(crate) async fn run_all(&self, shared: &Arc<Shared>) -> Run {
        let mut all = Run::default();
        loop {
            let due = {
                let world = shared.world();
                world.hooks.due(world.clock.now())
            };
            if due == 0 {
                return all;
            }
            all.deliveries.extend(self.run(shared).await.deliveries);
        }
    }

    /// Sends one body, with what the faults make of it: more than one delivery where it is duplicated. The first one's
    /// status decides about the items.
    pub(crate) async fn send(&self, shared: &Arc<Shared>, hook: &Hook, body: String, timeout_ms: u64) -> Vec<Delivery> {
        let ask = Ask {
            method: "POST".into(),
            path: url::Url::parse(&hook.url).map(|url| url.path().to_owned()).unwrap_or_default(),
            query: String::new(),
            headers: header::HeaderMap::new(),
            body: body.clone().into(),
        };
        let (call, actions, holds) = {
            let mut world = shared.world();
            let now = world.clock.now();
            let call = world.log.arrived(now, System::Webhooks, &ask);
            let actions = world.faults.strike(System::Webhooks, &ask).unwrap_or_default();
            (call, actions, world.faults.holds(System::Webhooks, &ask))
        };
        for hold in holds.iter().filter(|hold| hold.phase == Phase::Before) {
            hold.wait().await;
        }
        let mut copies = 1;
        let mut unsent = false;
        let mut lost = false;
        let mut forced = None;
        for action in &actions {
            match action {
                Action::Duplicate { copies: more } => copies += more,
                Action::DelayBefore { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
                Action::Cut => unsent = true,
                Action::LoseAnswer => lost = true,
                Action::AnswerAfter { status, .. } => forced = Some(*status),
                _ => {}
            }
        }
        let mut deliveries = Vec::new();
        for _ in 0..copies {
            let (mut status, answer) =
                if unsent { (None, "cut by a fault".into()) } else { self.post(hook, &body, timeout_ms).await };
            if lost {
                status = None;
            }
            deliveries.push(delivery(hook, &body, forced.or(status), answer));
        }
        for hold in holds.iter().filter(|hold| hold.phase == Phase::After) {
            hold.wait().await;
        }
        let status = deliveries.first().and_then(|delivery| delivery.status);
        shared.world().log.answered(call, status, !actions.is_empty());
        deliveries
    }

    async fn post(&self, hook: &Hook, body: &str, timeout_ms: u64) -> (Option<u16>, String) {
        let mut request = self
            .client
            .post(&hook.url)
            .timeout(Duration::from_millis(timeout_ms))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_owned());
        for (name, value) in signatures(hook, body) {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(answer) => (Some(answer.status().as_u16()), answer.text().await.unwrap_or_default()),
            Err(fault) => (None, fault.without_url().to_string()),
        }
    }
}

fn settle(shared: &Arc<Shared>, batch: &Batch, status: Option<u16>) {
    let mut world = shared.world();
    let now = world.clock.now();
    let options = world.options.webhooks.clone();
    world.hooks.settle(batch, verdict(status), &options, now);
}

fn signatures(hook: &Hook, body: &str) -> Vec<(String, String)> {
    let Some(secret) = &hook.secret else { return Vec::new() };
    sign::headers(&hook.id, secret, body.as_bytes()).map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn delivery(hook: &Hook, body: &str, status: Option<u16>, answer: String) -> Delivery {
    let outcome = match verdict(status) {
        Verdict::Success => Outcome::Success,
        Verdict::Again => Outcome::Failed,
        Verdict::GiveUp => Outcome::GivenUp,
        Verdict::Remove => Outcome::HookRemoved,
    };
    let (hook_id, event, url) = (hook.id.clone(), hook.event.clone(), hook.url.clone());
    Delivery { hook_id, event, url, body: body.to_owned(), signatures: signatures(hook, body), status, answer, outcome }
}
