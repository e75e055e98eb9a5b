//! Calendars: both directions, series, deletions, and an appointment that two employees share.

use anyhow::{Context, bail};
use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use crate::office::{calendar, event_line, id, moment, monday, termin_line, text};
use crate::stage::Stage;

/// The employees.
const SB: &str = "SB";
const MH: &str = "MH";
/// The employee's own series.
const SPORT: &str = "Sport";

/// The lawyer's Termine.
struct Termine {
    /// Of SB alone.
    hearing: i64,
    /// SB's, every week.
    meeting: i64,
    /// Of SB and MH.
    shared: i64,
}

/// Plays all of it.
pub(crate) async fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let monday = monday();
    let termine = first_sync(stage, monday).await?;
    let dentist = both_directions(stage, &termine, monday).await?;
    series(stage, monday).await?;
    deletions(stage, &termine, dentist).await?;
    shared(stage, &termine).await?;
    at_rest(stage).await
}

/// What Advoware has appears in calendars that were not there.
async fn first_sync(stage: &mut Stage, monday: NaiveDate) -> anyhow::Result<Termine> {
    stage.account.step("Calendars: an admin triggers the first sync of all employees");
    stage.hire(SB, "Berger")?;
    stage.hire(MH, "Hansen")?;
    let termin = |day: NaiveDate, from: &str, to: &str, title: &str, sb: &str| {
        let (from, to) = (format!("{from}:00"), format!("{to}:00"));
        json!({
            "datum": day, "uhrzeitVon": from, "uhrzeitBis": to, "datumBis": day, "text": title, "notiz": "Akte 17/26",
            "ort": "Saal 3", "anwalt": SB, "sb": sb,
        })
    };
    let mut weekly = termin(monday, "08:30", "09:00", "Jour fixe", SB);
    for (name, value) in [("dauertermin", json!(1)), ("turnus", json!(1)), ("turnusArt", json!(2))] {
        weekly[name] = value;
    }
    weekly["datumBis"] = json!(monday + Days::new(21));
    let termine = Termine {
        hearing: stage.termin(&termin(monday, "10:00", "11:00", "Verhandlung Mustermann", SB))?,
        meeting: stage.termin(&weekly)?,
        shared: stage.termin(&termin(monday + Days::new(2), "14:00", "15:30", "Mandantengespräch", MH))?,
    };
    stage
        .account
        .did("the firm has the employees SB and MH; Advoware has a hearing of SB, a weekly series of SB until");
    stage.account.note("three weeks later, and a client meeting of both");
    stage.trigger(&json!({ "full_content": true })).await?;

    let people = stage.sandbox.people();
    for calendar in people.google_calendars() {
        let guests: Vec<Value> =
            people.google_acl(text(&calendar, "id")).into_iter().map(|rule| rule["scope"]["value"].clone()).collect();
        stage.account.saw("Google", format!("calendar {}, shared with {}", text(&calendar, "summary"), json!(guests)));
    }
    let (made, owner) = (people.google_calendars().len(), stage.sandbox.options().google.owner);
    if made != 2 || !people.google_acl(&calendar(MH)).iter().any(|rule| rule["scope"]["value"] == owner.as_str()) {
        bail!("there should be the calendars of SB and MH, shared with {owner}; there are {made}");
    }
    for (kuerzel, number) in [(SB, termine.hearing), (SB, termine.meeting), (SB, termine.shared), (MH, termine.shared)]
    {
        let event = stage.shown_event(kuerzel, number)?;
        stage.account.saw("Google", format!("AW-{kuerzel}: {}", event_line(&event)));
    }
    let seen = seen(stage, "Jour fixe", monday);
    stage.account.saw("Google", format!("AW-SB: the series is seen on {}", seen.join(", ")));
    if seen.len() != 4 || stage.event_of(MH, termine.hearing)?.is_some() {
        bail!("SB should see four weeks of the series, and MH nothing that is SB's alone");
    }
    stage.account.done("calendars made, shared and filled");
    Ok(termine)
}

/// An edit and a new entry on either side; answers the number of the employee's own one.
async fn both_directions(stage: &mut Stage, termine: &Termine, monday: NaiveDate) -> anyhow::Result<i64> {
    stage.account.step("Calendars: changes on both sides at once");
    stage.change_termin(termine.hearing, &json!({ "uhrzeitVon": "11:30:00", "uhrzeitBis": "12:30:00" }))?;
    stage.account.did("the lawyer moves the hearing from 10:00 to 11:30");
    let people = stage.sandbox.people();
    let event = stage.shown_event(SB, termine.hearing)?;
    people.google_update(&calendar(SB), &id(&event), &json!({ "location": "Saal 7" })).context("Google's stand-in")?;
    stage.account.did("SB changes its place to Saal 7 on the phone, and enters the dentist on Thursday");
    let thursday = monday + Days::new(3);
    let dentist = json!({
        "summary": "Zahnarzt", "start": moment(thursday, "16:00"), "end": moment(thursday, "17:00"),
    });
    people.google_create(&calendar(SB), &dentist).context("Google's stand-in")?;
    stage.trigger(&json!({ "kuerzel": SB, "full_content": true })).await?;

    let event = stage.shown_event(SB, termine.hearing)?;
    stage.account.saw("Google", format!("AW-SB: {}", event_line(&event)));
    let termin = stage.termin_of(termine.hearing).context("the hearing is gone")?;
    stage.account.saw("Advoware", format!("{}, place {}", termin_line(&termin), text(&termin, "ort")));
    let moved = event["start"]["dateTime"].as_str().is_some_and(|start| start.contains("T11:30"));
    if !moved || text(&termin, "ort") != "Saal 7" || text(&termin, "uhrzeitVon") != "11:30:00" {
        bail!("each side should have the other one's change");
    }
    let found = stage.termine_named("Zahnarzt");
    let [termin] = found.as_slice() else { bail!("{} Termine are called Zahnarzt, wanted one", found.len()) };
    stage.account.saw("Advoware", format!("{}, of {}", termin_line(termin), text(termin, "anwalt")));
    let fits = [("anwalt", SB), ("uhrzeitVon", "16:00:00"), ("uhrzeitBis", "17:00:00")];
    if fits.iter().any(|(name, value)| text(termin, name) != *value) {
        bail!("the Termin is not SB's from 16:00 to 17:00");
    }
    stage.account.done("each side has both");
    termin["frNr"].as_i64().context("a Termin has no number")
}

/// A series that Advoware has no words for.
async fn series(stage: &mut Stage, monday: NaiveDate) -> anyhow::Result<()> {
    stage.account.step("Calendars: a series that Advoware cannot express");
    let people = stage.sandbox.people();
    let tuesday = monday + Days::new(1);
    let body = json!({
        "summary": SPORT, "start": moment(tuesday, "18:00"), "end": moment(tuesday, "19:00"),
        "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=6"],
    });
    let series = people.google_create(&calendar(SB), &body).context("Google's stand-in")?;
    stage.account.did("SB enters Sport, Tuesdays and Thursdays, six times");
    stage.trigger(&json!({ "kuerzel": SB, "full_content": true })).await?;
    let days = |stage: &Stage| -> Vec<String> {
        stage.termine_named(SPORT).iter().map(|termin| text(termin, "datum").chars().take(10).collect()).collect()
    };
    let first = days(stage);
    stage.account.saw("Advoware", format!("{} Termine {SPORT}: {}", first.len(), first.join(", ")));
    let thursday = tuesday + Days::new(2);
    people.google_cancel_instance(&calendar(SB), &series, thursday).context("Google's stand-in")?;
    stage.account.did(format!("SB skips it on {thursday}"));
    stage.trigger(&json!({ "kuerzel": SB, "full_content": true })).await?;
    let second = days(stage);
    stage.account.saw("Advoware", format!("{} Termine {SPORT}: {}", second.len(), second.join(", ")));
    let wanted: Vec<String> =
        [0, 2, 7, 9, 14, 16].iter().map(|ahead| (tuesday + Days::new(*ahead)).to_string()).collect();
    let left: Vec<String> = wanted.iter().filter(|day| **day != thursday.to_string()).cloned().collect();
    if first != wanted || second != left {
        bail!("Advoware should have {wanted:?}, and then {left:?}");
    }
    stage.account.done("one Termin an occasion, and the skipped one is gone");
    Ok(())
}

/// A deletion on either side.
async fn deletions(stage: &mut Stage, termine: &Termine, dentist: i64) -> anyhow::Result<()> {
    stage.account.step("Calendars: deletions on both sides");
    let people = stage.sandbox.people();
    let event = stage.shown_event(SB, dentist)?;
    people.google_delete(&calendar(SB), &id(&event)).context("Google's stand-in")?;
    stage.account.did("SB deletes the dentist on the phone");
    people.lawyer_delete(advosync_sandbox::TERMINE, termine.hearing).context("Advoware's stand-in")?;
    stage.account.did("the lawyer deletes the hearing");
    stage.trigger(&json!({ "kuerzel": SB, "full_content": true })).await?;
    let (termin, event) = (stage.termin_of(dentist), stage.event_of(SB, termine.hearing)?);
    let there = |is_there| if is_there { "is still there" } else { "is gone" };
    stage.account.saw("Advoware", format!("frNr {dentist}: Zahnarzt {}", there(termin.is_some())));
    stage.account.saw("Google", format!("AW-SB: Verhandlung Mustermann {}", there(event.is_some())));
    if termin.is_some() || event.is_some() {
        bail!("a deletion did not reach the other side");
    }
    stage.account.done("gone on both");
    Ok(())
}

/// What two employees share: an edit of one reaches the other, a deletion by one does not.
async fn shared(stage: &mut Stage, termine: &Termine) -> anyhow::Result<()> {
    stage.account.step("Calendars: an appointment that SB and MH share");
    let people = stage.sandbox.people();
    let event = stage.shown_event(MH, termine.shared)?;
    let title = "Mandantengespräch (Video)";
    people.google_update(&calendar(MH), &id(&event), &json!({ "summary": title })).context("Google's stand-in")?;
    stage.account.did(format!("MH renames it to {title}"));
    stage.trigger(&json!({ "kuerzel": MH, "full_content": true })).await?;
    stage.trigger(&json!({ "kuerzel": SB, "full_content": true })).await?;
    show_shared(stage, termine, title)?;

    let event = stage.shown_event(MH, termine.shared)?;
    people.google_delete(&calendar(MH), &id(&event)).context("Google's stand-in")?;
    stage.account.did("MH deletes it; it is SB's, too, so nobody may take it away at Google");
    stage.trigger(&json!({ "kuerzel": MH, "full_content": true })).await?;
    show_shared(stage, termine, title)?;
    stage.account.done("one Termin, two calendars, none lost");
    Ok(())
}

fn show_shared(stage: &Stage, termine: &Termine, title: &str) -> anyhow::Result<()> {
    let termin = stage.termin_of(termine.shared).context("the shared Termin is gone")?;
    stage.account.saw("Advoware", termin_line(&termin));
    for kuerzel in [SB, MH] {
        let event = stage.shown_event(kuerzel, termine.shared)?;
        stage.account.saw("Google", format!("AW-{kuerzel}: {}", event_line(&event)));
        if text(&event, "summary") != title || text(&termin, "text") != title {
            bail!("all should say {title}");
        }
    }
    Ok(())
}

/// A sync of what is in step writes nothing.
async fn at_rest(stage: &mut Stage) -> anyhow::Result<()> {
    stage.account.step("Calendars: once more, with nothing to do");
    let before = stage.sandbox.effects().len();
    let said = stage.product.ask(&["sync", "ALL", "--wait"]).await?;
    stage.account.did("advosync sync ALL --wait");
    stage.account.printed(&said);
    let effects = stage.sandbox.effects();
    stage.account.saw("both", format!("{} writes", effects.len() - before));
    let unchanged = [SB, MH].iter().all(|kuerzel| said.contains(&format!("{kuerzel}: unchanged")));
    if effects.len() > before || !unchanged {
        bail!("a sync of calendars that are in step should find nothing to do: {:?}", &effects[before..]);
    }
    stage.account.done("compared, found in step, nothing written");
    Ok(())
}

/// On which days SB sees something of a title in the eight weeks after a day.
fn seen(stage: &Stage, title: &str, from: NaiveDate) -> Vec<String> {
    let at = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
    let instances = stage.sandbox.people().google_instances(&calendar(SB), at(from), at(from + Days::new(56)));
    let of = instances.iter().filter(|event| text(event, "summary") == title);
    of.filter_map(|event| event["start"]["dateTime"].as_str()?.get(..10).map(str::to_owned)).collect()
}
