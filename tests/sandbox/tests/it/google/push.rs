//! Channels and their notifications.

use std::time::Duration;

use advosync_sandbox::{Action, Fault, System};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Google, hour};
use crate::world::Receiver;

async fn watch(google: &Google, body: Value) -> super::Got {
    google.call(Method::POST, &google.events("/watch"), None, Some(body)).await
}

fn channel(receiver: &Receiver) -> Value {
    json!({"id": "channel-1", "type": "web_hook", "address": receiver.url, "token": "geheim"})
}

#[tokio::test]
async fn a_channel_hears_that_its_calendar_changed() {
    let google = Google::new().await;
    let receiver = Receiver::start().await;
    let made = watch(&google, channel(&receiver)).await;
    let expires: i64 = made.text("expiration").parse().unwrap();
    let days = (expires - chrono::Utc::now().timestamp_millis()) / 3_600_000;
    assert!((24 * 7 - 1..=24 * 7).contains(&days), "{days}");

    let states = async || -> Vec<(String, u64, Option<u16>)> {
        let sent = google.sandbox.push_google().await;
        sent.into_iter().map(|sent| (sent.state, sent.number, sent.status)).collect()
    };
    assert_eq!(states().await, [("sync".to_owned(), 1, Some(200))]);
    assert!(states().await.is_empty(), "nothing changed");
    google.insert(hour("aaaaa")).await;
    google.sandbox.people().google_update("AW-SB", "aaaaa", &json!({"summary": "neu"})).unwrap();
    assert_eq!(states().await, [("exists".to_owned(), 2, Some(200))], "two changes, one notification");

    let heard = receiver.heard();
    let (_, headers, body) = &heard[1];
    assert!(body.is_empty());
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!((header("X-Goog-Channel-ID"), header("X-Goog-Channel-Token")), ("channel-1".into(), "geheim".into()));
    assert_eq!((header("X-Goog-Resource-State"), header("X-Goog-Message-Number")), ("exists".into(), "2".into()));
    assert_eq!(header("X-Goog-Resource-ID"), made.text("resourceId"));
    assert_eq!(google.sandbox.count(System::GooglePush).calls, 2);
    let effects = google.sandbox.effects();
    let logged = effects.iter().find(|effect| effect.entity == "channels").unwrap();
    assert!(!logged.body.contains_key("token"));
}

#[tokio::test]
async fn a_channel_ends_by_stop_by_time_and_never_by_itself() {
    let google = Google::new().await;
    let receiver = Receiver::start().await;
    receiver.answer(500);
    let made = watch(&google, channel(&receiver)).await;
    assert_eq!(watch(&google, channel(&receiver)).await.error(), (400, "channelIdNotUnique"));
    assert_eq!(google.sandbox.push_google().await[0].status, Some(500));
    let stop = async |resource: &str| {
        let body = json!({"id": "channel-1", "resourceId": resource});
        google.call(Method::POST, "channels/stop", None, Some(body)).await.status
    };
    assert_eq!(stop("another").await, 404);
    assert_eq!(stop(&made.text("resourceId")).await, 204);
    assert_eq!(stop(&made.text("resourceId")).await, 404);
    google.insert(hour("aaaaa")).await;
    assert!(google.sandbox.push_google().await.is_empty());

    let mut short = channel(&receiver);
    short["params"] = json!({"ttl": "60"});
    watch(&google, short).await;
    google.sandbox.advance(Duration::from_secs(61));
    assert!(google.sandbox.push_google().await.is_empty());
}

#[tokio::test]
async fn notifications_are_lost_and_doubled_and_an_address_is_checked() {
    let google = Google::new().await;
    let receiver = Receiver::start().await;
    google.sandbox.configure(|options| options.google.push_https = true);
    assert_eq!(watch(&google, channel(&receiver)).await.error(), (400, "push.webhookUrlNotHttps"));
    google.sandbox.configure(|options| options.google.push_https = false);
    watch(&google, channel(&receiver)).await;
    google.sandbox.fault(Fault::on(System::GooglePush).once().cut());
    google.sandbox.fault(Fault::on(System::GooglePush).once().then(Action::Duplicate { copies: 1 }));
    assert_eq!(google.sandbox.push_google().await[0].status, None);
    assert!(receiver.heard().is_empty());
    google.insert(hour("aaaaa")).await;
    google.sandbox.push_google().await;
    assert_eq!(receiver.heard().len(), 2);
}
