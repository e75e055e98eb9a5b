//! What can happen to the queue: the alphabet of the random sequences.

use advosync::queue::{Lane, RecordAction};
use proptest::prelude::*;

/// The records that the sequences are about. Few, so that jobs meet.
pub(super) const KEYS: [&str; 3] = ["a", "b", "c"];
/// The actions that ask for a run of a record. All of one record share its lock.
pub(super) const ACTIONS: [RecordAction; 3] = [RecordAction::Create, RecordAction::Update, RecordAction::SyncCheck];
/// What a job may have to say to its handler, by number: mostly nothing.
pub(super) const WORDS: [Option<u8>; 3] = [None, Some(1), Some(2)];
/// How many worker processes there are at any time.
pub(super) const WORKERS: usize = 3;

/// One thing that happens. Numbers that choose among what is there (`who`, `which`) are taken modulo its size, so that a
/// sequence stays meaningful while it shrinks; what has nothing to act on does nothing.
#[derive(Debug, Clone)]
pub(super) enum Op {
    /// A webhook, trigger or schedule asks for these keys; `twice`: its answer was lost, and it asks again.
    Enqueue {
        action: RecordAction,
        lane: Lane,
        keys: Vec<&'static str>,
        words: Option<u8>,
        twice: bool,
    },
    /// A person writes a job into each lane with XADD, under one id; no pending set knows of them.
    ByHand {
        action: RecordAction,
        keys: [&'static str; 2],
    },
    /// A worker asks for jobs.
    Next {
        worker: usize,
        free: usize,
        sweep: usize,
    },
    /// A worker looks for what others left behind.
    Reclaim {
        worker: usize,
        free: usize,
        sweep: usize,
    },
    /// Redis delivers, and the answer never arrives.
    LostRead {
        worker: usize,
        lane: Lane,
        count: usize,
    },
    /// A worker tells how some of its runs ended; `twice`: the answer was lost, and it tells them again.
    Finish {
        who: usize,
        ends: Vec<(usize, Verb)>,
        twice: bool,
    },
    /// A worker drops a run without a word: it heard that the lease is lost, or never heard that it has it.
    Drop {
        who: usize,
        which: usize,
    },
    /// Half a lease goes by, then a worker renews the leases of everything that it believes to run.
    Renew {
        who: usize,
    },
    /// A worker process is gone with what it ran; `polite`: it says goodbye first. A new one takes its place.
    Crash {
        worker: usize,
        polite: bool,
    },
    /// Nobody renewed a record's lease in time, whether its worker is gone or only frozen.
    LeaseRunsOut {
        which: usize,
    },
    /// The time of a record's retry or quiet time has come.
    Due {
        which: usize,
    },
    /// Somebody looks after due retries and waiters without a holder.
    Tend,
    /// Somebody looks after pending ids of an empty queue.
    Tidy,
    /// A person deletes a pending set.
    ForgetPending {
        action: RecordAction,
        lane: Lane,
    },
    /// A person replays one dead letter, all, or those of one topic.
    ReplayOne {
        which: usize,
    },
    ReplayAll,
    ReplayTopic {
        action: RecordAction,
    },
    /// A person throws a dead letter away.
    Discard {
        which: usize,
    },
    /// Redis is killed and comes back.
    Restart,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Done,
    Skip,
    /// It failed: the worker's policy makes a retry of it, or a dead letter after the last attempt.
    Fail,
    /// It failed and is due again at once, or not before `Due`.
    Retry {
        far: bool,
    },
    Later {
        far: bool,
    },
    Hold {
        far: bool,
    },
    Dead,
    Back,
}

/// Random sequences of at most `length`.
pub(super) fn sequences(length: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..=length)
}

fn op() -> impl Strategy<Value = Op> {
    let worker = || 0..WORKERS;
    let which = || 0..6_usize;
    prop_oneof![
        20 => (action(), lane(), prop::collection::vec(key(), 1..4), words(), prop::bool::weighted(0.1))
            .prop_map(|(action, lane, keys, words, twice)| Op::Enqueue { action, lane, keys, words, twice }),
        4 => (action(), [key(), key()]).prop_map(|(action, keys)| Op::ByHand { action, keys }),
        20 => (worker(), 1..6_usize, 0..4_usize).prop_map(|(worker, free, sweep)| Op::Next { worker, free, sweep }),
        6 => (worker(), 1..6_usize, 0..4_usize).prop_map(|(worker, free, sweep)| Op::Reclaim { worker, free, sweep }),
        2 => (worker(), lane(), 1..3_usize).prop_map(|(worker, lane, count)| Op::LostRead { worker, lane, count }),
        24 => (which(), prop::collection::vec((which(), verb()), 1..4), prop::bool::weighted(0.1))
            .prop_map(|(who, ends, twice)| Op::Finish { who, ends, twice }),
        2 => (which(), which()).prop_map(|(who, which)| Op::Drop { who, which }),
        3 => which().prop_map(|who| Op::Renew { who }),
        2 => (worker(), any::<bool>()).prop_map(|(worker, polite)| Op::Crash { worker, polite }),
        6 => which().prop_map(|which| Op::LeaseRunsOut { which }),
        5 => which().prop_map(|which| Op::Due { which }),
        8 => Just(Op::Tend),
        1 => Just(Op::Tidy),
        1 => (action(), lane()).prop_map(|(action, lane)| Op::ForgetPending { action, lane }),
        3 => which().prop_map(|which| Op::ReplayOne { which }),
        1 => Just(Op::ReplayAll),
        1 => action().prop_map(|action| Op::ReplayTopic { action }),
        3 => which().prop_map(|which| Op::Discard { which }),
        1 => Just(Op::Restart),
    ]
}

fn words() -> impl Strategy<Value = Option<u8>> {
    prop_oneof![8 => Just(WORDS[0]), 1 => Just(WORDS[1]), 1 => Just(WORDS[2])]
}

fn key() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(KEYS[0]), 1 => Just(KEYS[1]), 1 => Just(KEYS[2])]
}

fn action() -> impl Strategy<Value = RecordAction> {
    prop_oneof![1 => Just(ACTIONS[0]), 4 => Just(ACTIONS[1]), 1 => Just(ACTIONS[2])]
}

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![3 => Just(Lane::First), 2 => Just(Lane::Sweep)]
}

fn verb() -> impl Strategy<Value = Verb> {
    let far = || any::<bool>();
    prop_oneof![
        5 => Just(Verb::Done),
        2 => Just(Verb::Skip),
        4 => Just(Verb::Fail),
        4 => far().prop_map(|far| Verb::Retry { far }),
        1 => far().prop_map(|far| Verb::Later { far }),
        3 => far().prop_map(|far| Verb::Hold { far }),
        4 => Just(Verb::Dead),
        4 => Just(Verb::Back),
    ]
}
