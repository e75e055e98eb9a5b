//! Says at the start how far accepted jobs can be trusted to this Redis.

use crate::queue::{Queue, Trust};

/// One line for each thing that is not as `ops/redis.conf` has it; none where all is well. Answers whether it could be
/// asked.
pub(super) async fn tell(queue: &Queue) -> bool {
    let Ok(durability) = queue.durability().await else { return false };
    for found in durability.judge().iter().filter(|found| found.trust != Trust::Good) {
        tracing::warn!(setting = found.setting, value = found.value, "{}", found.text);
    }
    true
}
