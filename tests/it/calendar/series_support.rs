//! One employee's office: Advoware and Google in the sandbox, a worker as a process, and what its people do.

use std::time::{Duration, Instant};

use advosync::queue::{Batch, Ended, Lane, Topic};
use advosync_sandbox::{Effect, Fields, Options, System, TERMINE};
use chrono::{Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Europe::Berlin;
use serde_json::{Value, json};

use crate::support::world::World;

/// How long a run may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(50);
/// The private property that names an event's Termin.
const NUMBER: &str = "advoware_frnr";

/// A running installation with one employee.
pub struct Office {
    /// Everything that runs.
    pub world: World,
    kuerzel: String,
}

impl Office {
    /// With the widest window.
    pub async fn new(kuerzel: &str) -> Self {
        Self::with(kuerzel, &[("CALENDAR_SYNC_PAST", "3660d"), ("CALENDAR_SYNC_FUTURE", "3660d")]).await
    }

    /// With further settings.
    pub async fn with(kuerzel: &str, more: &[(&str, &str)]) -> Self {
        let mut settings = vec![("GOOGLE_MIN_INTERVAL", "0ms"), ("GOOGLE_MAX_RATE", "1000")];
        settings.extend(more);
        let mut options = Options::default();
        // A field that no mapping knows; it has to survive whatever is written.
        let termine = options.advoware.resources.iter_mut().find(|resource| resource.name == TERMINE).unwrap();
        termine.fields.push("akte".into());
        let mut world = World::idle(&settings, options).await;
        let employee = json!({ "kuerzel": kuerzel, "name": "N", "vorname": "V", "aktiv": true });
        world.sandbox.people().lawyer_create("Mitarbeiter", &employee).unwrap();
        world.start_worker();
        Self { world, kuerzel: kuerzel.to_owned() }
    }

    /// The calendar's name.
    pub fn calendar(&self) -> String {
        format!("AW-{}", self.kuerzel)
    }

    /// Puts another worker in the place of the one that runs, with a setting.
    pub async fn restart_with(&mut self, name: &str, value: &str) {
        self.world.take_worker().terminate(PATIENCE).await;
        self.world.set(name, value);
        self.world.start_worker();
    }

    /// Syncs the calendar; the one-word result and the details.
    pub async fn sync(&self) -> (String, Value) {
        self.sync_within(PATIENCE).await
    }

    /// Syncs a calendar that may take longer than others.
    pub async fn sync_within(&self, patience: Duration) -> (String, Value) {
        let queue = &self.world.queue;
        let mut waiter = queue.waiter(Topic::CalendarEmployee, &self.kuerzel).await.unwrap();
        let keys = [self.kuerzel.clone()];
        queue.enqueue(&Batch::new(Topic::CalendarEmployee, Lane::First, &keys, "test")).await.unwrap();
        let by = Instant::now() + patience;
        loop {
            match waiter.poll().await.unwrap() {
                Some(Ended::Done { result, detail }) => return (result, detail.unwrap_or(Value::Null)),
                Some(other) => panic!("the sync of {} is not done: {other:?}", self.kuerzel),
                None => assert!(Instant::now() < by, "the sync of {} does not end", self.kuerzel),
            }
            // The waiter blocks in Redis for as long as nothing ends.
        }
    }

    /// Syncs; something has to have been done.
    pub async fn synced(&self) -> Value {
        let (result, detail) = self.sync().await;
        assert_eq!(result, "synced", "{detail}");
        detail
    }

    /// Syncs; nothing may be written anywhere. What it reports may still say something.
    pub async fn unchanged(&self) -> Value {
        let mark = self.world.mark();
        let (result, detail) = self.sync().await;
        assert_eq!(self.writes(mark), [], "{result}: {detail}");
        assert_eq!(result, "unchanged", "{detail}");
        detail
    }

    /// Syncs after a loss of the ledger: pairs are found again, and nothing is written anywhere.
    pub async fn unchanged_after_loss(&self) {
        let mark = self.world.mark();
        let (result, detail) = self.sync().await;
        assert_eq!(self.writes(mark), [], "{result}: {detail}");
        self.unchanged().await;
    }

    /// What the program has written since a mark.
    pub fn writes(&self, mark: u64) -> Vec<Effect> {
        let people = ["lawyer", "employee"];
        let mut all = self.world.sandbox.effects_since(mark);
        all.retain(|effect| !people.contains(&effect.by.as_str()));
        all
    }

    /// The bodies of the events that were written since a mark, by title.
    pub fn sent_event(&self, title: &str, mark: u64) -> Fields {
        let all = self.writes(mark).into_iter();
        let mut all = all.filter(|it| it.system == System::Google && it.body.get("summary") == Some(&json!(title)));
        all.next_back().unwrap_or_else(|| panic!("no event of {title} was written")).body
    }

    /// The lawyer makes a Termin of the employee's own at 09:00 to 10:00, with these values.
    pub fn termin(&self, values: &Value) -> i64 {
        let mut all = json!({ "uhrzeitVon": "09:00:00", "uhrzeitBis": "10:00:00", "dauertermin": 0, "turnus": 0,
            "turnusArt": 0, "notiz": "", "ort": "", "anwalt": self.kuerzel, "sb": self.kuerzel });
        let all = all.as_object_mut().unwrap();
        all.extend(values.as_object().unwrap().clone());
        if !all.contains_key("datumBis") {
            let day = all["datum"].clone();
            all.insert("datumBis".into(), day);
        }
        self.world.sandbox.people().lawyer_create(TERMINE, &json!(all)).unwrap()
    }

    /// A Termin as it is.
    pub fn get(&self, number: i64) -> Option<Fields> {
        self.world.sandbox.people().advoware_get(TERMINE, number)
    }

    /// The lawyer changes a Termin.
    pub fn edit(&self, number: i64, values: &Value) {
        self.world.sandbox.people().lawyer_update(TERMINE, number, values).unwrap();
    }

    /// The lawyer deletes a Termin.
    pub fn delete(&self, number: i64) {
        self.world.sandbox.people().lawyer_delete(TERMINE, number).unwrap();
    }

    /// All Termine, by day, clock and title.
    pub fn termine(&self) -> Vec<Fields> {
        let mut all = self.world.sandbox.people().advoware_list(TERMINE);
        all.sort_by_key(|it| (date_of(it), it["uhrzeitVon"].to_string(), it["text"].to_string()));
        all
    }

    /// The days of all Termine with a title.
    pub fn days(&self, title: &str) -> Vec<NaiveDate> {
        self.termine().iter().filter(|it| it["text"] == title).map(date_of).collect()
    }

    /// The one Termin with a title on a day.
    pub fn on(&self, title: &str, day: NaiveDate) -> Fields {
        let mut found = self.termine();
        found.retain(|it| it["text"] == title && date_of(it) == day);
        assert_eq!(found.len(), 1, "{title} on {day}: {found:?} of {:?}", self.termine());
        found.remove(0)
    }

    /// The employee makes an event.
    pub fn event(&self, body: &Value) -> String {
        self.world.sandbox.people().google_create(&self.calendar(), body).unwrap()
    }

    /// The event that shows a Termin.
    pub fn event_of(&self, number: i64) -> Fields {
        let mut found = self.events();
        found.retain(|it| marked(it) == json!(number.to_string()));
        found.retain(|it| !it.contains_key("recurringEventId"));
        assert_eq!(found.len(), 1, "of {number}: {found:?}");
        found.remove(0)
    }

    /// The live events, series and exceptions.
    pub fn events(&self) -> Vec<Fields> {
        self.world.sandbox.people().google_events(&self.calendar())
    }

    /// What the employee sees with a title between two days: the starts as Google shows them.
    pub fn seen(&self, title: &str, from: NaiveDate, to: NaiveDate) -> Vec<String> {
        let at = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let mut all = self.world.sandbox.people().google_instances(&self.calendar(), at(from), at(to));
        all.retain(|it| is(it, "summary", title));
        let start = |it: &Fields| {
            let start = &it["start"];
            start["dateTime"].as_str().or(start["date"].as_str()).unwrap_or_default().to_owned()
        };
        all.iter().map(start).collect()
    }

    /// Redis forgets what both sides looked like.
    pub fn lose_ledger(&self) {
        let found = self.world.redis.cli(&["KEYS", &format!("ledger:calendar:{}:*", self.kuerzel)]);
        assert!(!found.is_empty(), "there is a ledger");
        found.lines().for_each(|key| {
            self.world.redis.cli(&["DEL", key]);
        });
    }
}

/// The number of the Termin that an event names.
fn marked(event: &Fields) -> Value {
    event.get("extendedProperties").map_or(Value::Null, |held| held["private"][NUMBER].clone())
}

/// Whether a field has this text; a record that has no such field is none.
pub fn is(record: &Fields, name: &str, text: &str) -> bool {
    record.get(name).and_then(Value::as_str) == Some(text)
}

/// The day of a Termin.
pub fn date_of(termin: &Fields) -> NaiveDate {
    termin["datum"].as_str().and_then(|text| text.get(..10)?.parse().ok()).unwrap_or_default()
}

/// A day so many days from today, Berlin.
pub fn day(ahead: i64) -> NaiveDate {
    let today = Utc::now().with_timezone(&Berlin).date_naive();
    if ahead >= 0 { today + Days::new(ahead.unsigned_abs()) } else { today - Days::new(ahead.unsigned_abs()) }
}

/// Google's start or end at a full hour in Berlin.
pub fn at(day: NaiveDate, hour: u32) -> Value {
    json!({ "dateTime": format!("{day}T{hour:02}:00:00"), "timeZone": "Europe/Berlin" })
}

/// An event of an hour that recurs by these lines.
pub fn recurring(title: &str, day: NaiveDate, hour: u32, lines: &[&str]) -> Value {
    json!({ "summary": title, "start": at(day, hour), "end": at(day, hour + 1), "recurrence": lines })
}

/// A whole day that recurs by these lines.
pub fn recurring_day(title: &str, day: NaiveDate, lines: &[&str]) -> Value {
    let next = day.succ_opt().unwrap();
    json!({ "summary": title, "start": { "date": day }, "end": { "date": next }, "recurrence": lines })
}
