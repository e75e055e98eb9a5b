//! What a process knows of the data in Redis, kept in the data folder, so that a loss is noticed even when nobody ran.
//!
//! All processes with the same data folder share one file; whoever wrote last is as good a witness as any.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::queue::Seen;

/// How old the file may get while all is well. What Redis loses of the last seconds before a crash of the whole machine
/// is not noticed, then; writing more often would not help without forcing each write to the disk.
const EVERY: Duration = Duration::from_secs(10);

/// The file and when it was written.
pub(super) struct Memory {
    path: PathBuf,
    written: Option<Instant>,
    told: bool,
}

impl Memory {
    /// The memory of processes with this data folder and key prefix.
    pub(super) fn new(data_dir: &Path, key_prefix: &str) -> Self {
        let prefix: String = key_prefix.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = if prefix.is_empty() { "redis.seen".to_owned() } else { format!("redis.seen.{prefix}") };
        Self { path: data_dir.join(name), written: None, told: false }
    }

    /// What was known last. Nothing, where there is no file or it cannot be read: then nothing can be lost either.
    pub(super) async fn load(&self) -> Option<Seen> {
        let text = tokio::fs::read(&self.path).await.ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Keeps what is known now, unless that was done a moment ago.
    pub(super) async fn keep(&mut self, seen: &Seen) {
        if self.written.is_none_or(|written| written.elapsed() >= EVERY) {
            self.keep_now(seen).await;
        }
    }

    /// Keeps what is known now. A folder that cannot be written to is no fault of the role's; it is told once.
    pub(super) async fn keep_now(&mut self, seen: &Seen) {
        self.written = Some(Instant::now());
        if let Err(error) = self.write(seen).await
            && !std::mem::replace(&mut self.told, true)
        {
            tracing::info!(path = %self.path.display(), %error,
                "the state of redis cannot be remembered; data that it loses while nothing runs are not missed");
        }
    }

    /// By another name first: a reader finds the old text or the new one.
    async fn write(&self, seen: &Seen) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let mut draft = self.path.clone().into_os_string();
        draft.push(format!(".{}", std::process::id()));
        tokio::fs::write(&draft, serde_json::to_vec(seen)?).await?;
        tokio::fs::rename(&draft, &self.path).await
    }
}
