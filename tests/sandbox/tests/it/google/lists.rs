//! Lists: pages, sync tokens, what a delta says, calendars and their ACL.

use std::time::Duration;

use advosync_sandbox::{Fault, Options, System};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Google, day, hour, weekly};

async fn five(google: &Google) {
    for id in ["aaaaa", "bbbbb", "ccccc", "ddddd", "eeeee"] {
        google.insert(day(id)).await;
    }
}

/// Reads all pages; the ids of each, and the last answer.
async fn pages(google: &Google, query: &str) -> (Vec<usize>, Vec<String>, super::Got) {
    let (mut sizes, mut ids, mut token) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let page = token.map(|token| format!("&pageToken={token}")).unwrap_or_default();
        let got = google.list(&format!("{query}{page}")).await;
        assert_eq!(got.status, 200, "{got:?}");
        sizes.push(got.ids().len());
        ids.extend(got.ids().into_iter().map(str::to_owned));
        assert_ne!(got.body.get("nextPageToken").is_some(), got.body.get("nextSyncToken").is_some());
        match got.body["nextPageToken"].as_str() {
            Some(next) => token = Some(next.to_owned()),
            None => return (sizes, ids, got),
        }
    }
}

#[tokio::test]
async fn a_list_comes_in_pages_and_only_the_last_carries_a_sync_token() {
    let google = Google::new().await;
    five(&google).await;
    let (sizes, ids, _) = pages(&google, "maxResults=2").await;
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(ids, ["aaaaa", "bbbbb", "ccccc", "ddddd", "eeeee"]);
    google.sandbox.configure(|options| {
        options.google.page_size = 3;
        options.google.empty_page = true;
        options.google.reverse_order = true;
    });
    let (sizes, ids, _) = pages(&google, "maxResults=2500").await;
    assert_eq!(sizes, [0, 3, 2], "an empty page may carry a nextPageToken");
    assert_eq!(ids, ["eeeee", "ddddd", "ccccc", "bbbbb", "aaaaa"]);
    assert_eq!(google.list("maxResults=0").await.status, 400);
    assert_eq!(google.list("pageToken=nonsense").await.status, 400);
}

#[tokio::test]
async fn what_changes_between_two_pages_comes_with_the_next_delta() {
    let google = Google::new().await;
    five(&google).await;
    let first = google.list("maxResults=3").await;
    google.sandbox.people().google_update("AW-SB", "aaaaa", &json!({"summary": "neu"})).unwrap();
    let last = google.list(&format!("maxResults=3&pageToken={}", first.text("nextPageToken"))).await;
    let delta = google.list(&format!("syncToken={}", last.text("nextSyncToken"))).await;
    assert_eq!(delta.ids(), ["aaaaa"]);
}

#[tokio::test]
async fn a_delta_says_of_a_deletion_only_what_google_guarantees() {
    let google = Google::new().await;
    google.insert(day("aaaaa")).await;
    google.insert(weekly("bbbbb")).await;
    let token = google.sync_token().await;
    assert_eq!(google.list(&format!("syncToken={token}")).await.body["items"], json!([]));
    google.write(Method::DELETE, "aaaaa", None).await;
    google.write(Method::DELETE, "bbbbb_20260312T130000Z", None).await;
    google.insert(day("ccccc")).await;

    let delta = google.list(&format!("syncToken={token}")).await;
    let cancelled = json!({
        "id": "bbbbb_20260312T130000Z", "status": "cancelled", "recurringEventId": "bbbbb",
        "originalStartTime": {"dateTime": "2026-03-12T14:00:00+01:00", "timeZone": "Europe/Berlin"},
    });
    assert_eq!(delta.ids(), ["aaaaa", "bbbbb_20260312T130000Z", "ccccc"]);
    assert_eq!(delta.body["items"][0], json!({"id": "aaaaa", "status": "cancelled"}));
    assert_eq!(delta.body["items"][1], cancelled);
    let again = google.list(&format!("syncToken={}", delta.text("nextSyncToken"))).await;
    assert_eq!(again.body["items"], json!([]));

    let whole = google.list("").await;
    assert_eq!(whole.ids(), ["bbbbb", "bbbbb_20260312T130000Z", "ccccc"], "cancelled exceptions are in a whole list");
    assert_eq!(whole.body["items"][1], cancelled);
    assert_eq!(google.list("showDeleted=true").await.ids().len(), 4);
    google.write(Method::DELETE, "bbbbb", None).await;
    assert_eq!(google.list("").await.ids(), ["ccccc"], "not without their series");
}

#[tokio::test]
async fn a_sync_token_takes_no_filter() {
    let google = Google::new().await;
    let token = google.sync_token().await;
    for (name, value) in [
        ("timeMin", "2026-03-05T00:00:00Z"),
        ("timeMax", "2026-03-05T00:00:00Z"),
        ("updatedMin", "2026-03-05T00:00:00Z"),
        ("q", "x"),
        ("orderBy", "updated"),
        ("iCalUID", "x"),
        ("privateExtendedProperty", "a%3Db"),
        ("showDeleted", "false"),
    ] {
        let got = google.list(&format!("syncToken={token}&{name}={value}")).await;
        assert_eq!(got.error(), (400, "invalid"), "{name}");
    }
    assert_eq!(google.list(&format!("syncToken={token}&showDeleted=true&maxResults=10")).await.status, 200);
    assert!(google.list("q=x").await.body.get("nextSyncToken").is_none());
}

#[tokio::test]
async fn a_sync_token_ends_in_five_ways() {
    let google = Google::new().await;
    let expired = async |token: &str| {
        let got = google.list(&format!("syncToken={token}")).await;
        assert_eq!(got.error(), (410, "fullSyncRequired"));
    };
    expired("unknown").await;
    let token = google.sync_token().await;
    google.sandbox.expire_sync_tokens();
    expired(&token).await;
    let token = google.sync_token().await;
    google.sandbox.fault(Fault::on(System::Google).get("*/events").skip(1).once().expire_sync_tokens());
    assert_eq!(google.list(&format!("syncToken={token}")).await.status, 200);
    expired(&token).await;
    let token = google.sync_token().await;
    let acl = format!("calendars/{}/acl?sendNotifications=false", google.calendar);
    let rule = json!({"role": "owner", "scope": {"type": "user", "value": "kanzlei@example.com"}});
    assert_eq!(google.call(Method::POST, &acl, None, Some(rule)).await.status, 200);
    expired(&token).await;
    let token = google.sync_token().await;
    google.sandbox.configure(|options| options.google.sync_token_lifetime_seconds = Some(60));
    google.sandbox.advance(Duration::from_secs(61));
    expired(&token).await;
}

#[tokio::test]
async fn a_whole_list_is_filtered() {
    let google = Google::new().await;
    google.insert(day("aaaaa")).await;
    let mut other = hour("bbbbb");
    other["extendedProperties"] = json!({"private": {"advoware_frnr": "17", "advoware_kuerzel": "SB"}});
    google.insert(other).await;
    let mut series = weekly("ccccc");
    series["start"]["dateTime"] = json!("2025-03-05T14:00:00");
    series["end"]["dateTime"] = json!("2025-03-05T15:00:00");
    series["recurrence"] = json!(["RRULE:FREQ=YEARLY"]);
    google.insert(series).await;
    let check = async |query: &str, expected: &[&str]| {
        assert_eq!(google.list(query).await.ids(), expected, "{query}");
    };
    check("timeMin=2026-03-05T12:00:00Z&timeMax=2026-03-05T13:30:00Z", &["aaaaa", "bbbbb", "ccccc"]).await;
    check("timeMin=2026-03-05T14:00:00Z&timeMax=2026-04-05T00:00:00Z", &["aaaaa"]).await;
    check("timeMin=2026-03-06T00:00:00Z&timeMax=2026-04-05T00:00:00%2B02:00", &[]).await;
    check("timeMin=2030-01-01T00:00:00Z", &["ccccc"]).await;
    check("timeMax=2026-03-05T13:00:00Z", &["aaaaa", "ccccc"]).await;
    check("privateExtendedProperty=advoware_frnr%3D17&privateExtendedProperty=advoware_kuerzel%3DSB", &["bbbbb"]).await;
    check("privateExtendedProperty=advoware_frnr%3D18", &[]).await;
    check("q=urlaub", &["aaaaa"]).await;
    assert_eq!(google.list("timeMin=2026-03-05").await.status, 400);
    assert_eq!(google.list("orderBy=startTime").await.status, 400);
    assert_eq!(google.list("singleEvents=true").await.status, 400);
}

#[tokio::test]
async fn a_delta_keeps_its_window_only_where_that_is_wanted() {
    let google = Google::new().await;
    let first = google.list("timeMin=2026-03-05T00:00:00Z&timeMax=2026-03-06T00:00:00Z").await;
    let query = format!("syncToken={}", first.text("nextSyncToken"));
    let far = json!({"id": "aaaaa", "start": {"date": "2030-01-01"}, "end": {"date": "2030-01-02"}});
    google.insert(far).await;
    assert_eq!(google.list(&query).await.ids(), ["aaaaa"]);
    google.sandbox.configure(|options| options.google.delta_keeps_window = true);
    assert_eq!(google.list(&query).await.body["items"], json!([]));
}

#[tokio::test]
async fn calendars_are_found_made_shared_and_deleted() {
    let mut options = Options::default();
    options.google.page_size = 2;
    let google = Google::with(options).await;
    let call = async |method: Method, path: &str, body: Value| google.call(method, path, None, Some(body)).await;
    let made = call(Method::POST, "calendars", json!({"summary": "AW-MÜ", "timeZone": "Europe/Berlin"})).await;
    let id = made.text("id");
    assert!(id.ends_with("@group.calendar.google.com"));
    assert_eq!(call(Method::POST, "calendars", json!({})).await.error(), (400, "required"));
    assert_eq!(call(Method::POST, "calendars", json!({"summary": "AW-MÜ"})).await.status, 200, "titles may be equal");

    let first = google.call(Method::GET, "users/me/calendarList", None, None).await;
    assert_eq!((first.ids().len(), first.body.get("nextSyncToken")), (2, None));
    let next = format!("users/me/calendarList?pageToken={}", first.text("nextPageToken"));
    assert_eq!(google.call(Method::GET, &next, None, None).await.body["items"][0]["summary"], json!("AW-MÜ"));

    let acl = format!("calendars/{id}/acl");
    let rule = json!({"role": "owner", "scope": {"type": "user", "value": "kanzlei@example.com"}});
    call(Method::POST, &format!("{acl}?sendNotifications=false"), rule.clone()).await;
    assert!(google.sandbox.people().google_mails().is_empty());
    call(Method::POST, &acl, rule).await;
    assert_eq!(google.sandbox.people().google_mails(), ["kanzlei@example.com"], "the default sends an e-mail");
    let rules = google.call(Method::GET, &acl, None, None).await;
    assert_eq!(rules.ids(), ["user:advosync@sandbox.iam.gserviceaccount.com", "user:kanzlei@example.com"]);
    assert_eq!(call(Method::POST, &acl, json!({"role": "king"})).await.status, 400);

    let path = format!("calendars/{}", id.replace('@', "%40"));
    assert_eq!(google.call(Method::GET, &path, None, None).await.text("summary"), "AW-MÜ");
    assert_eq!(google.call(Method::DELETE, &path, None, None).await.status, 204);
    assert_eq!(google.call(Method::GET, &path, None, None).await.error(), (404, "notFound"));
    assert_eq!(google.call(Method::PUT, &path, None, Some(json!({}))).await.status, 405);
    let effects = google.sandbox.effects_since(1);
    let what: Vec<&str> = effects.iter().map(|effect| effect.entity.as_str()).collect();
    assert_eq!(what, ["calendars", "calendars", "acl", "acl", "calendars"]);
}
