//! The calendar flow: the client of Google against the sandbox with the events that the sync writes, what is remembered of
//! a calendar, what a worker is made of, and the sync as a whole.
//!
//! What the sync did is read from both systems and from the sandbox's log of effects, never from what a job says of
//! itself; where a job's word is a promise to people (`held_deletions`), it is checked beside the effects.

mod bad_input;
mod both_ways;
mod converge;
mod crash;
mod deletions;
mod first_sync;
mod google;
mod interrupted;
mod ledger;
mod modes;
mod odd;
mod push;
mod races;
mod rebuild;
mod series;
mod series_apart;
mod series_support;
mod shared;
mod soak;
mod support;
mod unknown;
mod upstreams;
