//! What tests share.

pub mod frozen;
pub mod process;
pub mod redis;
pub mod runlog;
pub mod secrets;
pub mod soak;
pub mod verdict;
pub mod wire;
pub mod worker;
pub mod world;
