//! Who may call what: the one place that knows tokens. Trigger, proxy and console all ask it; webhooks have signatures.
//!
//! ```text
//! token.rs      a name, what it opens, and the digest of the token itself
//! door.rs       a request's token ─▶ the caller, or why not
//! attempts.rs   how many wrong tokens came from where (pure)
//! refusal.rs    the answer to whoever is not let in
//! ```

mod attempts;
mod door;
mod refusal;
mod token;

pub use door::{Caller, Door, Peer};
pub use refusal::Refusal;
pub use token::{API_TOKEN, Digest, Scope, Token, generate, is_name};
