//! Google Calendar client: service-account sign-in, calendars, their sharing, events as raw JSON, push channels.
//!
//! Source of every wire detail: the contract page on the Google Calendar API. All requests leave through `exchange`,
//! which asks the limiter before each of them.

mod calendars;
mod channels;
mod classify;
mod client;
mod error;
mod events;
mod exchange;
mod limiter;
mod options;
mod sign_in;
#[cfg(test)]
mod tests;

pub use calendars::{AclRule, Calendar};
pub use channels::{Channel, NewChannel};
pub use client::Client;
pub use error::Error;
pub use events::{Event, Listing};
pub use limiter::{Limiter, LimiterError, NoLimiter};
pub use options::Options;
