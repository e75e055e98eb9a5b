//! `sync --wait` with a worker that serves the calendars, between a real Redis and the sandbox.

use advosync_sandbox::{Fault, Options, System, TERMINE};
use serde_json::{Value, json};

use crate::support::world::World;

/// Google's pace is not the subject here, and nothing that failed is tried again while a test looks.
const SETTINGS: [(&str, &str); 3] =
    [("GOOGLE_MIN_INTERVAL", "0s"), ("GOOGLE_MAX_RATE", "1000"), ("ADVOSYNC_RETRY_SCHEDULE", "1h")];

/// A firm with these employees, each with one Termin, and a worker.
async fn firm(kuerzel: &[&str]) -> World {
    let mut world = World::idle(&SETTINGS, Options::default()).await;
    let people = world.sandbox.people();
    for kuerzel in kuerzel {
        let employee = json!({ "kuerzel": kuerzel, "name": "N", "vorname": "V", "aktiv": true });
        people.lawyer_create("Mitarbeiter", &employee).unwrap();
        let day = chrono::Utc::now().date_naive() + chrono::Days::new(3);
        let termin = json!({
            "datum": day, "uhrzeitVon": "14:00:00", "uhrzeitBis": "15:00:00", "datumBis": day, "text": kuerzel,
            "anwalt": kuerzel, "sb": kuerzel,
        });
        people.lawyer_create(TERMINE, &termin).unwrap();
    }
    world.start_worker();
    world
}

/// What is told of the first sync of one Termin.
const MADE: &str = r#"synced {"calendars_created":1,"calendars_shared":1,"events_inserted":1}"#;

/// The titles that a calendar shows.
fn titles(world: &World, kuerzel: &str) -> Vec<Value> {
    let events = world.sandbox.people().google_events(&format!("AW-{kuerzel}"));
    events.into_iter().map(|event| event["summary"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_and_all_are_waited_for_and_told() {
    let world = firm(&["SB", "MH", "XY"]).await;
    let (code, said) = world.run(&["sync", "SB", "--wait"]).await;
    assert_eq!((code, said.as_str()), (0, format!("SB: {MADE}\n").as_str()));
    assert_eq!((titles(&world, "SB"), titles(&world, "MH")), (vec![json!("SB")], vec![]));

    let (code, said) = world.run(&["sync", "ALL", "--wait"]).await;
    let lines: Vec<&str> = said.lines().collect();
    let all = "ALL: queued {\"employees\":[\"SB\",\"MH\",\"XY\"],\"queued\":3,\"queued_before\":0}";
    let made = |kuerzel: &str| format!("{kuerzel}: {MADE}");
    assert_eq!((code, lines), (0, vec![all, "SB: unchanged", &made("MH"), &made("XY")]));
    assert_eq!((titles(&world, "MH"), titles(&world, "XY")), (vec![json!("MH")], vec![json!("XY")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_keeps_no_other_from_being_told_and_decides_the_exit_code() {
    let world = firm(&["SB", "MH"]).await;
    let refuse = Fault::on(System::Google).post("*/calendars").once().google_error(403, "forbidden");
    world.sandbox.fault(refuse);
    let (code, said) = world.run(&["sync", "ALL", "--wait"]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(": failed, it is tried again later: "), "{said}");
    assert!(said.contains(&format!(": {MADE}")), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_kuerzel_is_told_and_gets_no_calendar() {
    let world = firm(&["SB"]).await;
    let (code, said) = world.run(&["sync", "XX", "--wait"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("XX: unknown_employee {") && said.contains("no active employee"), "{said}");
    assert!(said.contains("nothing was created"), "{said}");
    assert!(world.sandbox.people().google_calendars().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_a_worker_without_google_from_one_that_has_it() {
    let world = firm(&["SB"]).await;
    let remark = "no worker reads the flow calendar";
    world.until("nothing is to be remarked", async || !world.run(&["status"]).await.1.contains(remark)).await;

    let lacking = [SETTINGS.as_slice(), &[("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", "no-such-key.json")]].concat();
    let world = World::with(&lacking).await;
    let told = "an upstream is not configured, its jobs wait";
    world
        .until("the worker says what it lacks", async || {
            let of_google =
                |line: &Value| line.to_string().contains(told) && line.to_string().contains("no-such-key.json");
            world.logs().iter().any(|(name, lines)| name.starts_with("worker") && lines.iter().any(of_google))
        })
        .await;
    let of_records = "no worker reads the flow vmh";
    world.until("the records need no Google", async || !world.run(&["status"]).await.1.contains(of_records)).await;
    let (_, said) = world.run(&["status"]).await;
    assert!(said.contains(remark) && said.contains("set GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH"), "{said}");
}
