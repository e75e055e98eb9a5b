//! HTTP clients of the outside systems: sign-in, types, errors, limits. They decide nothing.

pub mod advoware;
pub mod espocrm;
