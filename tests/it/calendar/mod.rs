//! The calendar flow: so far the client of Google against the sandbox, with the events that the sync writes.

mod google;
