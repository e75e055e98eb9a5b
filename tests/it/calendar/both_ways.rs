//! Edits go over, whichever side made them, and where both did, Advoware wins.

use advosync_sandbox::{Change, Match, Phase, System};
use serde_json::{Value, json};

use super::support::{CALENDAR, Office, SB, day, done, event, hour, with};

/// One event at Google.
const EVENT: &str = "*/events/*";

#[tokio::test]
async fn the_lawyer_s_edits_go_to_the_event() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Besprechung"));
    office.synced("synced").await;
    let id = office.event_id(number);
    office.employee(&id, &json!({ "colorId": "7", "attendees": [{ "email": "gast@example.org" }] }));
    office.lawyer(number, &json!({ "text": "Verhandlung", "notiz": "Zeile 1\r\nZeile 2", "ort": "" }));
    office.synced("synced").await;
    let shown = office.event_of(number);
    assert_eq!((&shown["summary"], &shown["description"]), (&json!("Verhandlung"), &json!("Zeile 1\nZeile 2")));
    assert!(!shown.contains_key("location"), "{shown:?}");
    assert_eq!((&shown["id"], &shown["colorId"]), (&json!(id), &json!("7")), "what a person added stays");
    assert_eq!(shown["attendees"][0]["email"], "gast@example.org");
    assert!(office.world.sandbox.people().google_mails().is_empty(), "guests are not told");

    office.lawyer(number, &json!({ "uhrzeitVon": "08:15:00", "uhrzeitBis": "09:45:00" }));
    office.synced("synced").await;
    let start = office.event_of(number)["start"]["dateTime"].as_str().unwrap().to_owned();
    assert!(start.starts_with(&format!("{}T08:15:00", day(3))), "{start}");

    office.lawyer(number, &json!({ "dauertermin": 1, "turnus": 0 }));
    office.synced("synced").await;
    let shown = office.event_of(number);
    assert_eq!(shown["start"]["date"], json!(day(3)));
    assert!(shown["start"].get("dateTime").is_none(), "{shown:?}");

    office.lawyer(number, &json!({ "dauertermin": 0 }));
    office.synced("synced").await;
    assert!(office.event_of(number)["start"]["dateTime"].is_string());
    assert_eq!(office.writes_to(System::Advoware, 0), []);
    office.is_in_step().await;
}

#[tokio::test]
async fn the_employee_s_edits_go_to_the_termin_and_the_rest_of_it_stays() {
    let office = Office::start().await;
    let unmapped =
        json!({ "vorbereitungsDauer": "00:30:00", "privat": 1, "anwalt": SB, "sb": "XY", "aktenNr": "17/26" });
    let number = office.termin(&with(hour(3, "Besprechung"), &unmapped));
    office.synced("synced").await;
    let id = office.event_id(number);
    let changes = json!({ "summary": "Umbenannt", "description": "Zeile 1<br>A &amp; B", "location": "Saal 5" });
    office.employee(&id, &changes);
    let mark = office.world.mark();
    office.synced("synced").await;
    let termin = office.termin_of(number).unwrap();
    assert_eq!((&termin["text"], &termin["notiz"]), (&json!("Umbenannt"), &json!("Zeile 1\nA & B")));
    assert_eq!(termin["ort"], "Saal 5");
    for (name, value) in unmapped.as_object().unwrap() {
        assert_eq!(termin[name], *value, "{name}");
    }
    assert_eq!((&termin["uhrzeitVon"], &termin["datum"]), (&json!("14:00:00"), &json!(day(3))));
    assert_eq!(office.writes_to(System::Advoware, mark).len(), 1);

    let at = |clock: &str| json!({ "dateTime": format!("{}T{clock}:00", day(6)), "timeZone": "Europe/Berlin" });
    office.employee(&id, &json!({ "start": at("16:00"), "end": at("17:30") }));
    office.synced("synced").await;
    let termin = office.termin_of(number).unwrap();
    assert_eq!((&termin["datum"], &termin["datumBis"]), (&json!(day(6)), &json!(day(6))));
    assert_eq!((&termin["uhrzeitVon"], &termin["uhrzeitBis"]), (&json!("16:00:00"), &json!("17:30:00")));

    let whole = |at: u64| json!({ "date": day(at), "dateTime": null, "timeZone": null });
    office.employee(&id, &json!({ "start": whole(6), "end": whole(8) }));
    office.synced("synced").await;
    let termin = office.termin_of(number).unwrap();
    assert_eq!((&termin["datum"], &termin["datumBis"]), (&json!(day(6)), &json!(day(7))));

    let back = |clock: &str| with(at(clock), &json!({ "date": null }));
    office.employee(&id, &json!({ "start": back("11:00"), "end": back("12:00") }));
    office.synced("synced").await;
    let termin = office.termin_of(number).unwrap();
    assert_eq!((&termin["uhrzeitVon"], &termin["uhrzeitBis"]), (&json!("11:00:00"), &json!("12:00:00")));
    assert_eq!(termin["dauertermin"], 0);
    assert_eq!(termin["sb"], "XY", "whose it is stays");
    office.is_in_step().await;
}

#[tokio::test]
async fn a_new_event_becomes_a_termin_of_its_employee() {
    let office = Office::start().await;
    office.synced("synced").await;
    let plain = office.event(&event(4, "Mandantin"));
    let nameless = office.event(&json!({ "start": { "date": day(5) }, "end": { "date": day(6) } }));
    let private = office.event(&with(event(6, "Arzt"), &json!({ "visibility": "private" })));
    let done = office.synced("synced").await;
    assert_eq!(done.detail["termine_created"], 3, "{done:?}");
    let termin = |event: &str| {
        let event = office.world.sandbox.people().google_get(CALENDAR, event).unwrap();
        let number = event["extendedProperties"]["private"]["advoware_frnr"].as_str().unwrap().to_owned();
        office.termin_of(number.parse().unwrap()).unwrap()
    };
    let made = termin(&plain);
    let expected = json!({
        "text": "Mandantin", "notiz": "von mir", "ort": "Büro", "uhrzeitVon": "10:00:00", "uhrzeitBis": "11:30:00",
        "anwalt": SB, "sb": SB, "vorbereitungsDauer": "00:00:00", "privat": 0, "dauertermin": 0,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(made[name], *value, "{name}");
    }
    assert!(made["datum"].as_str().unwrap().starts_with(&day(4).to_string()));
    assert_eq!((&termin(&nameless)["text"], &termin(&nameless)["dauertermin"]), (&json!(""), &json!(1)));
    assert_eq!(termin(&private)["privat"], 1);
    office.is_in_step().await;
    assert_eq!(office.termine().len(), 3);
    assert_eq!(office.events().len(), 3);
}

#[tokio::test]
async fn where_both_changed_a_field_advoware_wins_and_it_is_told() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Besprechung"));
    office.synced("synced").await;
    let id = office.event_id(number);
    office.lawyer(number, &json!({ "text": "Advoware", "ort": "Saal 1" }));
    office.employee(&id, &json!({ "summary": "Google", "description": "neue Notiz" }));
    let done = office.synced("synced").await;
    assert_eq!(done.detail["conflict"], json!([format!("{number} (text)")]), "{done:?}");
    let (termin, shown) = (office.termin_of(number).unwrap(), office.event_of(number));
    let expected =
        [("text", "summary", "Advoware"), ("notiz", "description", "neue Notiz"), ("ort", "location", "Saal 1")];
    for (mine, theirs, value) in expected {
        assert_eq!((&termin[mine], &shown[theirs]), (&json!(value), &json!(value)), "{mine}");
    }
    office.is_in_step().await;

    // The same edit on both sides is none.
    office.lawyer(number, &json!({ "text": "Gemeinsam" }));
    office.employee(&id, &json!({ "summary": "Gemeinsam" }));
    let mark = office.world.mark();
    let done = office.sync().await;
    assert!(done.detail.get("conflict").is_none(), "{done:?}");
    assert_eq!(office.writes(mark), []);
}

#[tokio::test]
async fn an_edit_between_reading_and_writing_is_not_overwritten() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Besprechung"));
    office.synced("synced").await;
    let id = office.event_id(number);
    office.lawyer(number, &json!({ "text": "Advoware" }));
    let gate = office.world.sandbox.gate(Match::on(System::Google).request("PUT", EVENT), Phase::Before);
    let (ended, ()) = tokio::join!(office.run(SB, None, None), async {
        gate.arrived().await;
        office.employee(&id, &json!({ "description": "dazwischen" }));
        gate.release();
    });
    assert_eq!(done(ended).result, "synced");
    assert!(office.world.sandbox.calls().iter().any(|call| call.status == Some(412)), "it met the edit");
    let (termin, shown) = (office.termin_of(number).unwrap(), office.event_of(number));
    assert_eq!((&shown["summary"], &shown["description"]), (&json!("Advoware"), &json!("dazwischen")));
    assert_eq!((&termin["text"], &termin["notiz"]), (&json!("Advoware"), &json!("dazwischen")));
    office.is_in_step().await;
}

#[tokio::test]
async fn the_lawyer_s_edit_between_reading_and_writing_is_not_overwritten() {
    let office = Office::start().await;
    let number = office.termin(&hour(3, "Besprechung"));
    office.synced("synced").await;
    office.employee(&office.event_id(number), &json!({ "summary": "Google" }));
    let mut asked = Match::on(System::Advoware).request("GET", "*/Termine");
    asked.query = Some("frnr=".to_owned());
    let gate = office.world.sandbox.gate(asked, Phase::Before);
    let (ended, ()) = tokio::join!(office.run(SB, None, None), async {
        gate.arrived().await;
        office.lawyer(number, &json!({ "text": "Anders", "ort": "Saal 9" }));
        gate.release();
    });
    let done = done(ended);
    assert_eq!(done.detail["conflict"], json!([format!("{number} (text)")]), "{done:?}");
    let (termin, shown) = (office.termin_of(number).unwrap(), office.event_of(number));
    assert_eq!((&termin["text"], &shown["summary"]), (&json!("Anders"), &json!("Anders")));
    assert_eq!(shown["location"], "Saal 9");
    office.is_in_step().await;
}

#[tokio::test]
async fn a_generated_termin_and_a_cut_note_are_shown_only() {
    let office = Office::start().await;
    let long: String = "ä".repeat(9000);
    let cut = office.termin(&with(hour(3, "Lang"), &json!({ "notiz": long })));
    let generated = office.termin(&with(hour(4, "Feiertag"), &json!({ "frNr": -5 })));
    office.synced("synced").await;
    for number in [cut, generated] {
        office.employee(&office.event_id(number), &json!({ "description": "überschrieben" }));
    }
    let mark = office.world.mark();
    let done = office.synced("synced").await;
    let told: Vec<Value> = done.detail["undone"].as_array().unwrap().clone();
    assert_eq!(told.len(), 2, "{done:?}");
    assert_eq!(office.writes_to(System::Advoware, mark), []);
    assert_eq!(office.event_of(generated)["description"], "Akte 17/26");
    assert!(office.event_of(cut)["description"].as_str().unwrap().starts_with("ääää"));
    // Other fields of a cut Termin flow back as ever.
    office.employee(&office.event_id(cut), &json!({ "summary": "Kurz" }));
    office.synced("synced").await;
    let termin = office.termin_of(cut).unwrap();
    assert_eq!((&termin["text"], &termin["notiz"]), (&json!("Kurz"), &json!(long)));
    let deleted = office.writes(0).iter().filter(|effect| effect.change == Change::Delete).count();
    assert_eq!(deleted, 0);
    office.is_in_step().await;
}

#[tokio::test]
async fn what_is_long_is_shown_as_days_and_keeps_its_clock_times() {
    let office = Office::start().await;
    let long = json!({ "uhrzeitVon": "09:15:00", "uhrzeitBis": "17:30:00", "datumBis": day(7) });
    let number = office.termin(&with(hour(5, "Messe"), &long));
    office.synced("synced").await;
    let whole = |at: u64| json!({ "date": day(at) });
    office.employee(&office.event_id(number), &json!({ "start": whole(6), "end": whole(10), "summary": "Messe 2" }));
    office.synced("synced").await;
    let termin = office.termin_of(number).unwrap();
    assert_eq!((&termin["datum"], &termin["datumBis"]), (&json!(day(6)), &json!(day(9))));
    assert_eq!((&termin["uhrzeitVon"], &termin["uhrzeitBis"]), (&json!("09:15:00"), &json!("17:30:00")));
    assert_eq!((&termin["text"], &termin["dauertermin"]), (&json!("Messe 2"), &json!(null)));
    office.is_in_step().await;
}

#[tokio::test]
async fn an_event_of_another_zone_keeps_it() {
    let office = Office::start().await;
    office.synced("synced").await;
    let at = |clock: &str| json!({ "dateTime": format!("{}T{clock}:00", day(4)), "timeZone": "Asia/Tokyo" });
    let id = office.event(&json!({ "summary": "Tokio", "start": at("17:00"), "end": at("18:00") }));
    office.synced("synced").await;
    let termin = office.termine().remove(0);
    let berlin = termin["uhrzeitVon"].as_str().unwrap().to_owned();
    assert!(["09:00:00", "10:00:00"].contains(&berlin.as_str()), "{berlin}");
    office.lawyer(termin["frNr"].as_i64().unwrap(), &json!({ "text": "Anruf Tokio" }));
    office.synced("synced").await;
    let shown = office.world.sandbox.people().google_get(CALENDAR, &id).unwrap();
    assert_eq!((&shown["summary"], &shown["start"]["timeZone"]), (&json!("Anruf Tokio"), &json!("Asia/Tokyo")));
    office.is_in_step().await;
}
