//! What workers do: take jobs, run them, tell how they ended, vanish.

use std::time::Duration;

use advosync::queue::{BreakerState, Claimed, Fault, Finish, Finished, Lane, Lease, Outcome};
use advosync::worker::{self, Failure, Retries};
use proptest::prelude::*;

use super::again;
use super::look::{self, Checked, Given, Id, Streams, stream};
use super::ops::{KEYS, Verb, WORKERS};
use super::reference::{ATTEMPTS, Job, Place, Verdict};
use super::world::{ABANDONED, LEASE, World, choose};

/// A wait whose end is brought about by hand.
const FAR: Duration = Duration::from_hours(1);

impl World<'_> {
    /// Asks for jobs.
    pub(super) async fn next(&mut self, at: usize, free: usize, sweep: usize) -> Checked {
        let worker = &mut self.workers[at];
        let claimed = again(async || worker.consumer.next(free, sweep).await).await?;
        let before = self.model.ready(Lane::Sweep);
        // A read that waits on both lanes may bring one of each.
        let room = if sweep > 0 { free.max(2) } else { free };
        let settled = self.settle(at, claimed, room, |given| given.is_none()).await?;
        self.workers[at].cut_off = false;
        prop_assert!(settled > 0, "there were jobs, and the worker was given none");
        let swept = before - self.model.ready(Lane::Sweep);
        prop_assert!(swept <= sweep, "{swept} jobs of the sweep lane, {sweep} were asked for");
        let half = (free / 2).max(1);
        prop_assert!(swept <= half || self.model.ready(Lane::First) == 0, "the sweep lane came before the first");
        Ok(())
    }

    pub(super) async fn reclaim(&mut self, at: usize, free: usize, sweep: usize) -> Checked {
        let worker = &mut self.workers[at];
        let claimed = again(async || worker.consumer.reclaim(free, sweep).await).await?;
        self.settle(at, claimed, free, |given| given.is_some_and(|given| given.idle >= ABANDONED)).await?;
        Ok(())
    }

    /// What a worker was given, in the order of the streams: the model says for each whether it runs, is parked, or
    /// joins a quiet time. Answers how many there were.
    pub(super) async fn settle(
        &mut self,
        at: usize,
        claimed: Vec<Claimed>,
        room: usize,
        may_take: impl Fn(Option<&Given>) -> bool,
    ) -> Checked<usize> {
        prop_assert!(claimed.len() <= room, "{} runs for {room} places", claimed.len());
        let now = Streams::read(&mut self.raw).await;
        let mut claimed: Vec<Option<Claimed>> = claimed.into_iter().map(Some).collect();
        let (mut settled, mut place) = (0, 0);
        while let Some(entry) = self.model.entries.get_mut(place) {
            let (kind, id) = (entry.job.kind, entry.id.clone().unwrap_or_default());
            let is_it = |claimed: &Claimed| claimed.claim.lane() == kind.lane && claimed.claim.id() == id;
            let granted = claimed.iter_mut().find(|claimed| claimed.as_ref().is_some_and(is_it)).and_then(Option::take);
            let key = (kind.lane, Id::of(&id));
            let worker = &mut self.workers[at];
            let runs_here = worker.held.iter().any(is_it);
            if granted.is_none() && now.entries.contains_key(&key) {
                let is_here = now.given.get(&key).is_some_and(|given| given.worker == worker.name);
                match &mut entry.place {
                    // Its own lost run of it has not ended yet: it keeps the entry, and begins it when it looks again.
                    Place::Given { worker: owner, .. } if is_here && runs_here => owner.clone_from(&worker.name),
                    // An answer was lost with the connection: it reads the entry again when it has room.
                    place @ Place::Ready if is_here && worker.cut_off => {
                        *place = Place::Given { worker: worker.name.clone(), started: false };
                    }
                    _ => {}
                }
                place += 1;
                continue;
            }
            settled += 1;
            let given = self.streams.given.get(&key);
            // A worker that lost its connection reads its own pending list first.
            let own = given.is_some_and(|given| given.worker == worker.name);
            prop_assert!(!runs_here, "{kind} is given again to the worker that runs it");
            prop_assert!(may_take(given) || own, "{kind} is taken from a worker whose lease is live");
            let told = self.model.told(place);
            match (self.model.deliver(place), granted) {
                (Verdict::Granted, Some(claimed)) => {
                    self.begin(at, place, &claimed, &told)?;
                    self.workers[at].held.push(claimed);
                    place += 1;
                }
                (verdict @ (Verdict::Parked | Verdict::Joined), None) => self.tell(format!("{kind}: {verdict:?}")),
                (verdict, granted) => {
                    let granted = granted.map(|claimed| claimed.claim.fence().1.to_owned());
                    prop_assert!(false, "{kind} must be {verdict:?}; it is gone from its stream, granted: {granted:?}");
                }
            }
        }
        let strange: Vec<Claimed> = claimed.into_iter().flatten().collect();
        prop_assert!(strange.is_empty(), "granted, and in no stream: {strange:?}");
        Ok(settled)
    }

    /// A run begins: it must be told what the model knows of its job.
    pub(super) fn begin(&mut self, at: usize, place: usize, claimed: &Claimed, expected: &Job) -> Checked {
        let job = &claimed.job;
        let lease = lease_of(claimed);
        let run = self.nth(lease);
        let name = &self.workers[at].name;
        self.log.push(format!("{name} runs {}, {run}, attempt {}", expected.kind, job.attempt()));
        prop_assert_eq!((&job.topic, job.key.as_str()), (&expected.kind.topic(), expected.kind.key));
        prop_assert_eq!(&job.payload, &expected.kind.payload(), "the payload of {}", expected.kind);
        let failures = expected.failures;
        prop_assert!(failures.holds(job.failures), "{} failed attempts, expected {failures:?}", job.failures);
        prop_assert_eq!(job.errors.len(), job.failures as usize, "an error for each failed attempt");
        prop_assert!(lease > self.model.last_lease, "lease {lease} after {}", self.model.last_lease);
        self.model.grant(place, name, lease, job.failures);
        Ok(())
    }

    pub(super) async fn finish(&mut self, at: usize, ends: &[(usize, Verb)], twice: bool) -> Checked {
        let (mut batch, mut expected) = (Vec::new(), Vec::new());
        for (pick, verb) in ends {
            let worker = &mut self.workers[at];
            if worker.held.is_empty() {
                break;
            }
            let claimed = worker.held.remove(pick % worker.held.len());
            let lease = lease_of(&claimed);
            let key = KEYS.into_iter().find(|key| *key == claimed.job.key).unwrap_or_default();
            let moved = self.model.finish(key, lease, *verb);
            let late = if moved { "" } else { ", too late" };
            let run = self.nth(lease);
            self.tell(format!("{run} of {key} ends as {verb:?}{late}"));
            expected.push(if moved { Finished::Moved } else { Finished::Stale });
            let outcome = outcome(*verb, &claimed);
            let worker = self.workers[at].name.clone();
            batch.push(Finish { claimed, outcome, worker, ended_at: chrono::Utc::now() });
        }
        if batch.is_empty() {
            return Ok(());
        }
        let mut before = None;
        if !expected.contains(&Finished::Moved) {
            before = Some(look::everything(&mut self.raw).await);
        }
        let finished = again(async || self.queue.finish(&batch).await).await?;
        prop_assert_eq!(&finished, &expected, "what redis says to the ends");
        if let Some(before) = before {
            self.unchanged(&before, "a finish whose lease is lost").await?;
        }
        if twice {
            let before = look::everything(&mut self.raw).await;
            let repeated = again(async || self.queue.finish(&batch).await).await?;
            prop_assert_eq!(repeated, vec![Finished::Stale; batch.len()], "the same ends once more");
            self.unchanged(&before, "the same ends once more").await?;
        }
        Ok(())
    }

    /// One of the workers that run something; any, if none does.
    pub(super) fn busy(&self, who: usize) -> usize {
        let busy: Vec<usize> = (0..WORKERS).filter(|at| !self.workers[*at].held.is_empty()).collect();
        choose(who, &busy).unwrap_or(0)
    }

    pub(super) fn drop_run(&mut self, at: usize, which: usize) {
        let held = &mut self.workers[at].held;
        let gone = held.remove(which % held.len());
        let run = self.nth(lease_of(&gone));
        self.tell(run);
    }

    pub(super) async fn renew(&mut self, at: usize) -> Checked {
        let leases: Vec<Lease> = self.workers[at].held.iter().map(|held| held.claim.lease()).collect();
        let live = |held: &Claimed| self.model.is_live(&held.job.key, lease_of(held));
        let expected: Vec<bool> = self.workers[at].held.iter().map(live).collect();
        let mut before = None;
        if expected.contains(&true) {
            self.half_a_lease_goes_by(at).await;
        } else {
            before = Some(look::everything(&mut self.raw).await);
        }
        let worker = &self.workers[at];
        let renewed = again(async || self.queue.renew(&worker.name, LEASE, &leases).await).await?;
        prop_assert_eq!(&renewed, &expected, "which leases are held");
        match before {
            Some(before) => self.unchanged(&before, "renewing leases that are lost").await,
            None => self.are_fresh(at).await,
        }
    }

    pub(super) async fn half_a_lease_goes_by(&mut self, at: usize) {
        let half = (LEASE / 2).as_millis().to_string();
        let mut pipe = redis::pipe();
        for held in self.workers[at].held.iter().filter(|held| self.model.is_live(&held.job.key, lease_of(held))) {
            let age = pipe.cmd("XCLAIM").arg(stream(held.claim.lane())).arg("workers").arg(&self.workers[at].name);
            age.arg(0).arg(held.claim.id()).arg("IDLE").arg(&half).arg("JUSTID");
            pipe.cmd("PEXPIRE").arg(held.claim.fence().0).arg(&half);
        }
        let _: Vec<redis::Value> = pipe.query_async(&mut self.raw).await.unwrap();
    }

    /// A renewed lease has all its time again, and nobody may take the entry over.
    pub(super) async fn are_fresh(&mut self, at: usize) -> Checked {
        let streams = Streams::read(&mut self.raw).await;
        for held in self.workers[at].held.iter().filter(|held| self.model.is_live(&held.job.key, lease_of(held))) {
            let given = &streams.given[&(held.claim.lane(), Id::of(held.claim.id()))];
            prop_assert!(given.idle < LEASE / 2, "the entry of {} is renewed", held.job.key);
            let left: u64 = redis::cmd("PTTL").arg(held.claim.fence().0).query_async(&mut self.raw).await.unwrap();
            prop_assert!(Duration::from_millis(left) > LEASE / 2, "the lock of {} is renewed", held.job.key);
        }
        Ok(())
    }

    pub(super) async fn crash(&mut self, at: usize, polite: bool) -> Checked {
        let mut gone = self.birth();
        std::mem::swap(&mut gone, &mut self.workers[at]);
        if polite {
            again(async || gone.consumer.leave().await).await?;
        }
        self.tell(format!("{} is gone with {} runs", gone.name, gone.held.len()));
        Ok(())
    }
}

fn lease_of(claimed: &Claimed) -> u64 {
    look::lease_number(claimed.claim.fence().1).unwrap_or(0)
}

/// The outcome that a worker would tell.
fn outcome(verb: Verb, claimed: &Claimed) -> Outcome {
    let after = |far: bool| if far { FAR } else { Duration::ZERO };
    let error = || Fault::new("x", "it broke");
    match verb {
        Verb::Done => super::super::done(),
        Verb::Skip => Outcome::Skipped { reason: "tested".into() },
        Verb::Fail => {
            let failure = Failure::Failed { code: "x", message: "it broke".into(), retry_after: None };
            let retries = Retries { waits: vec![Duration::ZERO], attempts: ATTEMPTS };
            worker::outcome(&failure, &claimed.job, &retries, BreakerState::Closed, 0.0).unwrap()
        }
        Verb::Retry { far } => Outcome::Retry { after: after(far), error: error() },
        Verb::Later { far } => Outcome::Later { after: after(far), reason: "away".into() },
        Verb::Hold { far } => Outcome::Hold { after: after(far), reason: "quiet".into() },
        Verb::Dead => Outcome::Dead { error: error() },
        Verb::Back => Outcome::Back,
    }
}
