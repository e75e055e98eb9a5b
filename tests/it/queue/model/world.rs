//! The real queue, driven step by step: each step goes to Redis and to the model, and both must agree.

use std::time::Duration;

use advosync::queue::{Claimed, Consumer, Flow, Lane, Queue, Selection, Topic};
use proptest::prelude::*;
use redis::aio::MultiplexedConnection;

use super::again;
use super::look::{self, Checked, Everything, Streams};
use super::ops::{Op, WORKERS};
use super::reference::Model;
use crate::support::redis::Redis;

/// Runs out by hand only, so that no sequence depends on how fast it runs.
pub(super) const LEASE: Duration = Duration::from_mins(10);
/// An entry that is idle for longer may be taken over.
pub(super) const ABANDONED: Duration = Duration::from_mins(11);

/// A worker process.
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) consumer: Consumer,
    /// What it believes to run.
    pub(super) held: Vec<Claimed>,
    /// Redis went away since it last read.
    pub(super) cut_off: bool,
}

/// Redis, the workers, the model, and what happened so far.
pub(super) struct World<'a> {
    pub(super) redis: &'a mut Redis,
    pub(super) queue: Queue,
    pub(super) raw: MultiplexedConnection,
    pub(super) model: Model,
    pub(super) workers: Vec<Worker>,
    pub(super) streams: Streams,
    pub(super) log: Vec<String>,
    pub(super) born: usize,
    /// The lease numbers in their order, which are too long to be read.
    leases: Vec<u64>,
}

impl<'a> World<'a> {
    /// An empty queue.
    pub(super) async fn new(redis: &'a mut Redis, queue: &Queue) -> Self {
        let mut raw = connect(redis).await;
        // The functions and the layout's marker may stay: setting them up takes as long as a dozen steps.
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut raw).await.unwrap();
        let mut pipe = redis::pipe();
        pipe.cmd("PING");
        for key in keys.iter().filter(|key| !key.starts_with("advosync:")) {
            pipe.cmd("DEL").arg(key);
        }
        let _: Vec<redis::Value> = pipe.query_async(&mut raw).await.unwrap();
        again(async || queue.prepare(chrono::Utc::now()).await).await.unwrap();
        let mut world = Self {
            redis,
            queue: queue.clone(),
            raw,
            model: Model::default(),
            workers: Vec::new(),
            streams: Streams::default(),
            log: Vec::new(),
            born: 0,
            leases: Vec::new(),
        };
        for _ in 0..WORKERS {
            let worker = world.birth();
            world.workers.push(worker);
        }
        world
    }

    pub(super) fn birth(&mut self) -> Worker {
        self.born += 1;
        let name = format!("w{}", self.born);
        Worker { consumer: Consumer::new(&self.queue, Flow::Vmh, &name, LEASE), name, held: Vec::new(), cut_off: false }
    }

    /// A short name for a lease.
    pub(super) fn nth(&mut self, lease: u64) -> String {
        let known = self.leases.iter().position(|known| *known == lease);
        let at = known.unwrap_or_else(|| {
            self.leases.push(lease);
            self.leases.len() - 1
        });
        format!("run {}", at + 1)
    }

    pub(super) fn tell(&mut self, what: String) {
        self.log.push(what);
    }

    /// Whether there is something that this step could act on.
    fn can(&self, op: &Op) -> bool {
        match op {
            Op::Next { sweep, .. } => self.has_jobs(*sweep),
            Op::LostRead { lane, .. } => self.model.ready(*lane) > 0,
            Op::Finish { .. } | Op::Drop { .. } | Op::Renew { .. } => self.workers.iter().any(|w| !w.held.is_empty()),
            Op::LeaseRunsOut { .. } | Op::Reclaim { .. } => !self.streams.given.is_empty(),
            Op::Due { .. } => !self.model.waiting_keys().is_empty(),
            Op::ReplayOne { .. } | Op::ReplayAll | Op::ReplayTopic { .. } | Op::Discard { .. } => {
                !self.model.letters.is_empty()
            }
            _ => true,
        }
    }

    /// Whether a worker with room for so many of the sweep lane would find a job; with nothing to read, it would wait.
    pub(super) fn has_jobs(&self, sweep: usize) -> bool {
        self.model.ready(Lane::First) > 0 || sweep > 0 && self.model.ready(Lane::Sweep) > 0
    }

    /// One step, and a look at everything.
    pub(super) async fn step(&mut self, op: &Op) -> Checked {
        if !self.can(op) {
            self.tell("nothing to do".into());
            return Ok(());
        }
        match op {
            Op::Enqueue { action, lane, keys, words, twice } => {
                self.enqueue(*action, *lane, keys, *words, *twice).await?;
            }
            Op::ByHand { action, keys } => self.by_hand(*action, *keys).await,
            Op::Next { worker, free, sweep } => self.next(*worker, *free, *sweep).await?,
            Op::Reclaim { worker, free, sweep } => self.reclaim(*worker, *free, *sweep).await?,
            Op::LostRead { worker, lane, count } => self.lost_read(*worker, *lane, *count).await,
            Op::Finish { who, ends, twice } => self.finish(self.busy(*who), ends, *twice).await?,
            Op::Drop { who, which } => self.drop_run(self.busy(*who), *which),
            Op::Renew { who } => self.renew(self.busy(*who)).await?,
            Op::Crash { worker, polite } => self.crash(*worker, *polite).await?,
            Op::LeaseRunsOut { which } => {
                if let Some(key) = choose(*which, &self.model.given_keys()) {
                    self.lease_runs_out(key).await;
                }
            }
            Op::Due { which } => {
                if let Some(key) = choose(*which, &self.model.waiting_keys()) {
                    self.due(key).await;
                }
            }
            Op::Tend => self.tend().await?,
            Op::Tidy => again(async || self.queue.tidy(Flow::Vmh, &entities()).await).await?,
            Op::ForgetPending { action, lane } => self.forget_pending(*action, *lane).await,
            Op::ReplayOne { which } => {
                if let Some(id) = self.letter(*which) {
                    self.replay(&Selection::Ids(vec![id])).await?;
                }
            }
            Op::ReplayAll => self.replay(&Selection::All).await?,
            Op::ReplayTopic { action } => {
                let topic = Topic::record("beteiligte", *action);
                self.replay(&Selection::Topic(topic.to_string())).await?;
            }
            Op::Discard { which } => {
                if let Some(id) = self.letter(*which) {
                    self.discard(id).await?;
                }
            }
            Op::Restart => self.restart().await,
        }
        self.look().await
    }

    pub(super) async fn status(&self) -> Checked {
        look::status(&self.queue, &self.model).await
    }

    pub(super) async fn look(&mut self) -> Checked {
        self.streams = look::compare(&self.queue, &mut self.raw, &mut self.model).await?;
        Ok(())
    }

    pub(super) async fn unchanged(&mut self, before: &Everything, what: &str) -> Checked {
        let changed = look::changed(before, &look::everything(&mut self.raw).await);
        prop_assert!(changed.is_empty(), "{what} changed {changed:?}");
        Ok(())
    }
}

pub(super) fn entities() -> [String; 1] {
    ["beteiligte".to_owned()]
}

/// A raw connection. What a process has written outlives its end, so only a power cut would need it on the disk, and
/// waiting for the disk takes half of the time here.
pub(super) async fn connect(redis: &Redis) -> MultiplexedConnection {
    let mut raw = redis.raw().await;
    let mut lazy = redis::cmd("CONFIG");
    let () = lazy.arg("SET").arg("appendfsync").arg("no").query_async(&mut raw).await.unwrap();
    raw
}

/// One of what is there, if anything is.
pub(super) fn choose<T: Clone>(which: usize, all: &[T]) -> Option<T> {
    all.get(which % all.len().max(1)).cloned()
}
