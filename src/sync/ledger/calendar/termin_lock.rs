//! Whoever writes to a Termin that several calendars show does so alone (C6).

use std::time::Duration;

use super::CalendarLedger;
use crate::queue::{QueueError, Store};

impl CalendarLedger {
    /// Takes the right to write to a Termin that several calendars show (C6), for at most this long; `owner` says in Redis
    /// who has it. None: somebody else has it. Always taken after the calendar's lock, and one at a time.
    pub async fn try_lock(
        &self,
        number: i64,
        owner: &str,
        at_most: Duration,
    ) -> Result<Option<TerminLock>, QueueError> {
        let key = self.store.key(&format!("calendar_sync:termin_lock:{number}"));
        let value = format!("{owner} {}", uuid::Uuid::new_v4().simple());
        let ms = at_most.as_millis().max(1).to_string();
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(&value).arg("NX").arg("GET").arg("PX").arg(ms);
        // A dead connection makes it run twice; then it meets its own value.
        let before: Option<String> = self.store.query(&set).await?;
        let ours = before.is_none_or(|before| before == value);
        Ok(ours.then(|| TerminLock { store: self.store.clone(), key, value }))
    }
}

/// The right to write to a shared Termin. It ends by itself, too.
#[must_use = "it is held until it ends by itself"]
pub struct TerminLock {
    store: Store,
    key: String,
    value: String,
}

impl TerminLock {
    /// Gives it back. `false`: it had ended, so somebody else may have written meanwhile.
    pub async fn release(self) -> Result<bool, QueueError> {
        self.store.remove(&self.key, &self.value).await
    }
}
