//! The client and the events of the calendar sync, spoken to the sandbox's Google, which refuses what Google refuses.

use std::sync::Arc;
use std::time::Duration;

use advosync::clients::google::{Client, Error, Event, NoLimiter, Options};
use advosync::sync::calendar::entry::{Entry, Series, Unit, When};
use advosync::sync::calendar::event;
use advosync_sandbox::{Fault, Sandbox, System};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A sandbox, a client of it, and a calendar of its own.
struct Desk {
    sandbox: Sandbox,
    client: Client,
    calendar: String,
    _key: TempDir,
}

impl Desk {
    async fn new(options: advosync_sandbox::Options) -> Self {
        let sandbox = Sandbox::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("service-account.json");
        std::fs::write(&key, sandbox.service_account_json()).unwrap();
        let options = Options {
            base_url: sandbox.google_base_url().parse().unwrap(),
            service_account: key,
            subject: None,
            timeout: Duration::from_secs(10),
            backoff_unit: Duration::from_millis(1),
        };
        let client = Client::new(options, Arc::new(NoLimiter)).unwrap();
        let calendar = client.create_calendar("AW-MÜ", "Europe/Berlin").await.unwrap();
        Self { sandbox, client, calendar, _key: folder }
    }

    async fn insert(&self, number: i64, entry: &Entry) -> Event {
        let mut new = event::fields(entry);
        new.insert("id".into(), json!(event::id("Kanzlei", "MÜ", number, 0)));
        self.client.insert(&self.calendar, &new).await.unwrap()
    }
}

fn entry(when: When, series: Option<Series>) -> Entry {
    Entry { when, text: "Termin 😀".into(), notiz: "a & b\nzwei".into(), ort: String::new(), series }
}

fn timed() -> When {
    When::Timed { start: "2026-12-01T09:00:00".parse().unwrap(), end: "2026-12-01T10:00:00".parse().unwrap() }
}

fn text<'a>(event: &'a Event, name: &str) -> &'a str {
    event[name].as_str().unwrap()
}

#[tokio::test]
async fn a_calendar_is_found_and_shared_without_mail() {
    let desk = Desk::new(advosync_sandbox::Options::default()).await;
    let found = desk.client.calendars().await.unwrap();
    let ours = found.iter().find(|calendar| calendar.summary == "AW-MÜ").unwrap();
    assert_eq!((&ours.id, ours.access_role.as_str()), (&desk.calendar, "owner"));
    desk.client.share(&desk.calendar, "kanzlei@example.com", "owner").await.unwrap();
    let rules = desk.client.acl(&desk.calendar).await.unwrap();
    assert!(rules.iter().any(|rule| rule.scope_value == "kanzlei@example.com" && rule.role == "owner"), "{rules:?}");
    assert_eq!(desk.sandbox.people().google_mails(), Vec::<String>::new());
}

#[tokio::test]
async fn every_kind_of_event_is_taken_and_nothing_of_it_is_written_twice() {
    let desk = Desk::new(advosync_sandbox::Options::default()).await;
    let day = |text: &str| text.parse().unwrap();
    let days = When::AllDay { first: day("2026-12-24"), last: day("2026-12-26") };
    let series = |unit, until: Option<&str>| Some(Series { unit, interval: 1, until: until.map(day) });
    let entries = [
        entry(timed(), None),
        entry(days, None),
        entry(timed(), series(Unit::Week, Some("2027-01-31"))),
        entry(When::AllDay { first: day("2027-01-31"), last: day("2027-01-31") }, series(Unit::Month, None)),
        entry(timed(), series(Unit::Day, None)),
    ];
    for (number, entry) in (17..).zip(&entries) {
        let stored = desk.insert(number, entry).await;
        let mut again = event::fields(entry);
        again.insert("id".into(), stored["id"].clone());
        let refused = desk.client.insert(&desk.calendar, &again).await.unwrap_err();
        assert!(matches!(refused, Error::Exists { .. }), "{refused}");
    }
    assert_eq!(desk.sandbox.people().google_events("AW-MÜ").len(), entries.len());
    let all_day = desk.client.get(&desk.calendar, &event::id("Kanzlei", "MÜ", 18, 0)).await.unwrap().unwrap();
    assert_eq!(all_day["end"]["date"], "2026-12-27");
}

#[tokio::test]
async fn an_edit_of_an_employee_is_never_overwritten_blindly() {
    let desk = Desk::new(advosync_sandbox::Options::default()).await;
    let stored = desk.insert(17, &entry(timed(), None)).await;
    let (id, etag) = (text(&stored, "id"), text(&stored, "etag"));
    desk.sandbox.people().google_update("AW-MÜ", id, &json!({ "location": "Saal 3", "colorId": "4" })).unwrap();
    let refused = desk.client.update(&desk.calendar, id, etag, &stored).await.unwrap_err();
    assert!(matches!(refused, Error::Changed { .. }), "{refused}");
    let refused = desk.client.delete(&desk.calendar, id, etag).await.unwrap_err();
    assert!(matches!(refused, Error::Changed { .. }), "{refused}");

    // Read again and written whole: what is not ours survives, and a timed event can become an all-day one.
    let mut fresh = desk.client.get(&desk.calendar, id).await.unwrap().unwrap();
    let etag = text(&fresh, "etag").to_owned();
    let day = "2026-12-02".parse().unwrap();
    fresh.extend(event::fields(&entry(When::AllDay { first: day, last: day }, None)));
    let written = desk.client.update(&desk.calendar, id, &etag, &fresh).await.unwrap();
    assert_eq!((&written["start"]["date"], &written["colorId"]), (&json!("2026-12-02"), &json!("4")));
    assert_eq!(written.get("location"), None, "an empty place clears the one that was there");
}

#[tokio::test]
async fn a_deletion_is_told_once_proved_by_id_and_its_id_stays_taken() {
    let desk = Desk::new(advosync_sandbox::Options::default()).await;
    let stored = desk.insert(17, &entry(timed(), None)).await;
    let (id, etag) = (text(&stored, "id"), text(&stored, "etag"));
    let before = desk.client.list(&desk.calendar, None).await.unwrap();
    assert_eq!(before.events.len(), 1);
    desk.client.delete(&desk.calendar, id, etag).await.unwrap();
    desk.client.delete(&desk.calendar, id, etag).await.expect("what is gone already is success");
    let since = desk.client.list(&desk.calendar, Some(&before.next_sync_token)).await.unwrap();
    assert_eq!(since.events.iter().map(|event| &event["status"]).collect::<Vec<_>>(), [&json!("cancelled")]);
    let asked = desk.client.get(&desk.calendar, id).await.unwrap();
    assert!(asked.is_none_or(|event| event["status"] == "cancelled"));
    assert_eq!(desk.client.get(&desk.calendar, "never0there").await.unwrap(), None);
    let mut again = event::fields(&entry(timed(), None));
    again.insert("id".into(), Value::from(id));
    assert!(matches!(desk.client.insert(&desk.calendar, &again).await, Err(Error::Exists { .. })));
}

#[tokio::test]
async fn all_pages_are_read_and_an_expired_token_is_told_apart() {
    let mut options = advosync_sandbox::Options::default();
    options.google.page_size = 2;
    options.google.empty_page = true;
    let desk = Desk::new(options).await;
    for number in 1..=5 {
        desk.insert(number, &entry(timed(), None)).await;
    }
    let listing = desk.client.list(&desk.calendar, None).await.unwrap();
    assert_eq!((listing.events.len(), listing.pages), (5, 4));
    desk.sandbox.expire_sync_tokens();
    let refused = desk.client.list(&desk.calendar, Some(&listing.next_sync_token)).await.unwrap_err();
    assert!(matches!(refused, Error::SyncTokenGone { .. }), "{refused}");
}

#[tokio::test]
async fn a_lost_answer_is_unknown_a_limit_is_waited_out_and_a_revoked_token_renewed() {
    let desk = Desk::new(advosync_sandbox::Options::default()).await;
    desk.sandbox.fault(Fault::on(System::Google).post("*/events").once().lose_answer());
    let mut new = event::fields(&entry(timed(), None));
    new.insert("id".into(), json!(event::id("Kanzlei", "MÜ", 17, 0)));
    let lost = desk.client.insert(&desk.calendar, &new).await.unwrap_err();
    assert!(lost.effect_unknown(), "{lost}");
    // The derived id makes the repeat meet the first one.
    assert!(matches!(desk.client.insert(&desk.calendar, &new).await, Err(Error::Exists { .. })));

    desk.sandbox.fault(Fault::on(System::Google).get("*/events").times(3).google_error(403, "rateLimitExceeded"));
    assert_eq!(desk.client.list(&desk.calendar, None).await.unwrap().events.len(), 1);
    desk.sandbox.revoke_google_tokens();
    assert_eq!(desk.client.list(&desk.calendar, None).await.unwrap().events.len(), 1);
}
