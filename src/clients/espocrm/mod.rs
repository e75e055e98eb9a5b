//! `EspoCRM` REST client (`/api/v1`): records, lists, notes.
//!
//! Source of every wire detail: the contract page on EspoCRM, section "REST". Entity and field names come from the
//! caller. What a failure means is read from the status **and** the `X-Status-Reason` header, because a proxy's 404 must
//! never look like a deleted record.

mod auth;
mod classify;
mod client;
mod error;
mod exchange;
mod options;
mod records;
mod search;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use error::Error;
pub use options::{Credentials, Options};
pub use records::Record;
pub use search::{Page, Search, Where};
