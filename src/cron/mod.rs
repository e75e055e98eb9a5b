//! The room `cron`.
