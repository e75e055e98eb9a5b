//! Limits of requests, calendars and ACLs.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{Google, hour};

#[tokio::test]
async fn units_a_minute_are_counted_and_a_patch_costs_three() {
    let google = Google::new().await;
    google.insert(hour("aaaaa")).await;
    let patch = async || google.write_at(Method::PATCH, "aaaaa", "*", Some(json!({}))).await;
    google.sandbox.advance(Duration::from_secs(61));
    google.sandbox.configure(|options| options.google.units_per_minute = Some(7));
    assert_eq!((patch().await.status, patch().await.status), (200, 200));
    assert_eq!(patch().await.error(), (403, "userRateLimitExceeded"));
    assert_eq!(google.get("aaaaa").await.status, 200, "one unit was left");
    google.sandbox.configure(|options| {
        options.google.limit_status = 429;
        options.google.retry_after_seconds = Some(7);
    });
    let limited = google.get("aaaaa").await;
    assert_eq!((limited.error(), limited.retry_after.as_deref()), ((429, "rateLimitExceeded"), Some("7")));
    google.sandbox.advance(Duration::from_secs(61));
    assert_eq!(google.get("aaaaa").await.status, 200);
}

#[tokio::test]
async fn requests_can_be_too_close_together() {
    let google = Google::new().await;
    google.sandbox.configure(|options| options.google.min_interval_ms = Some(60_000));
    let read = async || google.list("").await.status;
    google.sandbox.advance(Duration::from_mins(1));
    assert_eq!((read().await, read().await), (200, 403));
    google.sandbox.advance(Duration::from_mins(1));
    assert_eq!(read().await, 200);
}

#[tokio::test]
async fn too_many_calendars_make_the_account_read_only() {
    let google = Google::new().await;
    google.sandbox.configure(|options| options.google.calendar_budget = Some(2));
    let make = async || google.call(Method::POST, "calendars", None, Some(json!({"summary": "AW"}))).await;
    assert_eq!(make().await.status, 200);
    assert_eq!(make().await.error(), (403, "quotaExceeded"));
    assert_eq!(google.insert(hour("aaaaa")).await.error(), (403, "quotaExceeded"));
    assert_eq!(google.list("").await.status, 200);
}

#[tokio::test]
async fn repeated_sharing_is_refused_in_the_end() {
    let google = Google::new().await;
    google.sandbox.configure(|options| options.google.acl_budget = Some(1));
    let path = format!("calendars/{}/acl?sendNotifications=false", google.calendar);
    let rule = json!({"role": "owner", "scope": {"type": "user", "value": "kanzlei@example.com"}});
    let share = async || google.call(Method::POST, &path, None, Some(rule.clone())).await;
    assert_eq!(share().await.status, 200);
    assert_eq!(share().await.error(), (403, "quotaExceeded"));
    assert_eq!(google.insert(hour("aaaaa")).await.status, 200);
}
