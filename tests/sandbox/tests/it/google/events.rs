//! One event: ids, conditions, PUT and PATCH, what is refused, deletion.

use advosync_sandbox::{Change, Fault, Match, Phase, System};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Google, day, hour, weekly};

#[tokio::test]
async fn an_event_is_made_read_changed_and_deleted() {
    let google = Google::new().await;
    let made = google.insert(hour("abcde")).await;
    assert_eq!(made.status, 200);
    assert_eq!(made.body, google.get("abcde").await.body);
    assert_eq!((made.text("status"), made.text("iCalUID")), ("confirmed".into(), "abcde@google.com".into()));

    let mut whole = made.body.clone();
    whole["summary"] = json!("Verhandlung");
    whole["iCalUID"] = json!("forged@example.com");
    let put = google.write(Method::PUT, "abcde", Some(whole)).await;
    assert_eq!((put.text("summary"), put.text("iCalUID")), ("Verhandlung".into(), "abcde@google.com".into()));
    assert_ne!(put.body["etag"], made.body["etag"]);
    assert_eq!(put.body["sequence"], json!(0), "the time is the same");
    let later = json!({"end": {"dateTime": "2026-03-05T16:00:00"}});
    let patched = google.write(Method::PATCH, "abcde", Some(later)).await;
    assert_eq!(patched.body["sequence"], json!(1));
    assert_eq!(google.write(Method::DELETE, "abcde", None).await.status, 204);
    assert_eq!(google.get("abcde").await.text("status"), "cancelled");

    let effects = google.sandbox.effects_since(1);
    let key = format!("{}/abcde", google.calendar);
    let changes: Vec<Change> = effects.iter().map(|effect| effect.change).collect();
    assert_eq!(changes, [Change::Create, Change::Update, Change::Update, Change::Delete]);
    assert!(effects.iter().all(|effect| effect.key == key && effect.entity == "events"));
    assert_eq!(effects[1].changed, *json!({"summary": "Verhandlung"}).as_object().unwrap());
}

#[tokio::test]
async fn an_id_stays_taken() {
    let google = Google::new().await;
    for (id, expected) in
        [("abcd", 400), ("ABCDE", 400), ("abcdw", 400), ("abc_e", 400), ("abcde", 200), ("0v9a1", 200)]
    {
        assert_eq!(google.insert(hour(id)).await.status, expected, "{id}");
    }
    assert_eq!(google.insert(hour("abcde")).await.error(), (409, "duplicate"));
    let etag = google.get("abcde").await.text("etag");
    google.write(Method::DELETE, "abcde", None).await;
    assert_eq!(google.insert(hour("abcde")).await.error(), (409, "duplicate"), "also once it is deleted");
    assert_eq!(google.write_at(Method::PUT, "abcde", &etag, Some(hour(""))).await.error(), (403, "forbidden"));
    assert_eq!(google.write_at(Method::DELETE, "abcde", &etag, None).await.error(), (410, "deleted"));
    assert_eq!(google.write_at(Method::DELETE, "fffff", &etag, None).await.error(), (404, "notFound"));

    google.sandbox.configure(|options| options.google.revive_deleted = true);
    let revived = google.write(Method::PUT, "abcde", Some(hour(""))).await;
    assert_eq!((revived.status, revived.text("status")), (200, "confirmed".into()));
}

#[tokio::test]
async fn every_write_carries_the_etag_that_it_is_meant_for() {
    let google = Google::new().await;
    let old = google.insert(hour("abcde")).await.text("etag");
    google.sandbox.people().google_update("AW-SB", "abcde", &json!({"summary": "von Hand"})).unwrap();
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let stale = google.write_at(method.clone(), "abcde", &old, Some(hour(""))).await;
        assert_eq!(stale.error(), (412, "conditionNotMet"), "{method}");
        let bare = google.call(method.clone(), &google.events("/abcde"), None, Some(hour(""))).await;
        assert_eq!(bare.error(), (428, "conditionRequired"), "{method}");
    }
    assert_eq!(google.get("abcde").await.text("summary"), "von Hand");
    assert_eq!(google.write_at(Method::PATCH, "abcde", "*", Some(json!({}))).await.status, 200);
    google.sandbox.configure(|options| options.google.require_if_match = false);
    assert_eq!(google.call(Method::DELETE, &google.events("/abcde"), None, None).await.status, 204);
}

#[tokio::test]
async fn a_put_clears_what_it_leaves_out_and_a_patch_what_is_null() {
    let google = Google::new().await;
    let mut event = hour("abcde");
    event["location"] = json!("Saal 3");
    event["extendedProperties"] = json!({"private": {"a": "1", "b": "2"}});
    google.insert(event).await;
    let patch = json!({"location": null, "extendedProperties": {"private": {"a": null}}});
    let patched = google.write(Method::PATCH, "abcde", Some(patch)).await.body;
    assert_eq!((&patched["location"], &patched["summary"]), (&Value::Null, &json!("Besprechung")));
    assert_eq!(patched["extendedProperties"], json!({"private": {"b": "2"}}));
    let put = google.write(Method::PUT, "abcde", Some(hour(""))).await.body;
    assert_eq!((put.get("extendedProperties"), &put["id"]), (None, &json!("abcde")));

    let whole_day = json!({"start": {"date": "2026-03-05"}, "end": {"date": "2026-03-06"}});
    assert_eq!(google.write(Method::PATCH, "abcde", Some(whole_day)).await.error(), (400, "invalid"));
    let nulls = json!({"start": {"date": "2026-03-05", "dateTime": null, "timeZone": null},
        "end": {"date": "2026-03-06", "dateTime": null, "timeZone": null}});
    let changed = google.write(Method::PATCH, "abcde", Some(nulls)).await.body;
    assert_eq!((&changed["start"], &changed["end"]), (&json!({"date": "2026-03-05"}), &json!({"date": "2026-03-06"})));
}

#[tokio::test]
async fn what_google_does_not_take() {
    let google = Google::new().await;
    let check = async |base: Value, part: Value, expected: (u16, &str)| {
        let mut event = base;
        for (name, value) in part.as_object().unwrap() {
            event[name] = value.clone();
        }
        event.as_object_mut().unwrap().remove("id");
        assert_eq!(google.insert(event).await.error(), expected, "{part}");
    };
    let ok = (200, "");
    let invalid = (400, "invalid");
    let required = (400, "required");
    check(hour(""), json!({"end": null}), required).await;
    check(hour(""), json!({"start": {"dateTime": "2026-03-05T14:00:00"}}), required).await;
    check(hour(""), json!({"start": {"dateTime": "2026-03-05T14:00:00+01:00"}}), ok).await;
    check(hour(""), json!({"end": {"dateTime": "2026-03-05T13:00:00Z", "date": null}}), ok).await;
    check(hour(""), json!({"end": {"dateTime": "2026-03-05T12:59:00Z"}}), (400, "timeRangeEmpty")).await;
    check(hour(""), json!({"end": {"dateTime": "2026-03-05T16:00:00Z", "date": "2026-03-05"}}), invalid).await;
    check(hour(""), json!({"end": {"date": "2026-03-06"}}), invalid).await;
    check(hour(""), json!({"start": {"dateTime": "2026-03-05T14:00:00", "timeZone": "Berlin"}}), required).await;
    check(day(""), json!({"end": {"date": "2026-03-05"}}), (400, "timeRangeEmpty")).await;
    check(day(""), json!({"end": {"date": "05.03.2026"}}), invalid).await;
    check(day(""), json!({"summary": 5}), invalid).await;
    check(day(""), json!({"summary": null}), ok).await;
    check(day(""), json!({"description": "ä".repeat(8192)}), ok).await;
    check(day(""), json!({"description": "ä".repeat(8193)}), invalid).await;
    check(day(""), json!({"recurrence": ["RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20261224"]}), ok).await;
    check(day(""), json!({"recurrence": ["RRULE:FREQ=HOURLYISH"]}), invalid).await;
    check(day(""), json!({"recurrence": ["DTSTART:20260305"]}), invalid).await;
    let offset_only = json!({"start": {"dateTime": "2026-03-05T14:00:00+01:00"}, "recurrence": ["RRULE:FREQ=DAILY"]});
    check(hour(""), offset_only, required).await;

    let private = |key: &str, value: &str| json!({"extendedProperties": {"private": {key: value}}});
    check(day(""), private(&"k".repeat(44), &"v".repeat(1024)), ok).await;
    check(day(""), private(&"k".repeat(45), "v"), invalid).await;
    check(day(""), private("k", &"v".repeat(1025)), invalid).await;
    check(day(""), json!({"extendedProperties": {"private": {"k": 1}}}), invalid).await;
    let many: serde_json::Map<String, Value> = (0..301).map(|n| (format!("k{n}"), json!("v"))).collect();
    check(day(""), json!({"extendedProperties": {"private": many}}), invalid).await;

    let etag = google.insert(day("abcde")).await.text("etag");
    let put = json!({"summary": "ohne Zeit"});
    assert_eq!(google.write_at(Method::PUT, "abcde", &etag, Some(put)).await.error(), required);
    assert_eq!(google.get("abcde").await.text("etag"), etag, "what is refused has no effect");
}

#[tokio::test]
async fn guests_are_told_only_where_that_is_asked_for() {
    let google = Google::new().await;
    let mut event = hour("aaaaa");
    event["attendees"] = json!([{"email": "mandant@example.com"}]);
    google.call(Method::POST, &google.events("?sendUpdates=none"), None, Some(event.clone())).await;
    assert!(google.sandbox.people().google_mails().is_empty());
    event["id"] = json!("bbbbb");
    google.call(Method::POST, &google.events("?sendUpdates=all"), None, Some(event)).await;
    assert_eq!(google.sandbox.people().google_mails(), ["mandant@example.com"]);
}

#[tokio::test]
async fn faults_and_gates_work_at_google_too() {
    let google = Google::new().await;
    let events = "*/events";
    google.sandbox.fault(Fault::on(System::Google).post(events).once().google_error(403, "rateLimitExceeded"));
    google.sandbox.fault(Fault::on(System::Google).post(events).once().google_error_after(500, "backendError"));
    google.sandbox.fault(Fault::on(System::Google).post(events).once().lose_answer());
    let limited = google.insert(hour("aaaaa")).await;
    assert_eq!(limited.error(), (403, "rateLimitExceeded"));
    assert_eq!(limited.body["error"]["errors"][0]["domain"], json!("usageLimits"));
    assert_eq!(google.insert(hour("aaaaa")).await.error(), (500, "backendError"));
    google.try_call(Method::POST, &google.events(""), None, Some(hour("bbbbb"))).await.unwrap_err();
    assert_eq!(google.sandbox.people().google_events("AW-SB").len(), 2, "both took effect");
}

#[tokio::test]
async fn a_gate_shows_a_write_that_nobody_knows_of_yet() {
    let google = Google::new().await;
    let gate = google.sandbox.gate(Match::on(System::Google).request("POST", "*/events"), Phase::After);
    let held = async {
        gate.arrived().await;
        assert_eq!(google.sandbox.people().google_events("AW-SB").len(), 1);
        gate.release();
    };
    assert_eq!(tokio::join!(google.insert(weekly("aaaaa")), held).0.status, 200);
}
