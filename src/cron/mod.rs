//! The room `cron`.

pub mod schedule;
