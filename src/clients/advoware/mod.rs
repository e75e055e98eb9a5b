//! Advoware REST client: sign-in with a shared token, generic record calls, and raw forwarding for the proxy.
//!
//! Source of every wire detail: the contract page on Advoware's REST API. Paths and field names come from mapping data;
//! only the employee list is known here.
//!
//! A call takes a permit, takes the shared token, is sent once, and on a 401 once more with a new token. All requests
//! to Advoware's data leave through one function in `exchange`, which also holds the write protection.

mod address;
mod classify;
mod client;
mod discovery;
mod employees;
mod error;
mod exchange;
mod forward;
mod options;
mod records;
mod renewal;
mod sign_in;
mod signature;
mod token;

#[cfg(test)]
mod tests;

pub use address::Key;
pub use client::Client;
pub use employees::Employee;
pub use error::Error;
pub use forward::{Admission, Forwarded, Outgoing};
pub use options::Options;
pub use records::{Created, Record};
pub use sign_in::Stamp;
pub use signature::signature;
pub use token::{Lease, MemoryTokenStore, StoreError, TokenStore};
