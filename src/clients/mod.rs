//! HTTP clients of the outside systems: sign-in, types, errors, limits. They decide nothing.
//!
//! What a caller needs in order to decide is in the errors: whether anything left this process, whether the effect of a
//! write is unknown, whether the upstream as a whole is down.

pub mod advoware;
pub mod espocrm;
pub mod google;
mod http;
mod path;
#[cfg(test)]
pub(crate) mod stand_in;

pub use crate::secret::Secret;
pub use http::{Call, Cause};

/// Advoware's name in keys, metrics and `status`.
pub const ADVOWARE: &str = "advoware";
/// EspoCRM's name in keys, metrics and `status`.
pub const ESPOCRM: &str = "espocrm";
/// Google Calendar's name in keys, metrics and `status`.
pub const GOOGLE: &str = "google";
/// All of them.
pub const UPSTREAMS: [&str; 3] = [ADVOWARE, ESPOCRM, GOOGLE];
