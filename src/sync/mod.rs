//! Syncing: what is to be done (pure) and doing it (thin).

pub mod calendar;
mod failure;
pub mod ledger;
pub mod record;
