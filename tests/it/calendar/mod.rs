//! The calendar flow: so far the client of Google against the sandbox with the events that the sync writes, what is
//! remembered of a calendar, and what a worker is made of.

mod bad_input;
mod google;
mod interrupted;
mod ledger;
mod series;
mod series_apart;
mod series_support;
mod soak;
mod upstreams;
