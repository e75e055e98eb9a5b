//! What everybody else does: those who ask, those who look after, time, and Redis itself.

use advosync::queue::{Batch, Flow, Lane, RecordAction, Selection};
use proptest::prelude::*;

use super::again;
use super::look::{self, Checked, lock, pending_set, stream};
use super::reference::{Kind, Place};
use super::world::{ABANDONED, LEASE, World, choose, connect, entities};

impl World<'_> {
    pub(super) async fn enqueue(
        &mut self,
        action: RecordAction,
        lane: Lane,
        keys: &[&'static str],
        words: Option<u8>,
        twice: bool,
    ) -> Checked {
        let mut expected = Vec::new();
        for (at, key) in keys.iter().copied().enumerate() {
            if !keys[..at].contains(&key) && self.model.enqueue(Kind { action, key, lane, words }) {
                expected.push(key.to_owned());
            }
        }
        let all: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let kind = Kind { action, key: "", lane, words };
        let payload = kind.payload();
        let mut batch = Batch::new(kind.topic(), lane, &all, "test");
        batch.payload = payload.as_deref();
        let enqueued = again(async || self.queue.enqueue(&batch).await).await?;
        self.tell(format!("new: {:?}", enqueued.new));
        prop_assert_eq!(enqueued.new, expected, "which were not queued yet");
        if twice {
            let before = look::everything(&mut self.raw).await;
            let repeated = again(async || self.queue.enqueue(&batch).await).await?;
            prop_assert_eq!(repeated.new.len(), 0, "the same once more");
            self.unchanged(&before, "enqueuing the same once more").await?;
        }
        Ok(())
    }

    pub(super) async fn by_hand(&mut self, action: RecordAction, keys: [&'static str; 2]) {
        let mut id = "*".to_owned();
        for (lane, key) in Lane::ALL.into_iter().zip(keys) {
            let kind = Kind { action, key, lane, words: None };
            let (topic, mut added) = (kind.topic().to_string(), None);
            // Where a lane is past that id already, its job has one of its own.
            for id in [id.as_str(), "*"] {
                let mut add = redis::cmd("XADD");
                add.arg(stream(lane)).arg(id).arg("topic").arg(&topic).arg("key").arg(key);
                if added.is_none() {
                    added = add.query_async(&mut self.raw).await.ok();
                }
            }
            id = added.unwrap();
            self.model.by_hand(kind);
        }
    }

    pub(super) async fn lost_read(&mut self, at: usize, lane: Lane, count: usize) {
        let name = self.workers[at].name.clone();
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg("workers").arg(&name).arg("COUNT").arg(count).arg("STREAMS").arg(stream(lane)).arg(">");
        let _: redis::Value = read.query_async(&mut self.raw).await.unwrap();
        let ready = self.model.entries.iter_mut().filter(|e| e.place == Place::Ready && e.job.kind.lane == lane);
        for entry in ready.take(count) {
            entry.place = Place::Given { worker: name.clone(), started: false };
        }
    }

    /// The time after which a lease that nobody renews is over: the lock expires, the entry is idle for long.
    pub(super) async fn lease_runs_out(&mut self, key: &'static str) {
        let mut pipe = redis::pipe();
        for entry in self.model.entries.iter().filter(|entry| entry.job.kind.key == key) {
            let Place::Given { worker, .. } = &entry.place else { continue };
            let ms = (ABANDONED + LEASE).as_millis().to_string();
            let idle = pipe.cmd("XCLAIM").arg(stream(entry.job.kind.lane)).arg("workers").arg(worker);
            idle.arg(0).arg(entry.id.as_deref().unwrap_or_default()).arg("IDLE").arg(ms).arg("JUSTID");
        }
        pipe.cmd("DEL").arg(lock(key));
        let _: Vec<redis::Value> = pipe.query_async(&mut self.raw).await.unwrap();
        self.tell(format!("of {key}"));
        self.model.lease_runs_out(key);
    }

    /// Brings the time of a scheduled job about.
    pub(super) async fn due(&mut self, key: &'static str) {
        let Some(scheduled) = self.model.scheduled.get_mut(key).filter(|job| job.waiting && !job.due) else { return };
        scheduled.due = true;
        self.log.push(format!("of {key}"));
        let jobs = "jobs:vmh:scheduled:jobs";
        let text: String = redis::cmd("HGET").arg(jobs).arg(lock(key)).query_async(&mut self.raw).await.unwrap();
        let mut job: serde_json::Value = serde_json::from_str(&text).unwrap();
        job["due"] = 1.into();
        let mut pipe = redis::pipe();
        pipe.cmd("HSET").arg(jobs).arg(lock(key)).arg(job.to_string());
        pipe.cmd("ZADD").arg("jobs:vmh:scheduled").arg("XX").arg(1).arg(lock(key));
        let _: Vec<redis::Value> = pipe.query_async(&mut self.raw).await.unwrap();
    }

    pub(super) async fn tend(&mut self) -> Checked {
        // The time at which a lock would have expired has come, whether its holder renewed it or vanished.
        for key in self.model.parked.keys().copied() {
            let mut expired = redis::cmd("ZADD");
            expired.arg("jobs:vmh:parked:expiry").arg("XX").arg(1).arg(lock(key));
            let _: i64 = expired.query_async(&mut self.raw).await.unwrap();
        }
        let later = self.model.scheduled.values().any(|job| job.waiting && !job.due);
        let expected = self.model.tend();
        let tended = again(async || self.queue.tend(Flow::Vmh).await).await?;
        self.tell(format!("promoted {}, unparked {}", tended.promoted, tended.unparked));
        prop_assert_eq!((tended.promoted, tended.unparked), expected, "what went back to its stream");
        prop_assert_eq!(tended.next_due.is_some(), later, "whether something is due later");
        Ok(())
    }

    pub(super) async fn forget_pending(&mut self, action: RecordAction, lane: Lane) {
        let _: i64 = redis::cmd("DEL").arg(pending_set(action, lane)).query_async(&mut self.raw).await.unwrap();
        self.model.pending.retain(|kind| (kind.action, kind.lane) != (action, lane));
    }

    pub(super) fn letter(&self, which: usize) -> Option<String> {
        let ids: Vec<String> = self.model.letters.iter().filter_map(|letter| letter.id.clone()).collect();
        choose(which, &ids)
    }

    pub(super) async fn replay(&mut self, which: &Selection) -> Checked {
        let expected = self.model.replay(|letter| match which {
            Selection::Ids(ids) => letter.id.as_ref().is_some_and(|id| ids.contains(id)),
            Selection::Topic(topic) => letter.job.kind.topic().to_string() == *topic,
            // `Since` is chosen so that it means all; no sequence chooses a range.
            Selection::All | Selection::Since(_) | Selection::Range { .. } => true,
        });
        let replayed = again(async || self.queue.replay(Flow::Vmh, which, &entities()).await).await?;
        self.tell(format!("{replayed} replayed"));
        prop_assert_eq!(replayed, expected, "replayed");
        Ok(())
    }

    pub(super) async fn discard(&mut self, id: String) -> Checked {
        self.model.letters.retain(|letter| letter.id.as_ref() != Some(&id));
        let discarded = again(async || self.queue.discard(Flow::Vmh, std::slice::from_ref(&id)).await).await?;
        prop_assert_eq!(discarded, 1, "discarded");
        Ok(())
    }

    pub(super) async fn restart(&mut self) {
        self.redis.kill();
        self.redis.up();
        self.raw = connect(self.redis).await;
        self.workers.iter_mut().for_each(|worker| worker.cut_off = true);
    }
}
