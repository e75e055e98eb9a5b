//! What is odd stops nothing else (C8), and every shape that the contracts leave open is understood.

use advosync_sandbox::{
    DateShape, Fault, GetShape, IntervalOne, Normalising, Offsets, Options, PostShape, PutShape, System,
};
use serde_json::json;

use super::support::{CALENDAR, Office, day, event, hour, with};

#[tokio::test]
async fn one_bad_entry_stops_no_other() {
    let office = Office::start().await;
    let good = office.termin(&hour(3, "Gut"));
    office.termin(&with(hour(4, "Ohne Datum"), &json!({ "datum": null, "datumBis": null })));
    let reversed = office.termin(&with(hour(5, "Verkehrt"), &json!({ "uhrzeitBis": "08:00:00" })));
    let refused = office.termin(&hour(6, "Verweigert"));
    office.world.sandbox.fault(Fault::on(System::Google).post("*/events").containing("Verweigert").answer(400, "{}"));
    let done = office.synced("synced").await;
    assert_eq!(done.detail["passed_over"]["entries"], 1, "{done:?}");
    assert!(done.detail["odd_termin"].is_array(), "{done:?}");
    assert_eq!(office.event_of(good)["summary"], "Gut");
    let event_of = office.event_of(reversed);
    assert!(event_of["end"]["dateTime"].as_str().unwrap().contains("T15:00:00"), "{event_of:?}");
    assert!(office.events_of(refused).is_empty());

    // The other way.
    let posts = Fault::on(System::Advoware).post("*/Termine");
    office.world.sandbox.fault(posts.containing("Abgelehnt").answer(400, "Das geht nicht."));
    office.event(&event(7, "Abgelehnt"));
    office.event(&event(8, "Angenommen"));
    let puts = Fault::on(System::Advoware).put("*/Termine").containing("Schlecht");
    office.world.sandbox.fault(puts.answer(422, "Das geht auch nicht."));
    office.employee(&office.event_id(good), &json!({ "summary": "Schlecht" }));
    office.employee(&office.event_id(reversed), &json!({ "summary": "Besser" }));
    let done = office.synced("synced").await;
    assert_eq!(done.detail["passed_over"]["entries"], 3, "{done:?}");
    assert!(office.termine().iter().any(|termin| termin["text"] == "Angenommen"));
    assert_eq!(office.termin_of(reversed).unwrap()["text"], "Besser");

    // Once the fault is gone, everything is made up for.
    office.world.sandbox.clear_faults();
    office.synced("synced").await;
    assert_eq!(office.event_of(refused)["summary"], "Verweigert");
    assert_eq!(office.termin_of(good).unwrap()["text"], "Schlecht");
    assert!(office.termine().iter().any(|termin| termin["text"] == "Abgelehnt"));
    assert_eq!(office.termine().len(), 6);
    office.is_in_step().await;
}

/// Creates, edits and deletes on both sides; after each, both agree.
async fn a_day_in_the_office(office: &Office, name: &str) {
    let timed = office.termin(&hour(3, "Besprechung"));
    let whole = office.termin(&with(hour(4, "Urlaub"), &json!({ "dauertermin": 1, "turnus": 0, "datumBis": day(6) })));
    let weekly = json!({ "dauertermin": 1, "turnus": 1, "turnusArt": 2, "datumBis": day(60) });
    let weekly = office.termin(&with(hour(7, "Jour fixe"), &weekly));
    let open = json!({ "dauertermin": 1, "turnus": 1, "turnusArt": 1, "datumBis": null });
    let open = office.termin(&with(hour(8, "Täglich"), &open));
    office.synced("synced").await;
    office.is_in_step().await;
    office.event(&event(9, "Mandantin"));
    office.employee(&office.event_id(timed), &json!({ "summary": "Umbenannt", "description": "a & b <c>" }));
    office.lawyer(whole, &json!({ "text": "Ferien", "notiz": "x < y && z\r\n<b>fett</b>" }));
    office.employee(&office.event_id(weekly), &json!({ "location": "Saal 9" }));
    office.lawyer(open, &json!({ "ort": "" }));
    office.synced("synced").await;
    assert_eq!(office.termin_of(timed).unwrap()["text"], "Umbenannt", "{name}");
    assert_eq!(office.event_of(whole)["summary"], "Ferien", "{name}");
    assert_eq!(office.termin_of(weekly).unwrap()["ort"], "Saal 9", "{name}");
    assert!(!office.event_of(open).contains_key("location"), "{name}");
    assert_eq!((office.termine().len(), office.events().len()), (5, 5), "{name}");
    office.is_in_step().await;
    office.lawyer_deletes(timed);
    office.employee_deletes(&office.event_id(weekly));
    office.synced("synced").await;
    assert_eq!((office.termine().len(), office.events().len()), (3, 3), "{name}");
    office.is_in_step().await;
    office.lose_ledger();
    office.is_in_step_after_loss(name).await;
}

impl Office {
    async fn is_in_step_after_loss(&self, name: &str) {
        let mark = self.world.mark();
        let done = self.sync().await;
        assert_eq!(self.writes(mark), [], "{name}: {done:?}");
        self.is_in_step().await;
    }
}

#[tokio::test]
async fn every_shape_of_advoware_s_answers_is_understood() {
    for (post, put, get, date) in [
        (PostShape::Array, PutShape::WithoutRowId, GetShape::Array, DateShape::DateTime),
        (PostShape::Number, PutShape::Empty, GetShape::Object, DateShape::DateTime),
        (PostShape::Object, PutShape::WithRowId, GetShape::Array, DateShape::AsWritten),
    ] {
        let mut options = Options::default();
        options.advoware.post_shape = post;
        options.advoware.put_shape = put;
        options.advoware.get_shape = get;
        options.advoware.date_shape = date;
        a_day_in_the_office(&Office::of(&[], options).await, &format!("{post:?} {put:?} {get:?} {date:?}")).await;
    }
}

#[tokio::test]
async fn whatever_google_makes_of_events_is_no_edit() {
    for (interval_one, offsets, plain) in [
        (IntervalOne::Added, Offsets::OfCalendar, false),
        (IntervalOne::AsWritten, Offsets::AsWritten, true),
        (IntervalOne::Dropped, Offsets::OfZone, false),
    ] {
        let mut options = Options::default();
        options.google.normalise = Normalising { interval_one, offsets, ..Normalising::default() };
        if plain {
            options.google.normalise.html = false;
            options.google.normalise.rule_order = false;
            options.google.normalise.line_ends = false;
            options.google.normalise.trim_summary = false;
            options.google.normalise.drop_empty = false;
        }
        options.google.empty_page = true;
        options.google.reverse_order = true;
        options.google.page_size = 2;
        let name = format!("{interval_one:?} {offsets:?} {plain}");
        a_day_in_the_office(&Office::of(&[], options).await, &name).await;
    }
}

#[tokio::test]
async fn a_firm_may_see_the_hours_of_what_is_long() {
    let office = Office::with(&[("CALENDAR_SYNC_MULTIDAY", "timed")]).await;
    let long = json!({ "uhrzeitVon": "09:15:00", "uhrzeitBis": "17:30:00", "datumBis": day(7) });
    let number = office.termin(&with(hour(5, "Messe"), &long));
    office.synced("synced").await;
    let shown = office.event_of(number);
    assert!(shown["end"]["dateTime"].as_str().unwrap().starts_with(&format!("{}T17:30:00", day(7))), "{shown:?}");
    office.is_in_step().await;
    let at = |ahead: u64| json!({ "dateTime": format!("{}T12:00:00", day(ahead)), "timeZone": "Europe/Berlin" });
    office.employee(&office.event_id(number), &json!({ "start": at(6), "end": at(9) }));
    office.synced("synced").await;
    let termin = office.termin_of(number).unwrap();
    assert_eq!((&termin["datum"], &termin["datumBis"]), (&json!(day(6)), &json!(day(9))));
    assert_eq!((&termin["uhrzeitVon"], &termin["uhrzeitBis"]), (&json!("12:00:00"), &json!("12:00:00")));
    office.is_in_step().await;
}

#[tokio::test]
async fn a_calendar_of_somebody_s_own_is_taken_and_what_is_alike_is_linked() {
    let office = Office::start().await;
    let people = office.world.sandbox.people();
    people.google_create_calendar(CALENDAR).unwrap();
    let there = office.termin(&hour(3, "Besprechung"));
    let at = |clock: &str| json!({ "dateTime": format!("{}T{clock}:00", day(3)), "timeZone": "Europe/Berlin" });
    let same = json!({
        "summary": "Besprechung", "description": "Akte 17/26", "location": "Saal 3", "start": at("14:00"), "end": at("15:00"),
    });
    let linked = office.event(&same);
    let twin = office.event(&same);
    office.event(&event(5, "Nur hier"));
    office.synced("synced").await;
    assert_eq!(people.google_calendars().len(), 1);
    assert_eq!((office.termine().len(), office.events().len()), (3, 3));
    assert!(office.termin_of(there).is_some());
    let ids: Vec<_> = office.events().iter().map(|event| event["id"].clone()).collect();
    assert!(ids.contains(&json!(linked)) && ids.contains(&json!(twin)), "one of them is the Termin's, one is new");
    office.is_in_step().await;
}

#[tokio::test]
async fn a_limit_of_google_and_an_outage_delay_and_lose_nothing() {
    let office = Office::with(&[("ADVOSYNC_RETRY_SCHEDULE", "100ms,200ms")]).await;
    let numbers: Vec<i64> = (1..=12).map(|at| office.termin(&hour(at, &format!("Termin {at}")))).collect();
    office
        .world
        .sandbox
        .fault(Fault::on(System::Google).post("*/events").skip(3).times(2).google_error(503, "backendError"));
    office.run(super::support::SB, None, None).await;
    office.world.until("every Termin has an event", async || office.events().len() == numbers.len()).await;
    office.world.sandbox.clear_faults();
    office.sync().await;
    for number in numbers {
        office.event_of(number);
    }
    office.is_in_step().await;
}
