//! The sandbox must be what the contracts say, or the product's tests prove nothing.

#![expect(clippy::unwrap_used, reason = "all of this is test code; a panic is the report")]

mod advoware;
mod control;
mod espocrm;
mod faults;
mod google;
mod lists;
mod metadata;
mod outage;
mod webhooks;
mod world;
