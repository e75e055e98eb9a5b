//! What a calendar shows (C3), whose calendars there are (C10), and write protection.

use advosync::queue::{Batch, Ended, Lane, Mode, Topic};
use advosync_sandbox::{Match, Phase, System};
use serde_json::{Value, json};

use super::support::{CALENDAR, Done, Office, SB, day, done, event, hour, with};

impl Office {
    /// A job with a choice of the mode.
    async fn choose(&self, mode: Mode) -> Done {
        done(self.run(SB, None, Some(mode)).await)
    }

    /// The job of all employees, and then those of each.
    async fn all(&self, kuerzel: &[&str]) -> (Done, Vec<Done>) {
        let topic = Topic::CalendarAll;
        let queue = &self.world.queue;
        let mut all = queue.waiter(topic.clone(), "ALL").await.unwrap();
        let mut each: Vec<_> = kuerzel.iter().map(|key| all.another(Topic::CalendarEmployee, key)).collect();
        queue.enqueue(&Batch::new(topic, Lane::First, &["ALL".to_owned()], "test")).await.unwrap();
        let all = done(ended(&mut all).await);
        let mut ends = Vec::new();
        for waiter in &mut each {
            ends.push(done(ended(waiter).await));
        }
        (all, ends)
    }
}

async fn ended(waiter: &mut advosync::queue::Waiter) -> Ended {
    for _ in 0..90 {
        if let Some(ended) = waiter.poll().await.unwrap() {
            return ended;
        }
    }
    panic!("the job does not end");
}

#[tokio::test]
async fn an_anonymised_calendar_shows_times_and_nothing_flows_back() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Mandant Muster"));
    let bare = office.termin(&with(hour(4, ""), &json!({ "notiz": "", "ort": "" })));
    office.synced("synced").await;
    assert_eq!(office.choose(Mode::Anonymised).await.result, "synced");
    for number in [number, bare] {
        let shown = office.event_of(number);
        assert_eq!(shown["summary"], "blocked");
        assert!(!shown.contains_key("description") && !shown.contains_key("location"), "{shown:?}");
        assert_eq!(shown["extendedProperties"]["private"]["advosync_mode"], "anonymised");
    }
    assert!(office.event_of(number)["start"]["dateTime"].as_str().unwrap().contains("T14:00:00"));
    // A trigger without a choice keeps it.
    office.is_in_step().await;

    let mark = office.world.mark();
    let at = |clock: &str| json!({ "dateTime": format!("{}T{clock}:00", day(6)), "timeZone": "Europe/Berlin" });
    office.employee(&office.event_id(number), &json!({ "summary": "x", "start": at("16:00"), "end": at("17:30") }));
    office.employee_deletes(&office.event_id(bare));
    let own = office.event(&event(8, "Privat"));
    let done = office.synced("synced").await;
    assert_eq!(office.writes_to(System::Advoware, mark), [], "{done:?}");
    assert_eq!(done.detail["not_taken_over"], json!([own]));
    assert_eq!(office.event_of(number)["summary"], "blocked");
    assert!(office.event_of(number)["start"]["dateTime"].as_str().unwrap().contains("T14:00:00"));
    assert_eq!(office.event_of(bare)["summary"], "blocked");

    assert_eq!(office.choose(Mode::Full).await.result, "synced");
    let shown = office.event_of(number);
    assert_eq!((&shown["summary"], &shown["description"]), (&json!("Mandant Muster"), &json!("Akte 17/26")));
    assert!(shown["extendedProperties"]["private"].get("advosync_mode").is_none(), "{shown:?}");
    assert!(!office.event_of(bare).contains_key("summary"));
    let made = office.writes_to(System::Advoware, 0);
    assert_eq!(made.len(), 1, "the employee's own event, now that it may flow: {made:?}");
    office.is_in_step().await;
}

#[tokio::test]
async fn after_a_loss_of_everything_nothing_anonymised_flows_back() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Mandant Muster"));
    office.choose(Mode::Anonymised).await;
    assert_eq!(office.event_of(number)["summary"], "blocked");
    office.world.redis.cli(&["DEL", "calendar_sync:mode"]);
    office.lose_ledger();
    office.sync().await;
    assert_eq!(office.writes_to(System::Advoware, 0), []);
    assert_eq!(office.termin_of(number).unwrap()["text"], "Mandant Muster");
    assert_eq!(office.event_of(number)["summary"], "Mandant Muster", "the default is full");
    assert_eq!(office.events().len(), 1);
    office.is_in_step().await;
}

#[tokio::test]
async fn write_protection_keeps_google_up_to_date_and_advoware_untouched() {
    let office = Office::with(&[("ADVOWARE_WRITE_PROTECTION", "true")]).await;
    let numbers = [3, 4, 5].map(|at| office.termin(&hour(at, &format!("Termin {at}"))));
    office.synced("synced").await;
    assert_eq!(office.events().len(), 3);
    let edited = office.event_id(numbers[0]);
    office.employee(&edited, &json!({ "summary": "Von mir" }));
    office.employee_deletes(&office.event_id(numbers[1]));
    let own = office.event(&event(8, "Neu"));
    office.lawyer(numbers[2], &json!({ "text": "Vom Anwalt" }));
    let done = office.synced("withheld").await;
    let mut told: Vec<String> =
        done.detail["withheld"].as_array().unwrap().iter().map(|told| told.as_str().unwrap().to_owned()).collect();
    told.sort();
    let mut expected =
        vec![format!("{} (text)", numbers[0]), format!("{} (delete)", numbers[1]), format!("{own} (create)")];
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!(office.writes_to(System::Advoware, 0), []);
    assert_eq!(office.event_of(numbers[2])["summary"], "Vom Anwalt");
    assert_eq!(office.event_of(numbers[0])["summary"], "Von mir", "nothing is overwritten for it");

    // The Termin changes in another field: that goes over, the edit stays.
    office.lawyer(numbers[0], &json!({ "ort": "Saal 7" }));
    office.synced("withheld").await;
    let shown = office.event_of(numbers[0]);
    assert_eq!((&shown["summary"], &shown["location"]), (&json!("Von mir"), &json!("Saal 7")));
    let mark = office.world.mark();
    office.synced("withheld").await;
    assert_eq!(office.writes(mark), []);

    // Without it, everything goes over.
    let mut office = office;
    office.restart_with(&[("ADVOWARE_WRITE_PROTECTION", "false")]).await;
    office.synced("synced").await;
    assert_eq!(office.termin_of(numbers[0]).unwrap()["text"], "Von mir");
    assert!(office.termin_of(numbers[1]).is_none());
    assert_eq!(office.termine().len(), 3);
    office.is_in_step().await;
}

#[tokio::test]
async fn who_is_no_active_employee_gets_no_calendar() {
    let office = Office::start().await;
    let unknown = |ended: Ended| assert_eq!(done(ended).result, "unknown_employee");
    unknown(office.run("XX", None, None).await);
    unknown(office.run("sb", None, None).await);
    assert!(office.world.sandbox.people().google_calendars().is_empty());
    // Who leaves the firm keeps what the calendar has.
    let leaver = office.hire("ÄB");
    office.termin(&with(hour(3, "Übergabe"), &json!({ "anwalt": "ÄB", "sb": "ÄB" })));
    assert_eq!(done(office.run("ÄB", None, None).await).result, "synced");
    let events = office.world.sandbox.people().google_events("AW-ÄB");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["extendedProperties"]["private"]["advoware_kuerzel"], "ÄB");
    office.world.sandbox.people().lawyer_update("Mitarbeiter", leaver, &json!({ "aktiv": false })).unwrap();
    office.all(&[SB]).await;
    let mark = office.world.mark();
    unknown(office.run("ÄB", None, None).await);
    assert_eq!(office.writes(mark), []);
    assert_eq!(office.world.sandbox.people().google_events("AW-ÄB").len(), 1);
}

#[tokio::test]
async fn the_job_of_all_employees_queues_one_for_each() {
    let mut office = Office::start().await;
    office.hire("AB");
    office.hire("ÖZ");
    let (all, each) = office.all(&[SB, "AB", "ÖZ"]).await;
    assert_eq!((all.result.as_str(), &all.detail["queued"]), ("queued", &json!(3)));
    assert_eq!(each.len(), 3);
    let names = |office: &Office| {
        let all = office.world.sandbox.people().google_calendars();
        let mut names: Vec<Value> = all.iter().map(|calendar| calendar["summary"].clone()).collect();
        names.sort_by_key(ToString::to_string);
        names
    };
    assert_eq!(names(&office), ["AW-AB", CALENDAR, "AW-ÖZ"]);
    // The debug list concerns this job alone.
    office.restart_with(&[("CALENDAR_SYNC_DEBUG_EMPLOYEES", "AB")]).await;
    let (all, _) = office.all(&["AB"]).await;
    assert_eq!(all.detail["employees"], json!(["AB"]));
    assert_eq!(office.sync().await.result, "unchanged");
}

#[tokio::test]
async fn a_trigger_while_a_sync_runs_runs_next() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Besprechung"));
    let gate = office.world.sandbox.gate(Match::on(System::Google).request("POST", "*/events"), Phase::Before);
    let queue = &office.world.queue;
    let (first, second) = tokio::join!(office.run(SB, None, None), async {
        gate.arrived().await;
        let mut waiter = queue.waiter(Topic::CalendarEmployee, SB).await.unwrap();
        // What the running one has not read any more.
        office.lawyer(number, &json!({ "text": "Geändert" }));
        queue.enqueue(&Batch::new(Topic::CalendarEmployee, Lane::First, &[SB.to_owned()], "test")).await.unwrap();
        // Started-at has the resolution of seconds here, so the first run may be told to this waiter, too.
        gate.release();
        loop {
            let next = ended(&mut waiter).await;
            if office.event_of(number)["summary"] == "Geändert" {
                return next;
            }
        }
    });
    assert_eq!((done(first).result.as_str(), done(second).result.as_str()), ("synced", "synced"));
    assert_eq!(office.event_of(number)["summary"], "Geändert");
    office.is_in_step().await;
}

#[tokio::test]
async fn an_inspection_tells_and_writes_nothing() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Besprechung"));
    office.synced("synced").await;
    office.lawyer(number, &json!({ "text": "Geändert" }));
    office.event(&event(4, "Neu"));
    let mark = office.world.mark();
    let ledger = || office.world.redis.cli(&["HGETALL", "ledger:calendar:SB:mirror"]);
    let before = ledger();
    let queue = &office.world.queue;
    let mut waiter = queue.waiter(Topic::CalendarInspect, SB).await.unwrap();
    queue.enqueue(&Batch::new(Topic::CalendarInspect, Lane::First, &[SB.to_owned()], "test")).await.unwrap();
    assert_eq!(done(ended(&mut waiter).await).result, "inspected");
    let told = queue.take_inspection(&Topic::CalendarInspect, SB).await.unwrap().unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["termine"], &told["items"], &told["pairs"]), (&json!(1), &json!(2), &json!(1)), "{told:#}");
    assert_eq!(told["would"]["actions"], 2, "{told:#}");
    assert_eq!(office.writes(mark), []);
    assert_eq!(ledger(), before, "not even what was read is kept");
    let done = office.synced("synced").await;
    assert_eq!((&done.detail["events_updated"], &done.detail["termine_created"]), (&json!(1), &json!(1)), "{done:?}");
}
