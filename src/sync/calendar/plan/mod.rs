//! What is to be done, from what was read: pure.
//!
//! [`merge`] decides for one Termin and its counterpart which fields go where.

pub mod merge;
