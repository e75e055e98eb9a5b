//! EspoCRM record ↔ Advoware record.
//!
//! Everything here is pure: no clock, no network, no Redis. An entity is one mapping file ([`mapping`]); both sides
//! are read into one normal form ([`normal`], [`convert`]), merged by field against the last agreement ([`merge`]),
//! or by the older rules for the whole record where no agreement is known ([`compare`]).

pub mod compare;
pub mod convert;
mod convert_date;
mod convert_phone;
pub mod mapping;
pub mod merge;
pub mod merge_note;
pub mod normal;
mod normal_name;
mod normal_write;
