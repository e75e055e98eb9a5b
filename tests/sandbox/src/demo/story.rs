//! The steps, one file each.

pub(crate) mod calendar;
pub(crate) mod conflict;
pub(crate) mod create;
pub(crate) mod dead;
pub(crate) mod duplicate;
pub(crate) mod edit;
pub(crate) mod interrupted;
pub(crate) mod summary;
pub(crate) mod unannounced;
