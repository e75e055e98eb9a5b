//! The crash matrix: at every effect of a run the process is killed by SIGKILL, before it and after it; and every effect
//! outside loses its answer, or is answered with 500. Afterwards there is one party a record, both sides are equal, nothing
//! was overwritten without a note, and one more run writes nothing.
//!
//! The cases are made from [`Boundary::ALL`] and [`SCENES`]: a boundary that no scene reaches fails
//! [`every_boundary_has_a_scene`], and a scene that does not reach its boundary fails by its case's name. Many cases share a
//! world and a kill: each run stands still at its stop ([`advosync::sync::record::execute::Halts`]) until all are there.

mod scene;
mod stage;
mod trials;

use advosync::sync::record::execute::Boundary;
use advosync::sync::record::execute::Boundary::{
    AdoptionStored, AgreementStored, CreateStored, CreateTold, DriftCounted, FailureForgotten, FailureMessaged,
    FailureNoted, FailureRemembered, FailureTold, IntentOutdated, IntentStored, IntentWithdrawn, LinkStored, LinkTold,
    LookDropped, LookEnded, LookMarked, MessagePaid, MessageSent, NamesakeTold, NoteOwed, NotePaid, NoteWritten,
    NumberClaimed, NumberStored, OwnerAsked, PairCleared, PairDissolved, PartyDeleted, PartyPosted, PartyPut,
    PutStored, RecordUpdated, TrialsBegun, TrialsForgotten, UnheardStored, UpdateStored,
};
use advosync::sync::record::execute::Place;

use scene::Scene;
use stage::{Mapping, Stage};

/// What happens at a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// SIGKILL before the effect.
    KilledBefore,
    /// SIGKILL after the effect.
    KilledAfter,
    /// It takes effect, and the connection is cut.
    AnswerLost,
    /// It takes effect, and the answer is 500.
    ErrorAfter,
}

/// Which boundaries a scene is played at. One boundary may stand at several.
const SCENES: [(Scene, &[Boundary]); 23] = [
    (Scene::Create, &[IntentStored, PartyPosted, CreateStored, CreateTold, UpdateStored, LookMarked]),
    (Scene::CreateEdited, &[IntentStored, PartyPosted, CreateStored, CreateTold]),
    (Scene::Unsearchable, &[IntentStored, PartyPosted, CreateStored, CreateTold]),
    (Scene::Twin, &[IntentStored, PartyPosted, CreateStored]),
    (Scene::Refused, &[IntentWithdrawn]),
    (Scene::Renamed, &[IntentOutdated]),
    (Scene::Numbered, &[NumberStored]),
    (Scene::Adopt, &[AdoptionStored, RecordUpdated]),
    (Scene::Link, &[LinkStored, LinkTold]),
    (Scene::Edit, &[PartyPut, PutStored, RecordUpdated, LookMarked]),
    (Scene::EditAgain, &[PartyPut, PutStored, RecordUpdated]),
    (Scene::Unheard, &[UnheardStored]),
    (Scene::LawyersEdit, &[AgreementStored, RecordUpdated, UpdateStored]),
    (Scene::ByHand, &[NumberClaimed, PartyPut, PutStored, RecordUpdated]),
    (
        Scene::Conflict,
        &[NoteOwed, PartyPut, PutStored, RecordUpdated, UpdateStored, NoteWritten, NotePaid, MessageSent, MessagePaid],
    ),
    (Scene::Cleared, &[PairCleared]),
    (Scene::Drift, &[DriftCounted]),
    (Scene::Deleted, &[PairDissolved, LookEnded]),
    (Scene::Merged, &[NamesakeTold, PairDissolved]),
    (Scene::TakenOver, &[OwnerAsked, AgreementStored, RecordUpdated, NoteWritten, NotePaid]),
    (Scene::DeletedBoth, &[PartyDeleted, PairDissolved, LookEnded]),
    (Scene::FailsOnce, &[FailureRemembered, FailureTold, FailureForgotten, TrialsForgotten]),
    (Scene::FailsForGood, &[FailureRemembered, TrialsBegun, FailureTold, LookDropped, FailureNoted, FailureMessaged]),
];

/// The cases of these scenes: each of their boundaries with each blow.
fn cases(scenes: impl Fn(Scene) -> bool, blows: &[Blow]) -> Vec<(Scene, Boundary, Blow)> {
    let mut cases = Vec::new();
    for (scene, boundaries) in SCENES.into_iter().filter(|(scene, _)| scenes(*scene)) {
        for boundary in boundaries {
            for blow in blows {
                let is_kill = matches!(blow, Blow::KilledBefore | Blow::KilledAfter);
                if is_kill || boundary.place() != Place::Redis {
                    cases.push((scene, *boundary, *blow));
                }
            }
        }
    }
    cases
}

const KILLS: [Blow; 2] = [Blow::KilledBefore, Blow::KilledAfter];
const ANSWERS: [Blow; 2] = [Blow::AnswerLost, Blow::ErrorAfter];

/// Which test plays a scene's kills.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Creates,
    Updates,
    Ends,
    Unsearchable,
}

const fn act(scene: Scene) -> Act {
    match scene {
        Scene::Create
        | Scene::CreateEdited
        | Scene::Twin
        | Scene::Refused
        | Scene::Renamed
        | Scene::Numbered
        | Scene::Adopt
        | Scene::Link => Act::Creates,
        Scene::Edit
        | Scene::EditAgain
        | Scene::Unheard
        | Scene::LawyersEdit
        | Scene::Conflict
        | Scene::Cleared
        | Scene::ByHand
        | Scene::Drift
        | Scene::Merged
        | Scene::Deleted => Act::Updates,
        Scene::TakenOver | Scene::DeletedBoth | Scene::FailsOnce | Scene::FailsForGood => Act::Ends,
        Scene::Unsearchable => Act::Unsearchable,
    }
}

#[test]
fn every_boundary_has_a_scene() {
    let played = |boundary: &Boundary| {
        trials::BOUNDARIES.contains(boundary) || SCENES.iter().any(|(_, reached)| reached.contains(boundary))
    };
    let missing: Vec<&Boundary> = Boundary::ALL.iter().filter(|boundary| !played(boundary)).collect();
    assert!(missing.is_empty(), "no scene reaches {missing:?}: write one, or add them to one in SCENES");
}

#[test]
fn every_boundary_is_in_the_manual() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/record.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells: String = rows.filter_map(|row| row.split('|').nth(1)).collect();
    let names: Vec<&str> = cells.split('`').skip(1).step_by(2).collect();
    let all: Vec<&str> = Boundary::ALL.iter().map(|boundary| boundary.name()).collect();
    assert_eq!(names, all, "docs/record.md has one row for each, in the order of the code");
}

#[tokio::test]
async fn creates_and_links_killed_anywhere() {
    Stage::open(Mapping::Defaults, cases(|scene| act(scene) == Act::Creates, &KILLS)).await.killed().await;
}

#[tokio::test]
async fn updates_killed_anywhere() {
    Stage::open(Mapping::Shipped, cases(|scene| act(scene) == Act::Updates, &KILLS)).await.killed().await;
}

#[tokio::test]
async fn a_note_on_a_namesake_whose_answer_is_lost_or_an_error() {
    Stage::open(Mapping::Shipped, cases(|scene| scene == Scene::Merged, &ANSWERS)).await.unanswered().await;
}

#[tokio::test]
async fn failures_and_deletes_killed_anywhere() {
    Stage::open(Mapping::Deletes, cases(|scene| act(scene) == Act::Ends, &KILLS)).await.killed().await;
}

#[tokio::test]
async fn an_effect_whose_answer_is_lost_or_an_error() {
    // What a mapping that keeps parties does differently has no effect outside.
    let outside = cases(|scene| !matches!(scene, Scene::Deleted | Scene::Merged | Scene::Unsearchable), &ANSWERS);
    Stage::open(Mapping::Deletes, outside).await.unanswered().await;
}

#[tokio::test]
async fn creates_that_cannot_be_searched_for_killed_anywhere() {
    let killed = cases(|scene| act(scene) == Act::Unsearchable, &KILLS);
    Stage::open(Mapping::Unsearchable, killed).await.killed().await;
}

#[tokio::test]
async fn creates_that_cannot_be_searched_for_whose_answer_is_lost_or_an_error() {
    let outside = cases(|scene| act(scene) == Act::Unsearchable, &ANSWERS);
    Stage::open(Mapping::Unsearchable, outside).await.unanswered().await;
}
