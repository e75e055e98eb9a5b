//! The jobs that every side gets: the same topic, keys and trace.

use advosync::queue::{RecordAction, Topic};

/// The topic's name.
pub(crate) const TOPIC: &str = "vmh.beteiligte.update";
/// Where they come from.
pub(crate) const SOURCE: &str = "webhook";
/// The stream that they go to.
pub(crate) const STREAM: &str = "jobs:vmh";

/// The topic.
pub(crate) fn topic() -> Topic {
    Topic::record("beteiligte", RecordAction::Update)
}

/// The `n`th key: 17 hex digits that look random, as those of `EspoCRM` do, and are all different.
pub(crate) fn key(n: u64) -> String {
    format!("{:x}{:016x}", n % 16, mixed(n))
}

/// Keys in batches of `size`.
pub(crate) fn batches(jobs: u64, size: u64) -> impl Iterator<Item = Vec<String>> {
    (0..jobs.div_ceil(size)).map(move |batch| (batch * size..jobs.min((batch + 1) * size)).map(key).collect())
}

/// The trace of the `n`th request.
pub(crate) fn traceparent(n: u64) -> String {
    format!("00-{:016x}{:016x}-{:016x}-01", mixed(n), mixed(!n), mixed(n ^ 0x5555))
}

/// A bijection that scatters (the finaliser of `splitmix64`).
const fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}
