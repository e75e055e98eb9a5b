//! When each record was looked at, and how far the sweeps have come.
//!
//! | key | what |
//! | --- | --- |
//! | `ledger:<entity>:looked` | zset: EspoCRM id → when Advoware's side was seen last, ms since the epoch |
//! | `ledger:<entity>:changed` | zset: EspoCRM id → when a run found a change last, ms since the epoch |
//! | `ledger:<entity>:sweep` | hash: [`Swept`] |
//! | `ledger:<entity>:full` | hash: [`Full`] |
//!
//! Marks of looks are not fenced: they only say when to look again, and a later one counts.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::records::Ledger;
use super::{Fence, replace};
use crate::queue::QueueError;
use crate::sync::record::looks::Look;

/// So many ids go in one command: Redis does nothing else meanwhile.
const AT_ONCE: usize = 500;

/// How far the ordinary sweeps have come. All times UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// When the last one began.
    pub at: Option<DateTime<Utc>>,
    /// The id up to which EspoCRM's records were walked; none: the walk begins anew.
    pub walked_to: Option<String>,
    /// Records that the walk under way has seen.
    pub walked: u64,
    /// When the walk under way began, or the last one.
    pub walk_began: Option<DateTime<Utc>>,
    /// Records that the last whole walk saw.
    pub records: Option<u64>,
    /// When Advoware's list was read last.
    pub listed_at: Option<DateTime<Utc>>,
    /// When the list showed a change last.
    pub list_changed_at: Option<DateTime<Utc>>,
    /// Until when the list is not asked for: it is not offered, or shows no versions.
    pub list_off_until: Option<DateTime<Utc>>,
}

/// How far a comparison of everything has come. All times UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Full {
    /// Its name, so that one that is asked for twice is one.
    pub run: String,
    /// When it began.
    pub began: Option<DateTime<Utc>>,
    /// When the last record was asked for; none: it goes on.
    pub ended: Option<DateTime<Utc>>,
    /// The id up to which records were asked for.
    pub after: String,
    /// Records that EspoCRM had when it began, where it was counted.
    pub total: Option<u64>,
    /// Records asked for so far.
    pub listed: u64,
}

impl Full {
    /// Whether it is under way at `now`: one that was left lying for a day says little about today.
    #[must_use]
    pub fn goes_on(&self, now: DateTime<Utc>) -> bool {
        self.ended.is_none() && self.began.is_some_and(|began| now - began < TimeDelta::days(1))
    }
}

/// Of a pair what a list is compared with.
#[derive(Debug, Deserialize)]
struct Version {
    #[serde(default)]
    row_id: Option<String>,
}

impl Ledger {
    /// A run has seen both sides of a record; `changed`: and found that one of them had changed.
    pub async fn looked(&self, id: &str, at: DateTime<Utc>, changed: bool) -> Result<(), QueueError> {
        let ids = [id.to_owned()];
        if changed {
            self.mark(&self.changed, &["GT"], &ids, at).await?;
        }
        self.mark(&self.looked, &["GT"], &ids, at).await
    }

    /// A list has shown these records as they were. Those that are not to be looked at stay so.
    pub async fn listed(&self, ids: &[String], at: DateTime<Utc>) -> Result<(), QueueError> {
        self.mark(&self.looked, &["XX", "GT"], ids, at).await
    }

    async fn mark(&self, key: &str, how: &[&str], ids: &[String], at: DateTime<Utc>) -> Result<(), QueueError> {
        for some in ids.chunks(AT_ONCE) {
            let mut cmd = redis::cmd("ZADD");
            cmd.arg(key).arg(how);
            for id in some {
                cmd.arg(at.timestamp_millis()).arg(id);
            }
            let _: i64 = self.store.query(&cmd).await?;
        }
        Ok(())
    }

    /// A record is not to be looked at any more: it is gone, or a person has to decide.
    pub async fn unlooked(&self, id: &str) -> Result<(), QueueError> {
        for key in [&self.looked, &self.changed] {
            let _: i64 = self.store.query(redis::cmd("ZREM").arg(key).arg(id)).await?;
        }
        Ok(())
    }

    /// Forgets marks from after then, which a clock left that was ahead: whoever has none is found by the walk.
    pub async fn forget_looks_after(&self, at: DateTime<Utc>) -> Result<(), QueueError> {
        let after = format!("({}", at.timestamp_millis());
        for key in [&self.looked, &self.changed] {
            let _: i64 = self.store.query(redis::cmd("ZREMRANGEBYSCORE").arg(key).arg(&after).arg("+inf")).await?;
        }
        Ok(())
    }

    /// How many records are looked at again and again.
    pub async fn looked_count(&self) -> Result<usize, QueueError> {
        self.store.query(redis::cmd("ZCARD").arg(&self.looked)).await
    }

    /// How many records were looked at since then, that moment included.
    pub async fn looked_since(&self, at: DateTime<Utc>) -> Result<u64, QueueError> {
        self.store.query(redis::cmd("ZCOUNT").arg(&self.looked).arg(at.timestamp_millis()).arg("+inf")).await
    }

    /// When these records were looked at last.
    pub async fn looked_at(&self, ids: &[String]) -> Result<Vec<Option<DateTime<Utc>>>, QueueError> {
        let mut all = Vec::with_capacity(ids.len());
        for some in ids.chunks(AT_ONCE) {
            let scores: Vec<Option<f64>> = self.store.query(redis::cmd("ZMSCORE").arg(&self.looked).arg(some)).await?;
            all.extend(scores.into_iter().map(|score| score.and_then(time)));
        }
        Ok(all)
    }

    /// The records that were looked at longest ago, that one first.
    pub async fn oldest_looks(&self, limit: usize) -> Result<Vec<Look>, QueueError> {
        let Some(last) = limit.checked_sub(1) else { return Ok(Vec::new()) };
        let rows: Vec<(String, f64)> =
            self.store.query(redis::cmd("ZRANGE").arg(&self.looked).arg(0).arg(last).arg("WITHSCORES")).await?;
        Ok(rows.into_iter().filter_map(|(id, at)| Some(Look { id, at: time(at)?, changed: None })).collect())
    }

    /// The records that changed since then, at most `limit`, the newest change first; older changes are forgotten.
    pub async fn lively_looks(&self, since: DateTime<Utc>, limit: usize) -> Result<Vec<Look>, QueueError> {
        let before = format!("({}", since.timestamp_millis());
        let _: i64 =
            self.store.query(redis::cmd("ZREMRANGEBYSCORE").arg(&self.changed).arg("-inf").arg(before)).await?;
        let mut range = redis::cmd("ZRANGE");
        range.arg(&self.changed).arg("+inf").arg("-inf").arg("BYSCORE").arg("REV").arg("LIMIT").arg(0).arg(limit);
        let rows: Vec<(String, f64)> = self.store.query(range.arg("WITHSCORES")).await?;
        let ids: Vec<String> = rows.iter().map(|(id, _)| id.clone()).collect();
        let looked = self.looked_at(&ids).await?;
        let looks = rows.into_iter().zip(looked);
        Ok(looks.filter_map(|((id, changed), at)| Some(Look { id, at: at?, changed: time(changed) })).collect())
    }

    /// How many records have a pair.
    pub async fn pair_count(&self) -> Result<usize, QueueError> {
        self.store.query(redis::cmd("HLEN").arg(&self.pairs)).await
    }

    /// The ids of all records that have a pair, in order.
    pub async fn pair_ids(&self) -> Result<Vec<String>, QueueError> {
        let mut ids: Vec<String> = self.store.query(redis::cmd("HKEYS").arg(&self.pairs)).await?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// The pairs of these records; one that cannot be read counts as none, and the record's own run tells of it.
    pub async fn pairs_of(&self, ids: &[String]) -> Result<Vec<Option<super::Pair>>, QueueError> {
        let mut all = Vec::with_capacity(ids.len());
        for some in ids.chunks(AT_ONCE) {
            all.extend(self.texts(some).await?.into_iter().map(|text| serde_json::from_str(&text?).ok()));
        }
        Ok(all)
    }

    /// For each number the record that is paired with it, and the version that it had when both agreed last.
    pub async fn versions(&self, numbers: &[String]) -> Result<Vec<Option<(String, Option<String>)>>, QueueError> {
        let mut all = Vec::with_capacity(numbers.len());
        for some in numbers.chunks(AT_ONCE) {
            let owners = self.owners(some).await?;
            let ids: Vec<String> = owners.iter().flatten().cloned().collect();
            let mut texts = self.texts(&ids).await?.into_iter();
            for owner in owners {
                all.push(owner.map(|id| {
                    let text = texts.next().flatten();
                    let version = text.and_then(|text| serde_json::from_str::<Version>(&text).ok());
                    (id, version.and_then(|version| version.row_id))
                }));
            }
        }
        Ok(all)
    }

    async fn texts(&self, ids: &[String]) -> Result<Vec<Option<String>>, QueueError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.store.query(redis::cmd("HMGET").arg(&self.pairs).arg(ids)).await
    }

    /// How far the ordinary sweeps have come.
    pub async fn swept(&self) -> Result<Swept, QueueError> {
        let fields: HashMap<String, String> = self.store.query(redis::cmd("HGETALL").arg(&self.sweep)).await?;
        let at = |name: &str| at(&fields, name);
        Ok(Swept {
            at: at("at"),
            walked_to: fields.get("walked_to").cloned(),
            walked: number(&fields, "walked").unwrap_or(0),
            walk_began: at("walk_began"),
            records: number(&fields, "records"),
            listed_at: at("listed_at"),
            list_changed_at: at("list_changed_at"),
            list_off_until: at("list_off_until"),
        })
    }

    /// Stores how far the ordinary sweeps have come. `false`: the lease of the sweep was lost, nothing is stored.
    pub async fn keep_swept(&self, fence: Fence<'_>, swept: &Swept) -> Result<bool, QueueError> {
        let fields = [
            ("at", swept.at.map(ms)),
            ("walked_to", swept.walked_to.clone()),
            ("walked", Some(swept.walked.to_string())),
            ("walk_began", swept.walk_began.map(ms)),
            ("records", swept.records.map(|records| records.to_string())),
            ("listed_at", swept.listed_at.map(ms)),
            ("list_changed_at", swept.list_changed_at.map(ms)),
            ("list_off_until", swept.list_off_until.map(ms)),
        ];
        replace(&self.store, fence, &self.sweep, &fields).await
    }

    /// The comparison of everything that is under way, or was last.
    pub async fn full(&self) -> Result<Option<Full>, QueueError> {
        let fields: HashMap<String, String> = self.store.query(redis::cmd("HGETALL").arg(&self.full)).await?;
        let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
        Ok((!fields.is_empty()).then(|| Full {
            run: text("run"),
            began: at(&fields, "began"),
            ended: at(&fields, "ended"),
            after: text("after"),
            total: number(&fields, "total"),
            listed: number(&fields, "listed").unwrap_or(0),
        }))
    }

    /// Stores how far it has come. `false`: its lease was lost, nothing is stored.
    pub async fn keep_full(&self, fence: Fence<'_>, full: &Full) -> Result<bool, QueueError> {
        let fields = [
            ("run", Some(full.run.clone())),
            ("began", full.began.map(ms)),
            ("ended", full.ended.map(ms)),
            ("after", Some(full.after.clone())),
            ("total", full.total.map(|total| total.to_string())),
            ("listed", Some(full.listed.to_string())),
        ];
        replace(&self.store, fence, &self.full, &fields).await
    }
}

fn ms(at: DateTime<Utc>) -> String {
    at.timestamp_millis().to_string()
}

fn at(fields: &HashMap<String, String>, name: &str) -> Option<DateTime<Utc>> {
    fields.get(name)?.parse().ok().and_then(DateTime::from_timestamp_millis)
}

fn number(fields: &HashMap<String, String>, name: &str) -> Option<u64> {
    fields.get(name)?.parse().ok()
}

/// A score: ms since the epoch, which a double holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "whole ms, far below 2^53")]
fn time(score: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(score as i64)
}
