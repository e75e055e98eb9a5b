//! A world in which many cases are played side by side.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use advosync::queue::Flow;
use advosync::sync::record::execute::{Boundary, Place};
use advosync_sandbox::{Action, Fault, Options};
use futures::future::join_all;
use tempfile::TempDir;

use super::super::{deleting, mapping_with};
use super::Blow;
use super::scene::{Case, Scene};
use crate::support::world::{HASTY, World};

/// So many failures of one upstream in a row would open its breaker with the next one.
const IN_A_ROW: usize = 4;
/// Who may be strained.
const PLACES: [Place; 2] = [Place::Advoware, Place::Espocrm];

/// The world, its cases, and where the stops lie.
pub(super) struct Stage {
    world: World,
    cases: Vec<Case>,
    halts: Halts,
    /// Read by every worker that starts.
    _mapping: TempDir,
}

/// The folder in which the program looks for its stops.
pub(super) struct Halts {
    folder: TempDir,
}

impl Halts {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// The setting that tells the program.
    pub(super) fn setting(&self) -> (&str, &str) {
        ("TEST_HALTS_OF_ADVOSYNC", self.folder.path().to_str().unwrap())
    }

    /// The next run of this key stops there.
    pub(super) fn set(&self, key: &str, boundary: Boundary, blow: Blow) {
        std::fs::write(self.path(key, boundary, blow), "").unwrap();
    }

    /// The stop is taken back.
    fn lift(&self, key: &str, boundary: Boundary, blow: Blow) {
        let _ = std::fs::remove_file(self.path(key, boundary, blow));
    }

    /// Whether a run stands there.
    pub(super) fn is_reached(&self, key: &str, boundary: Boundary, blow: Blow) -> bool {
        let mut path = self.path(key, boundary, blow).into_os_string();
        path.push(".reached");
        Path::new(&path).exists()
    }

    fn path(&self, key: &str, boundary: Boundary, blow: Blow) -> PathBuf {
        let side = if blow == Blow::KilledBefore { "before" } else { "after" };
        self.folder.path().join(format!("{key}.{}.{side}", boundary.name()))
    }
}

/// How the mapping differs from the shipped one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mapping {
    /// It does not.
    Shipped,
    /// Parties are deleted with their records.
    Deletes,
    /// New parties have a default.
    Defaults,
    /// Parties cannot be searched for.
    Unsearchable,
}

impl Mapping {
    /// A folder with its file.
    fn folder(self) -> TempDir {
        match self {
            Self::Shipped => mapping_with(str::to_owned),
            Self::Deletes => deleting(),
            Self::Defaults => {
                mapping_with(|shipped| shipped.to_owned() + "\n[create]\nadvoware = { rechtsform = \"e.K.\" }\n")
            }
            Self::Unsearchable => mapping_with(|shipped| {
                let of_search =
                    |line: &&str| ["[search]", "keys =", "unless_different ="].iter().any(|it| line.starts_with(it));
                let lines: Vec<&str> = shipped.lines().filter(|line| !of_search(line)).collect();
                assert!(lines.len() + 3 == shipped.lines().count(), "the shipped mapping is another one now");
                lines.join("\n")
            }),
        }
    }
}

impl Stage {
    /// A world with what is there before its scenes.
    pub(super) async fn open(mapping: Mapping, cases: Vec<(Scene, Boundary, Blow)>) -> Self {
        let (halts, mapping) = (Halts::new(), mapping.folder());
        let mut settings = HASTY.to_vec();
        let mappings = ("ADVOSYNC_MAPPINGS", mapping.path().to_str().unwrap());
        settings.extend([halts.setting(), ("ADVOSYNC_WORKER_CONCURRENCY", "96"), mappings]);
        let mut world = World::idle(&settings, Options::default()).await;
        // Every write of ours comes back as a webhook.
        world.sandbox.configure(|options| options.webhooks.honour_skip_own = false);
        let mut cases: Vec<Case> = cases.into_iter().enumerate().map(|(at, case)| Case::new(case, at)).collect();
        for case in &mut cases {
            case.arrange(&world);
        }
        world.start_worker();
        world.rest().await;
        Self { world, cases, halts, _mapping: mapping }
    }

    /// All cases at once: each run stands still at its stop, then the process is killed, and another one finishes.
    pub(super) async fn killed(mut self) {
        for case in &mut self.cases {
            case.begin(&self.world).await;
            self.halts.set(&case.id, case.boundary, case.blow);
        }
        self.world.deliver().await;
        for case in &mut self.cases {
            case.go_on(&self.world).await;
        }
        self.world.deliver().await;
        let missing = || self.cases.iter().filter(|it| !self.halts.is_reached(&it.id, it.boundary, it.blow));
        let by = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while missing().next().is_some() && std::time::Instant::now() < by {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let mut never = Vec::new();
        for case in missing() {
            never.push(format!("{case}: it never reaches its boundary"));
            self.halts.lift(&case.id, case.boundary, case.blow);
        }
        self.world.kill_worker();
        self.world.sandbox.clear_faults();
        for case in &self.cases {
            case.meanwhile(&self.world);
        }
        self.world.start_worker();
        self.world.rest().await;
        self.end(never).await;
    }

    /// Each effect is answered otherwise once, few at a time.
    pub(super) async fn unanswered(mut self) {
        let mut left = std::mem::take(&mut self.cases);
        while !left.is_empty() {
            let mut round: Vec<Case> = Vec::new();
            left.retain(|case| {
                let strained = |place| round.iter().filter(|it| it.strains(place)).count();
                let fits = PLACES.into_iter().all(|place| !case.strains(place) || strained(place) < IN_A_ROW);
                if fits {
                    round.push(case.clone());
                }
                !fits
            });
            self.play(&mut round).await;
            self.cases.extend(round);
        }
        self.end(Vec::new()).await;
    }

    async fn play(&self, round: &mut [Case]) {
        for case in &mut *round {
            case.begin(&self.world).await;
            let fault = Fault { target: case.request(), times: Some(1), ..Fault::default() };
            self.world.sandbox.fault(match case.blow {
                Blow::AnswerLost => fault.then(Action::LoseAnswer),
                _ => fault.answer_after(500, "Interner Fehler"),
            });
        }
        self.world.deliver().await;
        self.world.settle().await;
        for case in &*round {
            case.meanwhile(&self.world);
        }
        self.world.rest().await;
        let planted: u64 = round.iter().map(|case| 1 + case.faults()).sum();
        let cases: Vec<String> = round.iter().map(ToString::to_string).collect();
        assert_eq!(self.world.sandbox.faults_struck(), planted, "some never reach their boundary: {cases:#?}");
        self.world.sandbox.clear_faults();
    }

    /// The cases whose jobs are dead.
    async fn letters(&self) -> Vec<String> {
        let letters = self.world.queue.dead_letters(Flow::Vmh, 100).await.unwrap();
        let of = |case: &&Case| letters.iter().any(|it| it.key.as_ref() == Some(&case.id) && !it.resolved);
        self.cases.iter().filter(of).map(ToString::to_string).collect()
    }

    /// People decide what only they can, then everything is as it has to be, and one more run writes nothing.
    async fn end(self, mut failures: Vec<String>) {
        let world = &self.world;
        let waiting = self.cases.iter().filter(|case| case.waits()).map(ToString::to_string);
        let (waiting, dead) = (waiting.collect::<Vec<_>>(), self.letters().await);
        if waiting != dead {
            failures.push(format!("dead letters of {dead:#?} instead of {waiting:#?}"));
        }
        if self.cases.iter().filter(|case| case.decide(world)).count() > 0 {
            world.rest().await;
        }
        let dead: Vec<String> = self.letters().await;
        failures.extend(dead.into_iter().map(|case| format!("{case}: a dead letter")));
        join_all(self.cases.iter().filter(|case| case.owes()).map(|case| world.done(&case.id))).await;
        let mut numbers = BTreeSet::new();
        for case in &self.cases {
            match catch_unwind(AssertUnwindSafe(|| case.check(world))) {
                Ok(number) if number.is_some_and(|it| !numbers.insert(it)) => {
                    failures.push(format!("{case}: it shares its party"));
                }
                Ok(_) => {}
                Err(_) => failures.push(format!("{case}: not as it has to be, see above")),
            }
        }
        assert!(failures.is_empty(), "{failures:#?}");
        let expected: usize = self.cases.iter().map(Case::parties).sum();
        assert_eq!(world.parties().len(), expected, "parties: {:?}", world.parties());
        for left in ["intents", "intent_keys"] {
            assert_eq!(world.redis.cli(&["HLEN", &format!("ledger:beteiligte:{left}")]), "0", "{left}");
        }
        // A count that a crash came before is lost; none is made twice.
        let drifted = self.cases.iter().filter(|it| it.scene == Scene::Drift && it.blow == Blow::KilledAfter).count();
        let counted = world.redis.cli(&["HVALS", "ledger:beteiligte:drift"]);
        assert_eq!(counted.lines().filter_map(|it| it.trim().parse::<usize>().ok()).sum::<usize>(), drifted, "drift");
        let mark = world.mark();
        let words = join_all(self.cases.iter().map(|case| world.done(&case.id))).await;
        for (case, word) in self.cases.iter().zip(words) {
            assert_eq!(word, case.last_word(), "one run more: {case}");
        }
        assert_eq!(world.writes(mark), [], "one run more writes nothing");
        assert_eq!(world.stats().await.dead, 0);
    }
}
