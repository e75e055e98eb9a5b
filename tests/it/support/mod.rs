//! What tests share.

pub mod process;
pub mod redis;
pub mod wire;
pub mod world;
