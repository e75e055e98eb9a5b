//! Push notifications: channels, and what is sent to them (google-calendar.md, Push). A notification has headers and no
//! body; it says that something changed, never what.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::API;
use super::refuse;
use super::write::Author;
use crate::Fields;
use crate::effects::{Change, System};
use crate::faults::{Action, Phase};
use crate::server::Shared;
use crate::wire::{Answer, Ask};
use crate::world::World;

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A registered channel.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Channel {
    id: String,
    resource_id: String,
    calendar: String,
    address: String,
    #[serde(skip)]
    token: Option<String>,
    expires: DateTime<Utc>,
    /// Notifications so far.
    number: u64,
    /// The change that was told last; `None`: not even the first notification was sent.
    told: Option<u64>,
}

/// One notification that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The channel's id, as the watcher chose it.
    pub channel: String,
    /// The id of the calendar.
    pub calendar: String,
    /// `sync` for the first one, then `exists`.
    pub state: String,
    /// Counts up from 1 in each channel.
    pub number: u64,
    /// What the receiver answered; `None`: nothing.
    pub status: Option<u16>,
}

/// `POST calendars/{id}/events/watch`
pub(super) fn watch(world: &mut World, author: &Author, calendar: &str, body: &Fields) -> Result<Answer, Answer> {
    world.google.calendar(calendar)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (id, address) = (text("id"), text("address"));
    if id.is_empty() || id.len() > 64 || text("type") != "web_hook" {
        return Err(refuse::required("A channel has an id of at most 64 characters and the type web_hook."));
    }
    let https = address.starts_with("https://");
    if !https && (world.options.google.push_https || !address.starts_with("http://")) {
        return Err(refuse::error(400, "push.webhookUrlNotHttps", "WebHook callback must be HTTPS."));
    }
    if world.google.channels.iter().any(|channel| channel.id == id) {
        return Err(refuse::error(400, "channelIdNotUnique", "Channel id not unique"));
    }
    let now = world.clock.now();
    let longest = world.options.google.channel_lifetime_seconds;
    let wanted = body.get("params").and_then(|params| params.get("ttl"));
    let wanted = wanted.and_then(|ttl| ttl.as_i64().or_else(|| ttl.as_str()?.parse().ok())).unwrap_or(longest);
    let channel = Channel {
        id: id.to_owned(),
        resource_id: hex::encode(&Sha256::digest(calendar)[..16]),
        calendar: calendar.to_owned(),
        address: address.to_owned(),
        token: body.get("token").and_then(Value::as_str).map(str::to_owned),
        expires: now + TimeDelta::seconds(wanted.min(longest)),
        number: 0,
        told: None,
    };
    let shown = json!({
        "kind": "api#channel", "id": id, "resourceId": channel.resource_id, "resourceUri": uri(world, calendar),
        "token": channel.token, "expiration": channel.expires.timestamp_millis().to_string(),
    });
    world.google.channels.push(channel);
    let mut logged = body.clone();
    logged.shift_remove("token");
    author.note(world, Change::Create, "channels", id.to_owned(), logged, Fields::new());
    Ok(Answer::json(200, &shown))
}

/// `POST channels/stop`
pub(super) fn stop(world: &mut World, author: &Author, body: &Fields) -> Result<Answer, Answer> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let known = |channel: &Channel| channel.id == text("id") && channel.resource_id == text("resourceId");
    if !world.google.channels.iter().any(known) {
        return Err(refuse::not_found());
    }
    world.google.channels.retain(|channel| !known(channel));
    author.note(world, Change::Delete, "channels", text("id").to_owned(), body.clone(), Fields::new());
    Ok(Answer::empty(204))
}

fn uri(world: &World, calendar: &str) -> String {
    format!("{}{API}/calendars/{calendar}/events?alt=json", world.origin)
}

/// A notification that is due, with its request.
struct Due {
    address: String,
    headers: Vec<(&'static str, String)>,
    sent: Notification,
}

/// Sends what is due: the first notification of a new channel, then one for each calendar that changed.
pub(crate) async fn run(shared: &Arc<Shared>) -> Vec<Notification> {
    let waiting = due(&mut shared.world());
    let mut all = Vec::new();
    for Due { address, headers, mut sent } in waiting {
        sent.status = send(shared, &address, &headers).await;
        all.push(sent);
    }
    all
}

fn due(world: &mut World) -> Vec<Due> {
    let now = world.clock.now();
    world.google.channels.retain(|channel| channel.expires > now);
    let mut channels = std::mem::take(&mut world.google.channels);
    let mut all = Vec::new();
    for channel in &mut channels {
        let Ok(calendar) = world.google.calendar(&channel.calendar) else { continue };
        let states: &[&str] = match channel.told {
            None => &["sync"],
            Some(told) if told < calendar.changed => &["exists"],
            Some(_) => &[],
        };
        channel.told = Some(calendar.changed);
        for state in states {
            channel.number += 1;
            all.push(notification(world, channel, state));
        }
    }
    world.google.channels = channels;
    all
}

fn notification(world: &World, channel: &Channel, state: &str) -> Due {
    let mut headers = vec![
        ("X-Goog-Channel-ID", channel.id.clone()),
        ("X-Goog-Channel-Expiration", channel.expires.to_rfc2822()),
        ("X-Goog-Resource-ID", channel.resource_id.clone()),
        ("X-Goog-Resource-URI", uri(world, &channel.calendar)),
        ("X-Goog-Resource-State", state.to_owned()),
        ("X-Goog-Message-Number", channel.number.to_string()),
    ];
    headers.extend(channel.token.clone().map(|token| ("X-Goog-Channel-Token", token)));
    let sent = Notification {
        channel: channel.id.clone(),
        calendar: channel.calendar.clone(),
        state: state.to_owned(),
        number: channel.number,
        status: None,
    };
    Due { address: channel.address.clone(), headers, sent }
}

/// One request, with what the faults make of it.
async fn send(shared: &Arc<Shared>, address: &str, headers: &[(&'static str, String)]) -> Option<u16> {
    let ask = Ask {
        method: "POST".into(),
        path: url::Url::parse(address).map(|url| url.path().to_owned()).unwrap_or_default(),
        query: String::new(),
        headers: header::HeaderMap::new(),
        body: axum::body::Bytes::new(),
    };
    let (call, actions, holds) = {
        let mut world = shared.world();
        let now = world.clock.now();
        let call = world.log.arrived(now, System::GooglePush, &ask);
        let actions = world.faults.strike(System::GooglePush, &ask).unwrap_or_default();
        (call, actions, world.faults.holds(System::GooglePush, &ask))
    };
    for hold in holds.iter().filter(|hold| hold.phase == Phase::Before) {
        hold.wait().await;
    }
    let more = actions.iter().map(|action| if let Action::Duplicate { copies } = action { *copies } else { 0 });
    let copies = if actions.contains(&Action::Cut) { 0 } else { 1 + more.sum::<u32>() };
    let mut status = None;
    for _ in 0..copies {
        let mut request = shared.sender.request(address).timeout(TIMEOUT).header(header::CONTENT_LENGTH, "0");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        status = request.send().await.ok().map(|answer| answer.status().as_u16());
    }
    for hold in holds.iter().filter(|hold| hold.phase == Phase::After) {
        hold.wait().await;
    }
    shared.world().log.answered(call, status, !actions.is_empty());
    status
}
