//! advosync keeps Advoware, `EspoCRM` and Google Calendar in step, on a durable job queue in Redis Streams.
//!
//! The rooms and the walls between them are described in `docs/architecture.md`; `tests/it/walls.rs` holds them.

pub mod callers;
pub mod cli;
pub mod clients;
pub mod console;
pub mod cron;
pub mod ingress;
pub mod proxy;
pub mod queue;
pub mod roles;
pub mod secret;
pub mod settings;
pub mod sync;
pub mod telemetry;
pub mod worker;
