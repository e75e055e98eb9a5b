//! Series: instances, exceptions, and what a new rule makes of them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Google, day, weekly};

const SECOND: &str = "aaaaa_20260312T130000Z";

async fn instances(google: &Google, query: &str) -> super::Got {
    google.call(Method::GET, &google.events(&format!("/aaaaa/instances?{query}")), None, None).await
}

#[tokio::test]
async fn instances_have_ids_of_their_original_start() {
    let google = Google::new().await;
    google.insert(weekly("aaaaa")).await;
    let mut days = day("bbbbb");
    days["recurrence"] = json!(["RRULE:FREQ=DAILY;COUNT=2"]);
    google.insert(days).await;
    assert_eq!(
        instances(&google, "").await.ids(),
        // The hour on the wall stays: 2 April is in summer time.
        ["aaaaa_20260305T130000Z", SECOND, "aaaaa_20260319T130000Z", "aaaaa_20260326T130000Z"]
    );
    assert_eq!(instances(&google, "timeMin=2026-03-12T14:00:00Z").await.ids().len(), 2);
    let window = "timeMin=2026-03-12T00:00:00Z&timeMax=2026-03-12T13:30:00Z";
    assert_eq!(instances(&google, window).await.ids(), [SECOND]);
    let first = instances(&google, "maxResults=3").await;
    let next = instances(&google, &format!("maxResults=3&pageToken={}", first.text("nextPageToken"))).await;
    assert_eq!((first.ids().len(), next.ids().len()), (3, 1));

    let one = google.get(SECOND).await;
    let start = json!({"dateTime": "2026-03-12T14:00:00+01:00", "timeZone": "Europe/Berlin"});
    assert_eq!((&one.body["start"], &one.body["originalStartTime"]), (&start, &start));
    assert_eq!((one.text("recurringEventId"), one.body.get("recurrence")), ("aaaaa".into(), None));
    assert_ne!(one.text("etag"), google.get("aaaaa").await.text("etag"));
    let whole_day = google.get("bbbbb_20260306").await;
    assert_eq!(whole_day.body["end"], json!({"date": "2026-03-07"}));
    for id in ["aaaaa_20260313T130000Z", "aaaaa_20260312T120000Z", "aaaaa_20260312", "bbbbb_20260307", "ccccc_20260306"]
    {
        assert_eq!(google.get(id).await.error(), (404, "notFound"), "{id}");
    }
    assert_eq!(google.list("").await.ids(), ["aaaaa", "bbbbb"], "instances that nobody changed are in no list");
}

#[tokio::test]
async fn an_instance_is_changed_and_cancelled_on_its_own() {
    let google = Google::new().await;
    let master = google.insert(weekly("aaaaa")).await;
    let etag = google.get(SECOND).await.text("etag");
    assert_eq!(google.write_at(Method::PATCH, SECOND, "\"1\"", Some(json!({}))).await.status, 412);
    let moved = json!({"start": {"dateTime": "2026-03-13T09:00:00"}, "end": {"dateTime": "2026-03-13T10:00:00"},
        "recurrence": ["RRULE:FREQ=DAILY"]});
    let exception = google.write_at(Method::PATCH, SECOND, &etag, Some(moved)).await;
    assert_eq!((exception.status, exception.text("id")), (200, SECOND.into()));
    assert_eq!(exception.body["start"]["dateTime"], json!("2026-03-13T09:00:00+01:00"));
    assert_eq!(exception.body["originalStartTime"]["dateTime"], json!("2026-03-12T14:00:00+01:00"));
    assert_eq!(exception.body.get("recurrence"), None, "an exception has no rule of its own");
    assert_eq!(google.get("aaaaa").await.text("etag"), master.text("etag"));
    assert_eq!(google.list("").await.ids(), ["aaaaa", SECOND]);

    let third = "aaaaa_20260319T130000Z";
    assert_eq!(google.write(Method::DELETE, third, None).await.status, 204);
    assert_eq!(google.write_at(Method::DELETE, third, "*", None).await.error(), (410, "deleted"));
    assert_eq!(google.write_at(Method::PATCH, third, "*", Some(json!({}))).await.error(), (403, "forbidden"));
    assert_eq!(instances(&google, "").await.ids().len(), 3);
    assert_eq!(instances(&google, "showDeleted=true").await.ids().len(), 4);
    let fourth = "aaaaa_20260326T130000Z";
    let cancelled = google.write(Method::PATCH, fourth, Some(json!({"status": "cancelled"}))).await;
    assert_eq!((cancelled.status, cancelled.text("status")), (200, "cancelled".into()));
    assert_eq!(google.list("").await.body["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_new_start_or_rule_drops_exceptions_that_fit_no_more() {
    let google = Google::new().await;
    google.insert(weekly("aaaaa")).await;
    let title = json!({"summary": "anders"});
    for id in [SECOND, "aaaaa_20260326T130000Z"] {
        google.write(Method::PATCH, id, Some(title.clone())).await;
    }
    let token = google.sync_token().await;
    google.write(Method::PATCH, "aaaaa", Some(json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]}))).await;
    let delta = google.list(&format!("syncToken={token}")).await;
    assert_eq!(delta.ids(), ["aaaaa", "aaaaa_20260326T130000Z"]);
    assert_eq!(delta.body["items"][1]["status"], json!("cancelled"));
    assert_eq!(google.list("").await.ids(), ["aaaaa", SECOND]);
    assert_eq!(google.get("aaaaa_20260326T130000Z").await.status, 404);

    google.write(Method::PATCH, "aaaaa", Some(json!({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]}))).await;
    assert_eq!(google.get("aaaaa_20260326T130000Z").await.text("summary"), "Besprechung", "an instance like any other");

    let later = json!({"start": {"dateTime": "2026-03-05T16:00:00"}, "end": {"dateTime": "2026-03-05T17:00:00"}});
    google.write(Method::PATCH, "aaaaa", Some(later)).await;
    assert_eq!(google.list("").await.ids(), ["aaaaa"]);
    assert_eq!(google.get("aaaaa_20260312T150000Z").await.status, 200);
    let single = google.write(Method::PATCH, "aaaaa", Some(json!({"recurrence": null}))).await;
    assert_eq!(single.body.get("recurrence"), None);
    assert_eq!(instances(&google, "").await.status, 400);
}

#[tokio::test]
async fn a_deleted_series_takes_its_exceptions_with_it() {
    let google = Google::new().await;
    google.insert(weekly("aaaaa")).await;
    google.write(Method::PATCH, SECOND, Some(json!({"summary": "anders"}))).await;
    let token = google.sync_token().await;
    google.write(Method::DELETE, "aaaaa", None).await;
    let delta = google.list(&format!("syncToken={token}")).await;
    assert_eq!(delta.ids(), ["aaaaa", SECOND]);
    assert!(delta.body["items"].as_array().unwrap().iter().all(|item| item["status"] == "cancelled"));
    assert_eq!(google.list("").await.body["items"], json!([]));
    assert_eq!(google.get(SECOND).await.status, 404);
    assert_eq!(instances(&google, "").await.status, 404);
}

#[tokio::test]
async fn a_series_without_an_end_has_some_hundred_instances() {
    let google = Google::new().await;
    let mut series = weekly("aaaaa");
    series["recurrence"] = json!(["RRULE:FREQ=DAILY", "EXDATE;TZID=Europe/Berlin:20260306T140000"]);
    google.insert(series).await;
    let all = instances(&google, "maxResults=2500").await;
    assert_eq!(all.ids().len(), 730);
    assert_eq!(all.ids()[1], "aaaaa_20260307T130000Z");
    let items: &Vec<Value> = all.body["items"].as_array().unwrap();
    assert_eq!(items[24]["start"]["dateTime"], json!("2026-03-30T14:00:00+02:00"));
}
