//! Doing what was decided: reads both sides, asks the pure parts what to do, and does it, one effect after the other.
//!
//! Before every write the lease is checked; after every effect the ledger is written before anything else happens.

mod boundary;
mod compare;
mod create;
mod delete;
mod failure;
mod import;
mod notes;
mod owners;
mod report;
mod trials;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use boundary::{Boundary, Halts, Place};
pub(super) use compare::missing;
pub(super) use failure::{advoware as advoware_failure, espocrm as espocrm_failure, ledger as ledger_failure};
pub use notes::Refusals;
pub use report::{Report, Withheld};

use self::notes::Told;
use super::decision::Decision;
use super::drift::{Unannounced, name};
use super::mapping::Mapping;
use super::merge::Side;
use super::route::{Route, is_numbered, route};
use super::{status, trials as trying};
use crate::clients::{Call, Cause, advoware, espocrm};
use crate::queue::{Flow, Job, Lane, Queue};
use crate::sync::ledger::{Ledger, Pair, Trials, Written};
use crate::worker::{Failure, Run};

/// A record as either system sends it.
type Record = serde_json::Map<String, serde_json::Value>;

/// Syncs the records of one entity.
pub struct Sync {
    /// The entity.
    pub mapping: Arc<Mapping>,
    /// Our end.
    pub espocrm: espocrm::Client,
    /// The other end.
    pub advoware: advoware::Client,
    /// What is remembered.
    pub ledger: Ledger,
    /// How long a create whose outcome is unknown is left alone.
    pub quiet: Duration,
    /// Whether nothing may be written to Advoware (`ADVOWARE_WRITE_PROTECTION`).
    pub write_protection: bool,
    /// To whom EspoCRM let us send no message.
    pub refusals: Refusals,
    /// Stops of the crash matrix; none outside of tests.
    pub halts: Halts,
}

/// Whether the outcome of the failure that a record tells of is stored: its retry, or its dead letter. Where it is not, the
/// worker died after the report, and the next job has to fail in its place, even if it is only the echo of the report.
async fn is_kept(job: &Job, run: &Run, queue: &Queue) -> Result<bool, Failure> {
    if run.retry_due.is_some() {
        return Ok(!run.redelivered);
    }
    // A job that has waited and whose time has come is no echo, although its first words came by webhook.
    if job.has_waited() {
        return Ok(false);
    }
    let since = if run.redelivered { job.enqueued_at } else { DateTime::UNIX_EPOCH };
    queue.is_buried(Flow::Vmh, &run.fence.0, since).await.map_err(failure::ledger)
}

/// One run, with what every step of it needs.
struct Step<'a> {
    sync: &'a Sync,
    run: &'a Run,
    queue: &'a Queue,
    /// Whether the job was begun before and had to wait.
    waited: bool,
    /// EspoCRM's id.
    id: &'a str,
    /// What a person decided where the rules would ask.
    decision: Option<Decision>,
}

impl Sync {
    /// Brings one record in step.
    pub async fn run(&self, job: &Job, run: &Run, queue: &Queue) -> Result<Report, Failure> {
        let decision = Decision::of(job.payload.as_deref());
        let step = Step { sync: self, run, queue, waited: job.has_waited(), id: &job.key, decision };
        let record = step.read_espocrm().await?;
        let failed_before = record.as_ref().is_some_and(|record| status::says_failed(&self.mapping, record));
        let gone = record.is_none();
        let unannounced = record.as_ref().map(|it| Unannounced::before(&self.mapping, job, it, run.now()));
        if let Some(record) = &record {
            self.skip_echo(job, run, queue, record).await?;
        }
        let known = self.ledger.read(&job.key).await.map_err(failure::ledger)?;
        let mut done = match (route(&self.mapping, record.as_ref(), known, self.quiet, run.now()), record) {
            (Route::Wait(after), _) => Err(Failure::Hold {
                after,
                reason: "a write may have taken effect, or may yet; looking again after the quiet time".to_owned(),
                upstream: None,
            }),
            (Route::Compare { number, pair, left }, Some(record)) => {
                step.compare(&record, &number, pair, left.as_deref()).await
            }
            (Route::Create, Some(record)) => step.create(&record, None).await,
            (Route::Recover(intent), Some(record)) => step.create(&record, Some(intent)).await,
            (Route::Dissolve(pair), _) => step.dissolve(pair).await,
            (Route::Compare { .. } | Route::Create | Route::Recover(_), None) => Err(Failure::Final {
                code: "internal",
                message: format!("no way is known for {} without a record", job.key),
            }),
        }?;
        if failed_before || gone {
            self.forget_failures(&job.key, &done).await?;
        }
        self.mark_look(&job.key, &done, run).await?;
        done.drift = unannounced.unwrap_or_default().found(&done);
        self.count_drift(&job.key, &done.drift, run).await;
        Ok(done)
    }

    /// Lets an effect happen under its name. No write of a run goes another way (`tests/it/walls.rs`).
    fn at<'a, T: Send>(
        &'a self,
        boundary: Boundary,
        key: &'a str,
        effect: impl Future<Output = T> + Send + 'a,
    ) -> impl Future<Output = T> + Send + 'a {
        self.halts.at(boundary, key, effect)
    }

    /// Advoware's record of this number. Another one would be written over this one: an answer that does not carry the
    /// number is none.
    async fn party(&self, number: &str) -> Result<Record, advoware::Error> {
        let end = &self.mapping.advoware;
        let party = self.advoware.get(&end.path, number).await?;
        if is_numbered(&party, &end.id, number) {
            return Ok(party);
        }
        let call = Call::get(format!("{}/{number}", end.path));
        let cause = Cause::Unreadable(format!("a record whose {} is not {number}", end.id));
        Err(advoware::Error::Unknown { call, cause })
    }

    /// Remembers that both sides of a record were seen, or that it is gone, so that sweeps know when to look again.
    async fn mark_look(&self, id: &str, done: &Report, run: &Run) -> Result<(), Failure> {
        let marked = match done.result {
            "dissolved" | "gone" => self.at(Boundary::LookEnded, id, self.ledger.unlooked(id)).await,
            result => {
                let changed = !matches!(result, "unchanged" | "withheld");
                self.at(Boundary::LookMarked, id, self.ledger.looked(id, run.now(), changed)).await
            }
        };
        marked.map_err(failure::ledger)
    }

    /// Counts differences that nobody announced. A count is no reason to do a run again.
    async fn count_drift(&self, id: &str, sides: &[Side], run: &Run) {
        for side in sides {
            let labels = [("entity", self.mapping.name.clone()), ("side", name(*side).to_owned())];
            metrics::counter!("advosync_drift_total", &labels).increment(1);
            if let Err(error) = self.at(Boundary::DriftCounted, id, self.ledger.count_drift(*side, run.now())).await {
                tracing::debug!(%error, "drift could not be counted in redis");
            }
        }
    }

    /// A run of a record has succeeded that had failed, or is gone.
    async fn forget_failures(&self, id: &str, done: &Report) -> Result<(), Failure> {
        self.at(Boundary::FailureForgotten, id, self.ledger.forget_failure(id)).await.map_err(failure::ledger)?;
        // What was only held back is failed for good all the same.
        if done.withheld.is_none() {
            let ids = [id.to_owned()];
            self.at(Boundary::TrialsForgotten, id, self.ledger.forget_trials(&ids)).await.map_err(failure::ledger)?;
        }
        Ok(())
    }

    /// Our own report of a failure comes back as a webhook; acting on it would burn all attempts within seconds, or
    /// fail for good again and again. A sweep does not hurry a retry either. A person who asks does, and so does any
    /// change of the record.
    async fn skip_echo(&self, job: &Job, run: &Run, queue: &Queue, record: &Record) -> Result<(), Failure> {
        if trying::is_trial(job) {
            let superfluous = trying::superfluous(&self.mapping, record, run.retry_due.is_some());
            return superfluous.map_or(Ok(()), |reason| Err(Failure::Skip { reason }));
        }
        let seen = status::fingerprint(&self.mapping, record);
        let echo = job.source.as_deref() == Some("webhook")
            && status::says_failed(&self.mapping, record)
            && self.ledger.failure(&job.key).await.map_err(failure::ledger)?.as_ref() == Some(&seen)
            && is_kept(job, run, queue).await?;
        run.memorise(seen);
        match run.retry_due {
            Some(due) if echo || job.lane == Lane::Sweep => {
                let after = (due - run.now()).to_std().unwrap_or_default();
                let reason = "nothing has changed since the last attempt; its retry is scheduled";
                Err(Failure::Later { after, reason: reason.to_owned() })
            }
            _ if echo => Err(Failure::Skip { reason: "echo" }),
            _ => Ok(()),
        }
    }
}

impl Sync {
    /// Writes on the record that a run failed. Whatever fails here is only logged: the job's own error counts.
    pub(super) async fn tell_failure(&self, job: &Job, run: &Run, message: &str, for_good: bool) {
        let entity = &self.mapping.espocrm.entity;
        let id = job.key.as_str();
        let attributes = status::failed(&self.mapping, message, job.attempt(), for_good);
        if let Some(fingerprint) = run.memorised()
            && let Err(error) =
                self.at(Boundary::FailureRemembered, id, self.ledger.remember_failure(id, fingerprint)).await
        {
            // Then the echo of the report costs an attempt; the report itself matters more.
            tracing::warn!(record = job.key, %error, "what failed could not be remembered");
        }
        if for_good {
            let begun = BTreeMap::from([(job.key.clone(), Trials::since(run.now()))]);
            // Without it they begin when the next sweep sees the record.
            if let Err(error) = self.at(Boundary::TrialsBegun, id, self.ledger.remember_trials(&begun)).await {
                tracing::debug!(record = job.key, %error, "the time of trials could not be remembered");
            }
        }
        let record = match self.at(Boundary::FailureTold, id, self.espocrm.update(entity, id, &attributes, None)).await
        {
            Ok(record) => record,
            // There is nobody to tell.
            Err(espocrm::Error::RecordMissing { .. }) => return,
            Err(error) => {
                tracing::warn!(record = job.key, %error, "the failure could not be written to the record");
                // Only to know whom to tell.
                self.espocrm.get(entity, id).await.unwrap_or_default()
            }
        };
        if for_good {
            if let Err(error) = self.at(Boundary::LookDropped, id, self.ledger.unlooked(id)).await {
                tracing::debug!(record = job.key, %error, "a record that failed for good will be looked at once more");
            }
            let note = status::failure_note(message, job.attempt());
            if let Err(error) =
                self.at(Boundary::FailureNoted, id, self.espocrm.note_on_record(entity, id, &note)).await
            {
                tracing::warn!(record = job.key, %error, "the note about a failure could not be written");
            }
            if let Told::Open(error) = self.message(Boundary::FailureMessaged, id, &record, &note, run.now()).await {
                tracing::warn!(record = job.key, error, "the message about a failure could not be sent");
            }
        }
    }
}

impl Step<'_> {
    /// `None` where EspoCRM says that the record does not exist.
    async fn read_espocrm(&self) -> Result<Option<Record>, Failure> {
        let entity = &self.sync.mapping.espocrm.entity;
        match self.sync.espocrm.get(entity, self.id).await {
            Ok(record) => Ok(Some(record)),
            Err(espocrm::Error::RecordMissing { .. }) => Ok(None),
            Err(error) => Err(failure::espocrm(&error)),
        }
    }

    async fn read_advoware(&self, number: &str) -> Result<Record, Failure> {
        self.sync.party(number).await.map_err(|error| failure::advoware(&error))
    }

    /// [`Sync::at`], for this record.
    fn at<'b, T: Send>(
        &'b self,
        boundary: Boundary,
        effect: impl Future<Output = T> + Send + 'b,
    ) -> impl Future<Output = T> + Send + 'b {
        self.sync.at(boundary, self.id, effect)
    }

    /// Writes EspoCRM's sync fields, and whatever flows there with them, in one call.
    async fn update_espocrm(
        &self,
        boundary: Boundary,
        current: &Record,
        attributes: &Record,
    ) -> Result<Record, Failure> {
        let sent = self.send_espocrm(boundary, current, attributes).await?;
        sent.map_err(|error| failure::espocrm(&error))
    }

    /// [`Step::update_espocrm`], with EspoCRM's own error.
    async fn send_espocrm(
        &self,
        boundary: Boundary,
        current: &Record,
        attributes: &Record,
    ) -> Result<Result<Record, espocrm::Error>, Failure> {
        self.run.check()?;
        let entity = &self.sync.mapping.espocrm.entity;
        let version = current.get("versionNumber").and_then(serde_json::Value::as_u64);
        Ok(self.at(boundary, self.sync.espocrm.update(entity, self.id, attributes, version)).await)
    }

    /// Stores a pair under the lease. `digest`: see [`Ledger::pair`].
    async fn remember(&self, boundary: Boundary, pair: &Pair, digest: &str) -> Result<(), Failure> {
        let fence = (self.run.fence.0.as_str(), self.run.fence.1.as_str());
        let stored = self.at(boundary, self.sync.ledger.pair(fence, self.id, pair, digest)).await;
        match stored.map_err(failure::ledger)? {
            // A new link was to a party that nobody had a moment ago.
            Written::Taken(other) if !digest.is_empty() => Err(failure::overtaken(&other)),
            written => self.written(written, &pair.number),
        }
    }

    fn written(&self, written: Written, number: &str) -> Result<(), Failure> {
        match written {
            Written::Stored => Ok(()),
            Written::Fenced => Err(Failure::LeaseLost),
            Written::Taken(other) => Err(Failure::Final {
                code: "number_taken",
                message: format!(
                    "Advoware's {number} is paired with the EspoCRM record {other} already, so it cannot be {}'s as well; \
                     correct {} in one of the two records, then sync it again",
                    self.id, self.sync.mapping.espocrm.link
                ),
            }),
            Written::Busy(other) => Err(failure::busy(&other, self.sync.quiet)),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.run.now()
    }
}
