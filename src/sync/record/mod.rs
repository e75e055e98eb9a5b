//! EspoCRM record ↔ Advoware record.
//!
//! An entity is one mapping file ([`mapping`]); both sides are read into one normal form ([`normal`], [`convert`]),
//! merged by field against the last agreement ([`merge`]), or by the older rules for the whole record where no
//! agreement is known ([`compare`]). [`route`], [`create`], [`plan`] and [`import`] decide what a run does; all of that is pure.
//! Only [`execute`], [`handler`], [`sweep`] and [`inspect`] touch the outside.

pub mod compare;
pub mod convert;
mod convert_date;
mod convert_enum;
mod convert_phone;
pub mod create;
pub mod decision;
pub mod drift;
pub mod execute;
pub mod handler;
pub mod import;
pub mod inspect;
pub mod join;
pub mod looks;
pub mod mapping;
pub mod merge;
pub mod merge_note;
pub mod message;
pub mod normal;
mod normal_name;
mod normal_write;
pub mod plan;
pub mod route;
pub mod status;
pub mod sweep;
pub mod trials;
