//! How a run ended, in the queue's words.

use std::time::Duration;

use serde_json::Value;

/// What a handler's run came to. Only `Retry` and `Dead` count as attempts (Q7).
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done {
        /// One word for lists, such as `created` or `unchanged`.
        result: String,
        /// Whatever a person who waits for the job should see.
        detail: Option<Value>,
    },
    /// There was nothing to do for this job, and that says nothing about the record: what an earlier run left (a dead
    /// letter, a count) stays as it is.
    Skipped {
        /// Why, for lists.
        reason: String,
    },
    /// It failed; try again after this time.
    Retry {
        /// From now.
        after: Duration,
        /// What happened.
        error: Fault,
    },
    /// Nothing failed, but it cannot go on before this time, and no other job of its key may either (a quiet time).
    Hold {
        /// From now.
        after: Duration,
        /// Why, for `status` and the console.
        reason: String,
    },
    /// Nothing failed, but it cannot go on now (an upstream is away, no worker knows the topic).
    Later {
        /// From now.
        after: Duration,
        /// Why, for `status` and the console.
        reason: String,
    },
    /// It failed for good; a person looks at it.
    Dead {
        /// What happened.
        error: Fault,
    },
    /// The process stops; somebody else takes it.
    Back,
}

/// An error in the words that are kept on the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A short stable word for the kind.
    pub code: String,
    /// What happened, to which record, what to do.
    pub message: String,
}

impl Fault {
    /// An error with a stable code.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}
