//! How often a sweep found a difference that no event had announced.
//!
//! | key | what |
//! | --- | --- |
//! | `ledger:<entity>:drift` | hash: `<YYYY-MM-DD> <side>`, UTC → how many records |

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::records::Ledger;
use crate::queue::QueueError;
use crate::sync::record::drift::{Days, name};
use crate::sync::record::merge::Side;

/// Days are kept for so long.
const KEPT: TimeDelta = TimeDelta::days(31);

impl Ledger {
    /// Counts a record that differed on this side. A connection that dies during the call may make it count twice. The
    /// first one of a day drops the days that are too old.
    pub async fn count_drift(&self, side: Side, at: DateTime<Utc>) -> Result<(), QueueError> {
        let field = format!("{} {}", at.date_naive(), name(side));
        let now: u64 = self.store.query(redis::cmd("HINCRBY").arg(&self.drift).arg(field).arg(1)).await?;
        if now > 1 {
            return Ok(());
        }
        let fields: Vec<String> = self.store.query(redis::cmd("HKEYS").arg(&self.drift)).await?;
        let oldest = (at - KEPT).date_naive();
        let old: Vec<&String> =
            fields.iter().filter(|field| read(field).is_some_and(|(day, _)| day < oldest)).collect();
        if !old.is_empty() {
            let _: i64 = self.store.query(redis::cmd("HDEL").arg(&self.drift).arg(old)).await?;
        }
        Ok(())
    }

    /// What was counted. Entries that cannot be read are left out.
    pub async fn drift(&self) -> Result<Days, QueueError> {
        let all: BTreeMap<String, String> = self.store.query(redis::cmd("HGETALL").arg(&self.drift)).await?;
        Ok(all.iter().filter_map(|(field, count)| Some((read(field)?, count.parse().ok()?))).collect())
    }
}

fn read(field: &str) -> Option<(NaiveDate, &'static str)> {
    let (day, side) = field.split_once(' ')?;
    let side = [Side::Advoware, Side::Espocrm].into_iter().map(name).find(|known| *known == side)?;
    Some((day.parse().ok()?, side))
}
