//! The employee at Google's own pages, by calls and over HTTP.

use advosync_sandbox::Change;
use chrono::{DateTime, NaiveDate, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Google, day, hour, weekly};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn on(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
}

#[tokio::test]
async fn the_employee_works_on_events_and_single_instances() {
    let google = Google::new().await;
    let people = google.sandbox.people();
    people.google_create("AW-SB", &hour("aaaaa")).unwrap();
    let series = people.google_create("AW-SB", &weekly("bbbbb")).unwrap();
    let own = people.google_create("AW-SB", &json!({"start": {"date": "2026-03-20"}, "end": {"date": "2026-03-21"}}));
    assert_eq!(own.unwrap().len(), 32, "an id of Google's own");
    let moved = json!({"start": {"dateTime": "2026-03-13T09:00:00"}, "end": {"dateTime": "2026-03-13T10:00:00"}});
    people.google_edit_instance("AW-SB", &series, on(12), &moved).unwrap();
    people.google_cancel_instance("AW-SB", &series, on(19)).unwrap();
    assert_eq!(people.google_cancel_instance("AW-SB", &series, on(20)).unwrap_err().status, 404);
    let starts = |from: &str, to: &str| -> Vec<String> {
        let seen = people.google_instances("AW-SB", at(from), at(to));
        let text = |event: &advosync_sandbox::Fields| {
            event["start"].as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
        };
        seen.iter().map(text).collect()
    };
    assert_eq!(
        starts("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        [
            "2026-03-05T14:00:00+01:00",
            "2026-03-05T14:00:00+01:00",
            "2026-03-13T09:00:00+01:00",
            "2026-03-20",
            "2026-03-26T14:00:00+01:00"
        ]
    );
    assert_eq!(starts("2026-03-13T00:00:00Z", "2026-03-14T00:00:00Z"), ["2026-03-13T09:00:00+01:00"]);
    assert_eq!(people.google_events("AW-SB").len(), 4, "two single events, the series, the exception");

    people.google_change_rule("AW-SB", &series, &["RRULE:FREQ=WEEKLY;COUNT=1"]).unwrap();
    assert_eq!(people.google_events("AW-SB").len(), 3);
    people.google_delete("AW-SB", "aaaaa").unwrap();
    assert_eq!(people.google_delete("AW-SB", "aaaaa").unwrap_err().status, 410);
    assert_eq!(people.google_create("AW-XX", &hour("aaaaa")).unwrap_err().status, 404);
    assert_eq!(people.google_create("AW-SB", &json!({})).unwrap_err().reason, "Missing start time.");

    let effects = google.sandbox.effects_since(1);
    assert!(effects.iter().all(|effect| effect.by == "employee"));
    assert_eq!(effects.iter().filter(|effect| effect.change == Change::Create).count(), 3);
    people.google_delete_calendar("AW-SB").unwrap();
    assert!(people.google_calendars().is_empty());
}

#[tokio::test]
async fn what_other_programs_left_is_arranged_without_a_trace() {
    let google = Google::new().await;
    let token = google.sync_token().await;
    let people = google.sandbox.people();
    let effects = google.sandbox.effects().len();
    let odd = json!({"start": {"dateTime": "2026-03-05T14:00:00", "timeZone": "W. Europe Standard Time"},
        "end": {"dateTime": "2026-03-05T15:00:00", "timeZone": "W. Europe Standard Time"}});
    people.google_arrange("AW-SB", "odd", &odd).unwrap();
    assert_eq!(google.list(&format!("syncToken={token}")).await.body["items"][0]["start"], odd["start"]);
    people.google_create("AW-SB", &day("aaaaa")).unwrap();
    people.google_arrange("AW-SB", "aaaaa", &json!({"summary": null, "visibility": "private"})).unwrap();
    let event = people.google_get("AW-SB", "aaaaa").unwrap();
    assert_eq!((event.get("summary"), &event["visibility"]), (None, &json!("private")));
    assert_eq!(google.sandbox.effects().len(), effects + 1);
    assert_eq!(google.list("timeMin=2026-03-05T00:00:00Z").await.status, 200, "odd events stop no list");
}

#[tokio::test]
async fn all_of_it_over_http() {
    let google = Google::new().await;
    let call = async |method: Method, path: &str, body: Value| -> (u16, Value) {
        let url = format!("{}/sandbox/{path}", google.sandbox.origin());
        let answer = google.http.request(method, url).json(&body).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    };
    assert_eq!(call(Method::POST, "google", json!({"summary": "AW-XY"})).await.0, 201);
    assert_eq!(call(Method::GET, "google", json!({})).await.1.as_array().unwrap().len(), 2);
    assert_eq!(call(Method::DELETE, "google/AW-XY", json!({})).await.0, 204);
    assert_eq!(call(Method::POST, "google/AW-SB/events", weekly("aaaaa")).await, (201, json!({"id": "aaaaa"})));
    assert_eq!(call(Method::POST, "google/AW-SB/events", weekly("aaaaa")).await.0, 409);
    let changed = call(Method::PUT, "google/AW-SB/events/aaaaa", json!({"summary": "neu"})).await.1;
    assert_eq!(changed["summary"], json!("neu"));
    let edited = call(Method::PUT, "google/AW-SB/events/aaaaa/2026-03-12", json!({"summary": "anders"})).await.1;
    assert_eq!(edited["id"], json!("aaaaa_20260312T130000Z"));
    assert_eq!(call(Method::DELETE, "google/AW-SB/events/aaaaa/2026-03-19", json!({})).await.0, 204);
    assert_eq!(call(Method::GET, "google/AW-SB/events", json!({})).await.1.as_array().unwrap().len(), 2);
    let span = "google/AW-SB/instances?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z";
    assert_eq!(call(Method::GET, span, json!({})).await.1.as_array().unwrap().len(), 3);
    let state = call(Method::GET, "state", json!({})).await.1;
    assert_eq!(state["google"]["calendars"][0]["events"][0]["summary"], json!("neu"));
    assert_eq!(call(Method::GET, "google/AW-SB/acl", json!({})).await.1[0]["role"], json!("owner"));
    assert_eq!(call(Method::DELETE, "google/AW-SB/events/aaaaa", json!({})).await.0, 204);
    assert_eq!(call(Method::GET, "google/AW-SB/events/aaaaa", json!({})).await.1["status"], json!("cancelled"));
    assert_eq!(call(Method::GET, "google/AW-SB/events/bbbbb", json!({})).await.0, 404);

    let token = google.sync_token().await;
    assert_eq!(call(Method::POST, "expire-sync-tokens", json!({})).await.0, 204);
    assert_eq!(google.list(&format!("syncToken={token}")).await.status, 410);
    assert_eq!(call(Method::POST, "push", json!({})).await, (200, json!([])));
    assert_eq!(call(Method::POST, "options", json!({"google": {"page_size": 1}})).await.0, 204);
    assert_eq!(google.sandbox.options().google.page_size, 1);
}
