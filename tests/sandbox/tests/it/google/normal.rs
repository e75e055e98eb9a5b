//! What Google makes of an event before it stores it, and that each of it can be switched off.

use advosync_sandbox::{IntervalOne, Normalising, Offsets, Options};
use serde_json::{Value, json};

use super::{Google, hour};

fn untidy() -> Value {
    let mut event = hour("aaaaa");
    event["summary"] = json!("Müller ./. Maier  ");
    event["description"] = json!("Akte 12<br/>Raum\r\n3 & 4 <blink>!</blink>");
    event["location"] = json!("");
    event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=TH;UNTIL=20260401T000000Z"]);
    event["end"] = json!({"dateTime": "2026-03-05T14:00:00Z", "timeZone": "Europe/Berlin"});
    event
}

#[tokio::test]
async fn an_event_comes_back_rewritten() {
    let google = Google::new().await;
    let made = google.insert(untidy()).await.body;
    assert_eq!(made["summary"], json!("Müller ./. Maier"));
    assert_eq!(made["description"], json!("Akte 12<br>Raum\n3 &amp; 4 !"));
    assert_eq!(made.get("location"), None);
    assert_eq!(made["recurrence"], json!(["RRULE:FREQ=WEEKLY;UNTIL=20260401T000000Z;BYDAY=TH"]));
    assert_eq!(made["start"], json!({"dateTime": "2026-03-05T14:00:00+01:00", "timeZone": "Europe/Berlin"}));
    assert_eq!(made["end"], json!({"dateTime": "2026-03-05T15:00:00+01:00", "timeZone": "Europe/Berlin"}));
    let again = google.write(reqwest::Method::PUT, "aaaaa", Some(made.clone())).await.body;
    for name in ["summary", "description", "recurrence", "start", "end", "sequence"] {
        assert_eq!(again[name], made[name], "{name}: twice is the same as once");
    }
}

#[tokio::test]
async fn each_rewriting_can_be_switched_off() {
    let mut options = Options::default();
    options.google.normalise = Normalising {
        rule_order: false,
        interval_one: IntervalOne::AsWritten,
        html: false,
        line_ends: false,
        trim_summary: false,
        offsets: Offsets::AsWritten,
        drop_empty: false,
    };
    let google = Google::with(options).await;
    let (sent, made) = (untidy(), google.insert(untidy()).await.body);
    for name in ["summary", "description", "location", "recurrence", "start", "end"] {
        assert_eq!(made[name], sent[name], "{name}");
    }
}

#[tokio::test]
async fn offsets_of_the_calendar_are_another_reading_of_the_same_moment() {
    let google = Google::new().await;
    let mut event = hour("aaaaa");
    event["start"] = json!({"dateTime": "2026-03-05T08:00:00", "timeZone": "America/New_York"});
    assert_eq!(google.insert(event.clone()).await.body["start"]["dateTime"], json!("2026-03-05T08:00:00-05:00"));
    google.sandbox.configure(|options| options.google.normalise.offsets = Offsets::OfCalendar);
    event["id"] = json!("bbbbb");
    let start = json!({"dateTime": "2026-03-05T14:00:00+01:00", "timeZone": "America/New_York"});
    assert_eq!(google.insert(event).await.body["start"], start);
}
