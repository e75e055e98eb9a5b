//! An office whose calendars are synced: the world, an employee `SB`, and what the lawyer and the employee do.

use std::time::{Duration, Instant};

use advosync::queue::{Batch, Ended, Lane, Mode, Topic};
use advosync_sandbox::{Effect, Fields, Options, System, TERMINE};
use chrono::{Days, NaiveDate, Utc};
use serde_json::{Value, json};

use crate::support::world::World;

/// The employee.
pub const SB: &str = "SB";
/// The employee's calendar.
pub const CALENDAR: &str = "AW-SB";
/// How the service account signs its writes.
const US: &str = "advosync@sandbox.iam.gserviceaccount.com";
/// How the program signs its writes to Advoware.
const ADVOWARE_US: &str = "advosync";
/// How long a job may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// What keeps tests fast: Google's pace is not the subject of most of them.
const SETTINGS: [(&str, &str); 2] = [("GOOGLE_MIN_INTERVAL", "0s"), ("GOOGLE_MAX_RATE", "1000")];

/// An installation with one employee.
pub struct Office {
    /// Processes, Redis and the outside systems.
    pub world: World,
}

/// How a job ended well.
#[derive(Debug)]
pub struct Done {
    /// Its one word.
    pub result: String,
    /// Its details.
    pub detail: Value,
}

impl Office {
    /// With one worker, and all choices as they are.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With further settings.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::of(settings, Options::default()).await
    }

    /// With further settings and a sandbox of choice.
    pub async fn of(settings: &[(&str, &str)], options: Options) -> Self {
        let settings = [SETTINGS.as_slice(), settings].concat();
        let mut world = World::idle(&settings, options).await;
        world.start_worker();
        let office = Self { world };
        office.hire(SB);
        office
    }

    /// An employee joins the firm.
    pub fn hire(&self, kuerzel: &str) -> i64 {
        let employee = json!({ "kuerzel": kuerzel, "name": "N", "vorname": "V", "aktiv": true });
        self.world.sandbox.people().lawyer_create("Mitarbeiter", &employee).unwrap()
    }

    /// Changes settings: the worker is stopped and started again.
    pub async fn restart_with(&mut self, settings: &[(&str, &str)]) {
        for (name, value) in settings {
            self.world.set(name, value);
        }
        self.world.take_worker().terminate(PATIENCE).await;
        self.world.start_worker();
    }

    /// Runs a job to its end.
    pub async fn run(&self, kuerzel: &str, payload: Option<&str>, mode: Option<Mode>) -> Ended {
        let topic = Topic::CalendarEmployee;
        let mut waiter = self.world.queue.waiter(topic.clone(), kuerzel).await.unwrap();
        let keys = [kuerzel.to_owned()];
        let batch = Batch { payload, mode, ..Batch::new(topic, Lane::First, &keys, "test") };
        self.world.queue.enqueue(&batch).await.unwrap();
        let by = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = waiter.poll().await.unwrap() {
                return ended;
            }
            assert!(Instant::now() < by, "the job of {kuerzel} does not end: {}", self.log());
        }
    }

    /// Queues a job and waits for nothing.
    pub async fn enqueue(&self, kuerzel: &str) {
        let keys = [kuerzel.to_owned()];
        self.world.queue.enqueue(&Batch::new(Topic::CalendarEmployee, Lane::First, &keys, "test")).await.unwrap();
    }

    /// A job of `SB` that must be done.
    pub async fn sync(&self) -> Done {
        done(self.run(SB, None, None).await)
    }

    /// A job of `SB` that must have this result.
    pub async fn synced(&self, result: &str) -> Done {
        let done = self.sync().await;
        assert_eq!(done.result, result, "{done:?}");
        done
    }

    /// A second job that finds nothing to do and writes nothing.
    pub async fn is_in_step(&self) {
        let mark = self.world.mark();
        let done = self.sync().await;
        assert_eq!(self.writes(mark), [], "{done:?}");
        assert_eq!(done.result, "unchanged", "{done:?}");
    }

    /// What the worker says.
    fn log(&self) -> String {
        let (_, lines) = self.world.logs().pop().unwrap();
        lines.iter().rev().take(30).fold(String::new(), |told, line| told + &line.to_string() + "\n")
    }

    /// What the program has written to either system since a mark.
    pub fn writes(&self, since: u64) -> Vec<Effect> {
        let ours = |effect: &Effect| [US, ADVOWARE_US].contains(&effect.by.as_str());
        self.world.sandbox.effects_since(since).into_iter().filter(ours).collect()
    }

    /// What the program has written to one system since a mark.
    pub fn writes_to(&self, system: System, since: u64) -> Vec<Effect> {
        self.writes(since).into_iter().filter(|effect| effect.system == system).collect()
    }

    /// Calls since [`advosync_sandbox::Sandbox::reset_counts`]: to Advoware's Termine, and to Google.
    pub fn calls(&self) -> (usize, usize) {
        let calls = self.world.sandbox.calls();
        let termine = calls.iter().filter(|call| call.system == System::Advoware && call.path.ends_with("/Termine"));
        let google = calls.iter().filter(|call| call.system == System::Google);
        (termine.count(), google.count())
    }

    /// The lawyer makes a Termin.
    pub fn termin(&self, values: &Value) -> i64 {
        self.world.sandbox.people().lawyer_create(TERMINE, values).unwrap()
    }

    /// The lawyer changes a Termin.
    pub fn lawyer(&self, number: i64, values: &Value) {
        self.world.sandbox.people().lawyer_update(TERMINE, number, values).unwrap();
    }

    /// The lawyer deletes a Termin.
    pub fn lawyer_deletes(&self, number: i64) {
        self.world.sandbox.people().lawyer_delete(TERMINE, number).unwrap();
    }

    /// A Termin as Advoware has it.
    pub fn termin_of(&self, number: i64) -> Option<Fields> {
        self.world.sandbox.people().advoware_get(TERMINE, number)
    }

    /// All Termine.
    pub fn termine(&self) -> Vec<Fields> {
        self.world.sandbox.people().advoware_list(TERMINE)
    }

    /// The live events of `SB`.
    pub fn events(&self) -> Vec<Fields> {
        self.world.sandbox.people().google_events(CALENDAR)
    }

    /// The live events that say that they show a Termin.
    pub fn events_of(&self, number: i64) -> Vec<Fields> {
        let said = number.to_string();
        let of = |event: &Fields| event["extendedProperties"]["private"]["advoware_frnr"] == said;
        let marked = |event: &Fields| event.contains_key("extendedProperties");
        self.events().into_iter().filter(|event| marked(event) && of(event)).collect()
    }

    /// The one event of a Termin.
    pub fn event_of(&self, number: i64) -> Fields {
        let mut found = self.events_of(number);
        assert_eq!(found.len(), 1, "events of {number}: {found:#?}");
        found.remove(0)
    }

    /// Its id.
    pub fn event_id(&self, number: i64) -> String {
        self.event_of(number)["id"].as_str().unwrap().to_owned()
    }

    /// The employee makes an event.
    pub fn event(&self, body: &Value) -> String {
        self.world.sandbox.people().google_create(CALENDAR, body).unwrap()
    }

    /// The employee changes an event.
    pub fn employee(&self, event: &str, values: &Value) {
        self.world.sandbox.people().google_update(CALENDAR, event, values).unwrap();
    }

    /// The employee deletes an event.
    pub fn employee_deletes(&self, event: &str) {
        self.world.sandbox.people().google_delete(CALENDAR, event).unwrap();
    }

    /// Redis forgets what both sides looked like.
    pub fn lose_ledger(&self) {
        let keys = self.world.redis.cli(&["KEYS", "ledger:calendar:*"]);
        let words: Vec<&str> = std::iter::once("DEL").chain(keys.lines()).collect();
        assert!(words.len() > 1, "there is a ledger");
        self.world.redis.cli(&words);
    }

    /// The events lose everything that we wrote into them about us.
    pub fn lose_properties(&self) {
        for event in self.events() {
            let id = event["id"].as_str().unwrap();
            let people = self.world.sandbox.people();
            people.google_update(CALENDAR, id, &json!({ "extendedProperties": { "private": null } })).unwrap();
        }
    }
}

/// A job that was done.
pub fn done(ended: Ended) -> Done {
    match ended {
        Ended::Done { result, detail } => Done { result, detail: detail.unwrap_or_default() },
        other => panic!("the job is not done: {other:?}"),
    }
}

/// A day counted from today.
pub fn day(ahead: u64) -> NaiveDate {
    Utc::now().date_naive().checked_add_days(Days::new(ahead)).unwrap()
}

/// A day before today.
pub fn past(days: u64) -> NaiveDate {
    Utc::now().date_naive().checked_sub_days(Days::new(days)).unwrap()
}

/// A Termin of `SB` from 14 to 15 o'clock.
pub fn hour(ahead: u64, text: &str) -> Value {
    let day = day(ahead);
    json!({
        "datum": day, "uhrzeitVon": "14:00:00", "uhrzeitBis": "15:00:00", "datumBis": day, "text": text,
        "notiz": "Akte 17/26", "ort": "Saal 3", "anwalt": SB, "sb": SB,
    })
}

/// A value with some fields of another.
pub fn with(mut value: Value, fields: &Value) -> Value {
    for (name, field) in fields.as_object().unwrap() {
        value[name] = field.clone();
    }
    value
}

/// An event from one o'clock to another, as an employee makes it.
pub fn event(ahead: u64, summary: &str) -> Value {
    json!({
        "summary": summary, "description": "von mir", "location": "Büro",
        "start": { "dateTime": format!("{}T10:00:00", day(ahead)), "timeZone": "Europe/Berlin" },
        "end": { "dateTime": format!("{}T11:30:00", day(ahead)), "timeZone": "Europe/Berlin" },
    })
}
