//! Everything at once, for a while: calendars are synced while both systems fail now and then, workers are killed, and
//! people work at both sides. What has come of it is judged by what both systems show ([`check`]).
//!
//! A small one by default; `make soak` runs the full one: 20 employees, 2,000 Termine. `ADVOSYNC_SOAK_SECONDS` sets its
//! length, `ADVOSYNC_SOAK_SEED` repeats what the dice said.

mod check;
mod people;

use std::time::{Duration, Instant};

use advosync::queue::{Batch, Lane, Topic};
use advosync_sandbox::{Fault, Options, Sandbox, System, TERMINE};
use chrono::TimeDelta;
use serde_json::json;

use self::check::Seen;
use self::people::{History, People};
use super::series_support::{at, day};
use crate::support::soak;
use crate::support::world::World;

/// Processes at work.
const WORKERS: usize = 3;
/// All calendars are synced this often.
const SYNC_EVERY: Duration = Duration::from_millis(700);
/// Google forgets every sync token this often.
const FORGET_EVERY: Duration = Duration::from_secs(7);
/// Somebody does something, this often.
const ACT_EVERY: Duration = Duration::from_millis(15);
/// How long it may take until nothing is left to be done.
const REST: Duration = Duration::from_mins(4);

const SETTINGS: [(&str, &str); 10] = [
    ("GOOGLE_MIN_INTERVAL", "0ms"),
    ("GOOGLE_MAX_RATE", "1000"),
    ("ADVOSYNC_RETRY_SCHEDULE", "200ms,500ms"),
    ("ADVOSYNC_MAX_ATTEMPTS", "1000"),
    ("ADVOWARE_API_TIMEOUT_SECONDS", "1"),
    ("ADVOSYNC_QUIET_TIME", "1500ms"),
    ("ADVOSYNC_LEASE", "1500ms"),
    ("CALENDAR_SYNC_FUTURE", "200d"),
    ("CALENDAR_SYNC_MAX_DELETIONS", "100%"),
    ("RUST_LOG", "warn"),
];

/// How much.
struct Size {
    employees: usize,
    termine: usize,
    length: Duration,
    /// A worker is killed this often, and replaced.
    kill_every: Duration,
    /// [`History::apart`], seconds.
    apart: i64,
}

impl Size {
    fn chosen() -> Self {
        if let Some(length) = soak::length() {
            return Self { employees: 20, termine: 2_000, length, kill_every: Duration::from_secs(5), apart: 45 };
        }
        let (length, kill_every) = (Duration::from_secs(20), Duration::from_millis(1_700));
        Self { employees: 6, termine: 300, length, kill_every, apart: 10 }
    }
}

/// An installation with employees, and no worker yet.
async fn firm(employees: usize, seed: u64) -> (World, Vec<String>) {
    let world = World::idle(&SETTINGS, Options { seed, ..Options::default() }).await;
    let kuerzel: Vec<String> = (1..=employees).map(|n| format!("M{n}")).collect();
    for kuerzel in &kuerzel {
        let employee = json!({ "kuerzel": kuerzel, "name": "N", "vorname": "V", "aktiv": true });
        world.sandbox.people().lawyer_create("Mitarbeiter", &employee).unwrap();
    }
    (world, kuerzel)
}

/// 5 % of all calls fail without an effect, 2 % of all answers are lost, and a third take as long as they do over the
/// internet, so that whoever is killed was at work.
fn trouble(sandbox: &Sandbox) {
    for system in [System::Advoware, System::Google] {
        sandbox.fault(Fault::on(system).probability(0.05).answer(500, "a scripted fault"));
        sandbox.fault(Fault::on(system).probability(0.02).lose_answer());
        for delayed in [Fault::delay_before, Fault::delay_after] {
            sandbox.fault(delayed(Fault::on(system).probability(0.15), Duration::from_millis(60)));
        }
    }
}

async fn sync_all(world: &World) {
    let (code, said) = world.run(&["sync", "ALL"]).await;
    assert_eq!(code, 0, "{said}");
}

/// Syncs all, and waits until nothing waits or runs; how much the program wrote.
async fn round(world: &World) -> usize {
    let mark = world.mark();
    sync_all(world).await;
    let by = Instant::now() + REST;
    loop {
        let stats = world.queue.stats(chrono::Utc::now()).await.unwrap().flows["calendar"];
        if stats.ready + stats.sweep + stats.running + stats.parked + stats.scheduled == 0 {
            break;
        }
        assert!(Instant::now() < by, "the calendars never come to rest: {stats:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let people = ["lawyer", "employee"];
    world.sandbox.effects_since(mark).iter().filter(|effect| !people.contains(&effect.by.as_str())).count()
}

/// Rounds until one writes nothing; how many it took.
async fn rest(world: &World) -> usize {
    for times in 1..=8 {
        if round(world).await == 0 {
            return times;
        }
    }
    panic!("eight runs with nobody else at work, and each has something to write")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_agree_after_faults_kills_and_people_at_work() {
    let (size, seed) = (Size::chosen(), soak::seed());
    let (mut world, kuerzel) = firm(size.employees, seed).await;
    let sandbox = world.sandbox.clone();
    let mut people = People::new(&sandbox, &kuerzel, seed, TimeDelta::seconds(size.apart));
    for _ in 0..size.termine {
        people.termin();
    }
    trouble(&sandbox);
    (0..WORKERS).for_each(|_| world.start_worker());
    sync_all(&world).await;
    // From now on as the schedule does: a process for each would leave people and workers little of this machine.
    let (queue, keys) = (world.queue.clone(), ["ALL".to_owned()]);
    let all = Batch::new(Topic::CalendarAll, Lane::Sweep, &keys, "soak");
    let begun = Instant::now();
    let (mut act, mut sync) = (tokio::time::interval(ACT_EVERY), tokio::time::interval(SYNC_EVERY));
    let (mut kill, mut forget) = (tokio::time::interval(size.kill_every), tokio::time::interval(FORGET_EVERY));
    kill.tick().await;
    let mut killed = 0;
    while begun.elapsed() < size.length {
        tokio::select! {
            _ = act.tick() => people.act(),
            _ = sync.tick() => drop(queue.enqueue(&all).await.unwrap()),
            _ = forget.tick() => sandbox.expire_sync_tokens(),
            _ = kill.tick() => {
                world.kill_worker();
                world.start_worker();
                killed += 1;
            }
        }
    }
    let struck = sandbox.faults_struck();
    sandbox.clear_faults();
    let settling = Instant::now();
    let rounds = rest(&world).await;
    let settled = settling.elapsed();
    people.history.read(&sandbox);
    let History { created, deeds, orphans, .. } = &people.history;
    println!(
        "{} employees, {} Termine at first and {} entries in all, {} deeds of people, {killed} workers killed, {struck} \
         faults; {} calls to Advoware and {} to Google in {:.1?}; at rest after {settled:.1?} and {rounds} rounds; up to {} \
         orphans",
        size.employees,
        size.termine,
        created.len(),
        deeds.len(),
        sandbox.count(System::Advoware).calls,
        sandbox.count(System::Google).calls,
        begun.elapsed(),
        orphans.len(),
    );
    let faults = Seen::of(&sandbox, &kuerzel).faults(&people.history);
    for fault in faults.iter().take(10) {
        eprintln!("{fault}\n{}", people.history.story(&sandbox, fault));
    }
    assert!(faults.is_empty(), "{} faults with seed {seed}, the first of them above", faults.len());
    let stats = world.queue.stats(chrono::Utc::now()).await.unwrap();
    assert_eq!(stats.flows["calendar"].dead, 0, "nothing is left to a person");
}

/// What the checker is for, done by hand.
#[tokio::test(flavor = "multi_thread")]
async fn the_checker_sees_what_is_double_lost_or_different() {
    let (mut world, kuerzel) = firm(3, 1).await;
    let sandbox = world.sandbox.clone();
    let mut people = People::new(&sandbox, &kuerzel, 1, TimeDelta::seconds(10));
    let numbers: Vec<i64> = (0..12).map(|_| people.termin()).collect();
    world.start_worker();
    rest(&world).await;
    (0..40).for_each(|_| people.act());
    rest(&world).await;
    people.history.read(&sandbox);
    let history = &people.history;
    let faults = || Seen::of(&sandbox, &kuerzel).faults(history);
    assert_eq!(faults(), [] as [String; 0]);

    let mut known = 0;
    let mut grows = |what: &str| {
        let found = faults();
        assert!(found.len() > known, "not seen: {what}: {found:?}");
        known = found.len();
    };
    let by_hand = sandbox.people();
    let calendar = "AW-M1";
    let event = json!({ "summary": "E1 Termin", "start": at(day(3), 9), "end": at(day(3), 10) });
    let double = by_hand.google_create(calendar, &event).unwrap();
    grows("an event without a Termin");
    by_hand.google_update(calendar, &double, &json!({ "location": "anderswo" })).unwrap();
    let still: Vec<i64> = numbers.into_iter().filter(|it| by_hand.advoware_get(TERMINE, *it).is_some()).collect();
    by_hand.lawyer_update(TERMINE, still[0], &json!({ "ort": "nirgends" })).unwrap();
    grows("a place that differs");
    let copy = by_hand.advoware_get(TERMINE, still[1]).unwrap();
    by_hand
        .lawyer_create(TERMINE, &json!(copy.into_iter().filter(|it| it.0 != "frNr").collect::<serde_json::Map<_, _>>()))
        .unwrap();
    grows("a Termin that is there twice");
    by_hand.lawyer_delete(TERMINE, still[2]).unwrap();
    grows("a Termin that is lost");
    by_hand.google_create_calendar(calendar).unwrap();
    grows("a calendar that is there twice");
}
