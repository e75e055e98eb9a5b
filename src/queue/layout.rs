//! The layout of the data in Redis: which one is there, which binaries it serves, and setting it up.
//!
//! A layout declares the range of binaries (by their protocol number) that it serves, so that old and new run side by
//! side during a rolling upgrade. No marker or no functions: any role sets the layout up.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::Queue;
use super::error::QueueError;
use super::functions::{Call, LIBRARIES, create_groups, load_libraries};
use super::topic::Flow;

/// What this binary speaks.
pub const PROTOCOL: u32 = 2;
/// The layout that this binary sets up.
const LAYOUT: u32 = 2;
/// The binaries that this layout serves.
const SERVES: (u32, u32) = (1, 2);
/// How long a set-up may hold its guard.
const GUARD: Duration = Duration::from_secs(30);

/// What a migration did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The layout that was there.
    pub from: Option<u32>,
    /// The layout that is there now.
    pub to: u32,
    /// What was done, or would be done; empty where all was in place.
    pub steps: Vec<String>,
}

/// The marker in Redis.
struct Marker {
    layout: u32,
    serves: (u32, u32),
    code: String,
}

impl Queue {
    /// Makes sure that this program can work with what is in Redis; sets the layout up where none is.
    ///
    /// # Errors
    /// `Layout` where another layout is there that does not serve this binary.
    pub async fn prepare(&self, now: DateTime<Utc>) -> Result<(), QueueError> {
        match self.marker().await? {
            Some(marker) if !marker.serves_us() => Err(marker.refusal()),
            Some(marker) if marker.layout > LAYOUT => Ok(()),
            Some(_) if self.has_functions().await? => {
                for flow in Flow::ALL {
                    create_groups(&self.bulk, &self.keys, flow).await?;
                }
                Ok(())
            }
            _ => self.migrate(false, now).await.map(|_| ()),
        }
    }

    /// Whether Redis answers and its layout serves this binary.
    pub async fn ready(&self) -> Result<(), QueueError> {
        match self.marker().await? {
            Some(marker) if marker.serves_us() => Ok(()),
            Some(marker) => Err(marker.refusal()),
            None => Err(QueueError::Layout("redis holds no layout of advosync yet; it is set up as soon as a role starts, or by `advosync migrate`".into())),
        }
    }

    /// Sets up or renews this binary's layout. Safe to repeat, and safe to run twice at once.
    pub async fn migrate(&self, dry_run: bool, now: DateTime<Utc>) -> Result<Migrated, QueueError> {
        // Before the guard, whose release needs this layout's functions: where we are refused, nothing may be loaded.
        refuse_newer(self.marker().await?.as_ref())?;
        let guard = self.keys.migrating();
        let owner = uuid::Uuid::new_v4().to_string();
        if !dry_run {
            self.take_guard(&guard, &owner).await?;
        }
        let done = self.migrate_guarded(dry_run, now).await;
        if !dry_run {
            let freed = redis_del_if(self, &guard, &owner).await;
            // What a migration failed with is what a person has to know; the guard ends by itself then.
            if done.is_ok() {
                freed?;
            }
        }
        done
    }

    async fn take_guard(&self, guard: &str, owner: &str) -> Result<(), QueueError> {
        let mut waited = Duration::ZERO;
        loop {
            let ms = GUARD.as_millis().to_string();
            let set: Option<String> =
                self.bulk.query(redis::cmd("SET").arg(guard).arg(owner).arg("NX").arg("PX").arg(ms)).await?;
            if set.is_some() {
                return Ok(());
            }
            if waited > GUARD * 2 {
                return Err(QueueError::Layout("another migration is under way; try again when it is done".into()));
            }
            let pause = Duration::from_millis(50);
            tokio::time::sleep(pause).await;
            waited += pause;
        }
    }

    async fn migrate_guarded(&self, dry_run: bool, now: DateTime<Utc>) -> Result<Migrated, QueueError> {
        let marker = self.marker().await?;
        refuse_newer(marker.as_ref())?;
        let mut steps = Vec::new();
        let code = code_hash();
        if !self.has_functions().await? {
            steps.push(format!("load the functions of layout {LAYOUT}"));
        } else if marker.as_ref().is_none_or(|marker| marker.code != code) {
            steps.push(format!("replace the functions of layout {LAYOUT}"));
        }
        if !steps.is_empty() && !dry_run {
            load_libraries(&self.bulk).await?;
        }
        if marker.as_ref().is_none_or(|marker| marker.layout != LAYOUT || marker.code != code) {
            steps.push(format!("write the marker of layout {LAYOUT}"));
            if !dry_run {
                self.write_marker(&code, now).await?;
            }
        }
        if !dry_run {
            for flow in Flow::ALL {
                create_groups(&self.bulk, &self.keys, flow).await?;
            }
        }
        Ok(Migrated { from: marker.map(|marker| marker.layout), to: LAYOUT, steps })
    }

    async fn write_marker(&self, code: &str, now: DateTime<Utc>) -> Result<(), QueueError> {
        let key = self.keys.layout();
        let mut set = redis::cmd("HSET");
        set.arg(&key).arg("layout").arg(LAYOUT).arg("serves_from").arg(SERVES.0).arg("serves_to").arg(SERVES.1);
        set.arg("code").arg(code).arg("at").arg(now.to_rfc3339());
        let _: i64 = self.bulk.query(&set).await?;
        // Tells a Redis that was emptied or rolled back from one that was not.
        let mut once = redis::cmd("HSETNX");
        once.arg(&key).arg("generation").arg(uuid::Uuid::new_v4().to_string());
        let _: i64 = self.bulk.query(&once).await?;
        Ok(())
    }

    async fn marker(&self) -> Result<Option<Marker>, QueueError> {
        let all: HashMap<String, String> =
            self.control.query_twice(redis::cmd("HGETALL").arg(self.keys.layout())).await?;
        if all.is_empty() {
            return Ok(None);
        }
        self.read_marker(&all).map(Some)
    }

    fn read_marker(&self, all: &HashMap<String, String>) -> Result<Marker, QueueError> {
        let number = |name: &str| all.get(name).and_then(|text| text.parse().ok());
        let unreadable = || {
            QueueError::Layout(format!(
                "the key {} is damaged; delete it and run `advosync migrate`",
                self.keys.layout()
            ))
        };
        let layout = number("layout").ok_or_else(unreadable)?;
        Ok(Marker {
            layout,
            serves: (number("serves_from").unwrap_or(layout), number("serves_to").unwrap_or(layout)),
            code: all.get("code").cloned().unwrap_or_default(),
        })
    }

    /// An error where these are the fields of a marker that does not serve this binary.
    pub(super) fn refuse_foreign(&self, marker: &HashMap<String, String>) -> Result<(), QueueError> {
        let marker = self.read_marker(marker)?;
        if marker.serves_us() { Ok(()) } else { Err(marker.refusal()) }
    }

    async fn has_functions(&self) -> Result<bool, QueueError> {
        let found: Vec<redis::Value> =
            self.bulk.query(redis::cmd("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg("advosync_*")).await?;
        // Each row is a flat map; only the names matter here.
        let names: Vec<String> = found
            .iter()
            .filter_map(|row| redis::from_redis_value_ref::<HashMap<String, redis::Value>>(row).ok())
            .filter_map(|row| redis::from_redis_value_ref(row.get("library_name")?).ok())
            .collect();
        Ok(LIBRARIES.iter().all(|(name, _)| names.iter().any(|found| found == name)))
    }
}

impl Marker {
    const fn serves_us(&self) -> bool {
        self.serves.0 <= PROTOCOL && PROTOCOL <= self.serves.1
    }

    fn refusal(&self) -> QueueError {
        let remedy = if self.serves.1 < PROTOCOL {
            "run `advosync migrate` of this version once all older processes have stopped"
        } else {
            "start the newer version of advosync instead"
        };
        QueueError::Layout(format!(
            "redis holds layout {}, made for binaries {} to {}, and this one is {PROTOCOL}: {remedy}",
            self.layout, self.serves.0, self.serves.1
        ))
    }
}

fn refuse_newer(marker: Option<&Marker>) -> Result<(), QueueError> {
    let Some(Marker { layout, .. }) = marker.filter(|marker| marker.layout > LAYOUT) else { return Ok(()) };
    Err(QueueError::Layout(format!(
        "redis holds layout {layout}, which is newer than this program's {LAYOUT}; run `migrate` of the newer version"
    )))
}

/// Tells one version of the functions from another while a layout is being developed.
fn code_hash() -> String {
    let mut hash = Sha256::new();
    for (_, code) in LIBRARIES {
        hash.update(code);
    }
    hex::encode(hash.finalize())
}

async fn redis_del_if(queue: &Queue, key: &str, owner: &str) -> Result<i64, QueueError> {
    Call::new("remove").key(key).arg(owner).run(&queue.bulk).await
}
