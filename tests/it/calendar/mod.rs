//! The calendar flow: so far the client of Google against the sandbox with the events that the sync writes, and what is
//! remembered of a calendar.

mod google;
mod ledger;
