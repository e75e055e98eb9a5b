//! Plays **Advoware**, **`EspoCRM`** and **Google Calendar** on one loopback port, sends `EspoCRM`'s signed webhooks and
//! Google's notifications, breaks on request, and keeps its own log of what took effect.
//!
//! What is imitated is written down in the contracts advoware.md, espocrm.md and google-calendar.md, which the comments name; where those say
//! nothing, the choice is an option, so that a test can play every variant.
//!
//! ```no_run
//! # async fn demo() -> anyhow::Result<()> {
//! use advosync_sandbox::{CBETEILIGTE, Fault, Options, Sandbox, System};
//! use serde_json::json;
//!
//! let sandbox = Sandbox::start(Options::default()).await?;
//! sandbox.register_webhooks(CBETEILIGTE, "http://127.0.0.1:3000/vmh/webhook/beteiligte");
//! let id = sandbox.people().crm_create(CBETEILIGTE, &json!({"firstName": "Max", "lastName": "Mustermann"}))?;
//! sandbox.fault(Fault::on(System::Advoware).post("*/Beteiligte").once().lose_answer());
//! let sent = sandbox.deliver_webhooks().await;
//! let effects = sandbox.effects();
//! # Ok(()) }
//! ```
//!
//! The rooms: `server` takes requests and can cut a connection; `advoware`, `espocrm` and `google` answer them under one
//! lock, so every effect is atomic; `faults` decides what goes wrong before and after the effect; `webhooks` is `EspoCRM`'s sending
//! queue; `effects` is the log; `people` are the operations of the lawyer, of the CRM's user and of the employee who works
//! with Google's pages; `control` offers all of it over HTTP under `/sandbox/`.

mod advoware;
mod clock;
mod control;
mod effects;
mod env;
mod espocrm;
mod faults;
mod google;
mod options;
mod people;
mod sandbox;
mod server;
mod webhooks;
mod wire;
mod world;

pub use advoware::resource::{Address, Resource};
pub use advoware::token::sign as advoware_signature;
pub use effects::{Call, Change, Counts, Effect, System};
pub use espocrm::entity::{Entity, Field, Kind};
pub use faults::{Action, Fault, Gate, Match, Phase};
pub use google::push::Notification;
pub use options::{
    AdvowareOptions, DateShape, EspoCrmOptions, GetShape, GoogleOptions, IntervalOne, Normalising, Offsets, Options,
    PostShape, PutShape, Trouble, WebhookOptions,
};
pub use people::{People, Refused};
pub use sandbox::Sandbox;
pub use webhooks::deliver::{Delivery, Outcome, Run};
pub use webhooks::queue::{Hook, Order};
pub use webhooks::sign::headers as webhook_signature;

/// A JSON object with its attributes in the order in which they were set.
pub type Fields = serde_json::Map<String, serde_json::Value>;

/// `EspoCRM`'s entity of record.
pub const CBETEILIGTE: &str = "CBeteiligte";
/// Advoware's resource of parties.
pub const BETEILIGTE: &str = "Beteiligte";
/// Advoware's resource of appointments.
pub const TERMINE: &str = "Termine";
