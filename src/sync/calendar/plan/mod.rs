//! What is to be done, from what was read: pure.
//!
//! [`fate`] decides for one pair what has become of it: whether both sides are there, what must be asked before anything is
//! deleted, who wins. [`merge`] decides which fields go where, for pairs whose both sides are there. [`deletions`] holds back
//! deletions that are too many.

pub mod deletions;
pub mod fate;
pub mod merge;
