//! What tests share.

pub mod redis;
