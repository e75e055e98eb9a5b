//! People at both sides who make, edit and delete appointments by chance, and what they did.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use advosync_sandbox::{Change, Effect, Fields, Sandbox, System, TERMINE};
use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::check::{text, token};
use crate::calendar::series_support::{at, day, recurring};

/// The number of the first Termin.
const FIRST: i64 = 5001;

/// Where something was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// By the lawyer.
    Advoware,
    /// By an employee, in this calendar.
    Google(String),
}

/// What was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The title.
    Text,
    /// The place.
    Ort,
    /// The hour of its start; it lasts one hour.
    Hour,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A field has this value from now on.
    Edit(Field, String),
    /// It was deleted.
    Delete,
}

/// What somebody did to an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Which entry.
    pub token: String,
    /// One instance of it; none: all of it.
    pub on: Option<NaiveDate>,
    /// Where.
    pub side: Side,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub what: What,
}

impl Deed {
    /// Whether it was done to the instance of a day.
    pub fn covers(&self, day: NaiveDate) -> bool {
        self.on.is_none_or(|on| on == day)
    }
}

/// How an entry recurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It does not.
    Single,
    /// In a way that Advoware can express.
    Simple,
    /// In another way.
    Complex,
}

/// An entry as it was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// How it recurs.
    pub kind: Kind,
    /// Whether it is several employees'.
    pub shared: bool,
    /// The days of its instances.
    pub days: BTreeSet<NaiveDate>,
}

/// All that people did, and when the program wrote what.
#[derive(Debug, Default)]
pub struct History {
    /// Two things that happen to one entry within this time may meet in one run, or in one that was killed: who wins then is
    /// told elsewhere, and here only that both sides agree. As long as a run and its repetition may take.
    pub apart: TimeDelta,
    /// Entries by token.
    pub created: BTreeMap<String, Made>,
    /// What was done to them, in order.
    pub deeds: Vec<Deed>,
    /// Tokens that the program wrote, and when.
    pub ours: Vec<(String, DateTime<Utc>)>,
    /// Those of Termine that it made, and when.
    pub posted: Vec<(String, DateTime<Utc>)>,
    /// Of Termine that were deleted and that had a copy made just before: calendar and token.
    pub orphans: BTreeSet<(String, String)>,
}

impl History {
    /// Takes in what the sandbox has logged.
    pub fn read(&mut self, sandbox: &Sandbox) {
        let effects = sandbox.effects();
        let is_ours = |effect: &&Effect| effect.by != "lawyer" && effect.by != "employee";
        let title = |effect: &Effect| {
            let said = |fields: &Fields| [text(fields, "text"), text(fields, "summary")].concat();
            token(
                &[said(&effect.changed), said(&effect.body)].into_iter().find(|it| !it.is_empty()).unwrap_or_default(),
            )
        };
        self.ours = effects.iter().filter(is_ours).map(|it| (title(it), it.at)).collect();
        let posts = |it: &&Effect| it.system == System::Advoware && it.change == Change::Create;
        self.posted = effects.iter().filter(is_ours).filter(posts).map(|it| (title(it), it.at)).collect();
        let calendars: BTreeMap<String, String> =
            sandbox.people().google_calendars().iter().map(|it| (text(it, "id"), text(it, "summary"))).collect();
        for insert in effects.iter().filter(|it| it.system == System::Google && it.change == Change::Create) {
            let named = insert.body.get("extendedProperties").map(|it| it["private"]["advoware_frnr"].clone());
            let Some(number) = named.as_ref().and_then(Value::as_str) else { continue };
            let gone = |it: &&Effect| {
                it.system == System::Advoware && it.change == Change::Delete && it.key == number && it.by == "lawyer"
            };
            let deleted = effects.iter().find(gone);
            let at_once = deleted.is_some_and(|it| (it.at - insert.at).abs() < self.apart);
            let calendar = insert.key.split('/').next().and_then(|id| calendars.get(id));
            if let Some(calendar) = calendar.filter(|_| at_once) {
                self.orphans.insert((calendar[3..].to_owned(), title(insert)));
            }
        }
    }

    /// Whether the lawyer did something to an entry right after the program made a Termin of it.
    pub fn was_met(&self, token: &str) -> bool {
        let of = |it: &&Deed| it.token == token && it.side == Side::Advoware;
        self.deeds.iter().filter(of).any(|deed| {
            let soon = |at: DateTime<Utc>| (TimeDelta::zero()..self.apart).contains(&(deed.at - at));
            self.posted.iter().any(|(of, at)| of == token && soon(*at))
        })
    }

    /// In how many calendars the copy of a Termin was edited that the lawyer deleted: each edit beats the deletion, and each
    /// employee gets a Termin of their own.
    pub fn edited_beside_a_delete(&self, token: &str) -> usize {
        let of = || self.deeds.iter().filter(|it| it.token == token);
        let deleted = of().any(|it| it.side == Side::Advoware && it.what == What::Delete);
        let edits = of().filter(|it| matches!((&it.side, &it.what), (Side::Google(_), What::Edit(..))));
        if deleted { edits.map(|it| format!("{:?}", it.side)).collect::<BTreeSet<_>>().len() } else { 0 }
    }

    /// All that happened to the entries that a fault names, for whoever looks for its reason.
    pub fn story(&self, sandbox: &Sandbox, fault: &str) -> String {
        let effects = sandbox.effects();
        let mut told = String::new();
        for token in
            self.created.keys().filter(|it| fault.split(|c: char| !c.is_alphanumeric()).any(|word| word == **it))
        {
            let says = |fields: &Fields| {
                let title = [text(fields, "text"), text(fields, "summary")].concat();
                title.split(' ').next() == Some(token)
            };
            let keys: BTreeSet<&String> =
                effects.iter().filter(|it| says(&it.body) || says(&it.changed)).map(|it| &it.key).collect();
            for effect in effects.iter().filter(|it| keys.iter().any(|key| it.key.starts_with(*key))) {
                let shown = [
                    "text",
                    "summary",
                    "ort",
                    "location",
                    "datum",
                    "uhrzeitVon",
                    "start",
                    "status",
                    "turnus",
                    "recurrence",
                ];
                let mut said = effect.changed.clone();
                said.retain(|name, _| shown.contains(&name.as_str()));
                let _ = writeln!(
                    told,
                    "    {} {:?} {:?} {} by {}: {}",
                    effect.at.format("%T%.3f"),
                    effect.system,
                    effect.change,
                    effect.key,
                    effect.by,
                    json!(said)
                );
            }
        }
        told
    }

    /// Whether a copy may be left although its Termin is gone.
    pub fn is_orphan(&self, kuerzel: &str, token: &str) -> bool {
        self.orphans.contains(&(kuerzel.to_owned(), token.to_owned()))
    }
}

/// The people, with dice.
pub struct People<'a> {
    sandbox: &'a Sandbox,
    kuerzel: Vec<String>,
    dice: StdRng,
    made: usize,
    /// The latest Termin that the lawyer made.
    last: i64,
    /// What they did.
    pub history: History,
}

impl<'a> People<'a> {
    /// With nothing done.
    pub fn new(sandbox: &'a Sandbox, kuerzel: &[String], seed: u64, apart: TimeDelta) -> Self {
        let history = History { apart, ..History::default() };
        let dice = StdRng::seed_from_u64(seed);
        Self { sandbox, kuerzel: kuerzel.to_vec(), dice, made: 0, last: FIRST, history }
    }

    /// Somebody does something.
    pub fn act(&mut self) {
        match self.dice.random_range(0..100) {
            0..20 => {
                self.termin();
            }
            20..35 => self.event(),
            35..65 => self.lawyer_edits(),
            65..92 => self.employee_edits(),
            92..96 => self.lawyer_deletes(),
            _ => self.employee_deletes(),
        }
    }

    fn one<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.dice.random_range(0..all.len())].clone())
    }

    fn kuerzel(&mut self) -> String {
        let all = self.kuerzel.clone();
        self.one(&all).expect("somebody works here")
    }

    fn a_day(&mut self) -> NaiveDate {
        day(self.dice.random_range(2..60))
    }

    fn hour(&mut self) -> u32 {
        self.dice.random_range(8..20)
    }

    fn token(&mut self, kind: Kind, shared: bool, days: impl IntoIterator<Item = NaiveDate>) -> String {
        self.made += 1;
        let token = format!("E{}", self.made);
        let made = Made { kind, shared, days: days.into_iter().collect() };
        self.history.created.insert(token.clone(), made);
        token
    }

    /// The lawyer makes a Termin; its number.
    pub fn termin(&mut self) -> i64 {
        let (owner, on, hour) = (self.kuerzel(), self.a_day(), self.hour());
        let (anwalt, sb) = match self.dice.random_range(0..100) {
            0..10 => (owner.clone(), self.kuerzel()),
            10..12 => ("ALLE".to_owned(), String::new()),
            _ => (owner.clone(), owner.clone()),
        };
        let (weekly, whole) = match self.dice.random_range(0..24) {
            0 | 1 => (true, false),
            2 | 3 => (false, true),
            _ => (false, false),
        };
        let weeks = if weekly { self.dice.random_range(2..6) } else { 1 };
        let days: Vec<_> = (0..weeks).map(|week| on + Days::new(week * 7)).collect();
        let token = self.token(if weekly { Kind::Simple } else { Kind::Single }, anwalt != sb, days.clone());
        let values = json!({ "text": format!("{token} Termin"), "notiz": format!("Notiz zu {token}"), "ort": "Büro",
            "datum": on, "uhrzeitVon": if whole { "00:00:00".to_owned() } else { format!("{hour:02}:00:00") },
            "uhrzeitBis": if whole { "23:59:59".to_owned() } else { format!("{:02}:00:00", hour + 1) },
            "datumBis": days.last(), "dauertermin": i64::from(weekly || whole), "turnus": i64::from(weekly),
            "turnusArt": if weekly { 2 } else { 0 }, "anwalt": anwalt, "sb": sb });
        self.last = self.sandbox.people().lawyer_create(TERMINE, &values).unwrap();
        self.last
    }

    /// An employee makes an event.
    fn event(&mut self) {
        let calendar = format!("AW-{}", self.kuerzel());
        let (on, hour) = (self.a_day(), self.hour());
        let (kind, body) = match self.dice.random_range(0..12) {
            0 => {
                let until = (on + Days::new(15)).format("%Y%m%d");
                let code = |day: NaiveDate| day.weekday().to_string()[..2].to_uppercase();
                let rule =
                    format!("RRULE:FREQ=WEEKLY;BYDAY={},{};UNTIL={until}T215959Z", code(on), code(on + Days::new(2)));
                (Kind::Complex, recurring("", on, hour, &[&rule]))
            }
            1 => (Kind::Simple, recurring("", on, hour, &["RRULE:FREQ=WEEKLY;COUNT=3"])),
            2 => (Kind::Single, json!({ "start": { "date": on }, "end": { "date": on + Days::new(2) } })),
            _ => (Kind::Single, json!({ "start": at(on, hour), "end": at(on, hour + 1) })),
        };
        if !self.sandbox.people().google_calendars().iter().any(|it| text(it, "summary") == calendar) {
            return;
        }
        let days: &[u64] = match kind {
            Kind::Single => &[0],
            Kind::Simple => &[0, 7, 14],
            Kind::Complex => &[0, 2, 7, 9, 14],
        };
        let token = self.token(kind, false, days.iter().map(|days| on + Days::new(*days)));
        let mut body = body;
        body["summary"] = json!(format!("{token} Event"));
        body["location"] = json!("Google");
        self.sandbox.people().google_create(&calendar, &body).unwrap();
    }

    fn note(&mut self, token: &str, on: Option<NaiveDate>, side: Side, what: What) {
        let at = Utc::now();
        self.history.deeds.push(Deed { token: token.to_owned(), on, side, at, what });
    }

    /// An edit of a field of an entry: which, and its new value.
    fn edit(&mut self, token: &str, may_move: bool) -> (Field, String) {
        let n = self.dice.random_range(0..1_000_000);
        match self.dice.random_range(0..if may_move { 3 } else { 2 }) {
            0 => (Field::Text, format!("{token} v{n}")),
            1 => (Field::Ort, format!("Ort {n}")),
            _ => (Field::Hour, format!("{:02}", self.hour())),
        }
    }

    fn a_termin(&mut self) -> Option<(Fields, String, Kind, NaiveDate)> {
        // A look at all of them would take longer than everything else.
        let termin = (0..50).find_map(|_| {
            let number = self.dice.random_range(FIRST..=self.last + 50);
            self.sandbox.people().advoware_get(TERMINE, number)
        })?;
        let token = token(&text(&termin, "text"));
        let on = text(&termin, "datum").get(..10)?.parse().ok()?;
        let kind = self.history.created.get(&token)?.kind;
        Some((termin, token, kind, on))
    }

    fn lawyer_edits(&mut self) {
        let Some((termin, token, kind, on)) = self.a_termin() else { return };
        let recurs = termin["turnus"].as_i64().unwrap_or(0) > 0;
        // What lasts the whole day has no hour.
        let (field, value) = self.edit(&token, termin["dauertermin"] != 1);
        let values = match field {
            Field::Text => json!({ "text": value }),
            Field::Ort => json!({ "ort": value }),
            Field::Hour => {
                let end = value.parse::<u32>().unwrap() + 1;
                json!({ "uhrzeitVon": format!("{value}:00:00"), "uhrzeitBis": format!("{end:02}:00:00") })
            }
        };
        let number = termin["frNr"].as_i64().unwrap();
        if self.sandbox.people().lawyer_update(TERMINE, number, &values).is_ok() {
            let on = (kind != Kind::Single && !recurs).then_some(on);
            self.note(&token, on, Side::Advoware, What::Edit(field, value));
        }
    }

    fn lawyer_deletes(&mut self) {
        let Some((termin, token, kind, on)) = self.a_termin() else { return };
        let recurs = termin["turnus"].as_i64().unwrap_or(0) > 0;
        if self.sandbox.people().lawyer_delete(TERMINE, termin["frNr"].as_i64().unwrap()).is_ok() {
            let on = (kind != Kind::Single && !recurs).then_some(on);
            self.note(&token, on, Side::Advoware, What::Delete);
        }
    }

    /// One that an employee sees: an event, a whole series, or, with a day, one instance.
    fn an_event(&mut self) -> Option<(String, Fields, Option<NaiveDate>)> {
        let calendar = format!("AW-{}", self.kuerzel());
        let all = self.sandbox.people().google_events(&calendar);
        let event = self.one(&all)?;
        if event.contains_key("recurringEventId") {
            let on = event["start"]["dateTime"].as_str()?.get(..10)?.parse().ok()?;
            return Some((calendar, event, Some(on)));
        }
        if !event.contains_key("recurrence") {
            return Some((calendar, event, None));
        }
        let made = self.history.created.get(&token(&text(&event, "summary")))?;
        let days: Vec<NaiveDate> = made.days.iter().copied().collect();
        // An instance of what recurs simply is seldom touched, since that takes the whole of it apart; and seldom the whole of
        // what recurs otherwise.
        let whole = self.dice.random_range(0..8) < if made.kind == Kind::Simple { 6 } else { 1 };
        let on = if whole { None } else { self.one(&days) };
        Some((calendar, event, on))
    }

    fn employee_edits(&mut self) {
        let Some((calendar, event, on)) = self.an_event() else { return };
        let token = token(&text(&event, "summary"));
        let timed = event["start"]["dateTime"].as_str();
        let its_day = on.or_else(|| timed?.get(..10)?.parse().ok());
        let (field, value) =
            self.edit(&token, its_day.is_some() && (on.is_some() || !event.contains_key("recurrence")));
        let values = match (field, its_day) {
            (Field::Text, _) => json!({ "summary": value }),
            (Field::Ort, _) => json!({ "location": value }),
            (Field::Hour, None) => return,
            (Field::Hour, Some(day)) => {
                let hour: u32 = value.parse().unwrap();
                json!({ "start": at(day, hour), "end": at(day, hour + 1) })
            }
        };
        let (people, id) = (self.sandbox.people(), text(&event, "id"));
        let done = match on.filter(|_| event.contains_key("recurrence")) {
            Some(day) => people.google_edit_instance(&calendar, &id, day, &values),
            None => people.google_update(&calendar, &id, &values),
        };
        // One that was cancelled cannot be edited.
        if done.is_ok() {
            self.note(&token, on, Side::Google(calendar), What::Edit(field, value));
        }
    }

    fn employee_deletes(&mut self) {
        let Some((calendar, event, on)) = self.an_event() else { return };
        let token = token(&text(&event, "summary"));
        let (people, id) = (self.sandbox.people(), text(&event, "id"));
        let done = match on.filter(|_| event.contains_key("recurrence")) {
            Some(day) => people.google_cancel_instance(&calendar, &id, day),
            None => people.google_delete(&calendar, &id),
        };
        if done.is_ok() {
            self.note(&token, on, Side::Google(calendar), What::Delete);
        }
    }
}
