//! The one handler of all record topics: the action that a job names is a hint, what the systems say decides.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::execute::Sync;
use super::trials;
use crate::queue::{Job, Outcome, Queue, Topic};
use crate::worker::{Failure, Handler, Run, Success};

/// Serves the record topics of all mappings.
pub struct Records {
    syncs: BTreeMap<String, Sync>,
    queue: Queue,
}

impl Records {
    /// Serves these entities.
    #[must_use]
    pub fn new(syncs: impl IntoIterator<Item = Sync>, queue: Queue) -> Self {
        Self { syncs: syncs.into_iter().map(|sync| (sync.mapping.name.clone(), sync)).collect(), queue }
    }

    fn sync(&self, topic: &Topic) -> Option<&Sync> {
        self.syncs.get(topic.entity()?)
    }
}

#[async_trait]
impl Handler for Records {
    fn serves(&self, topic: &Topic) -> bool {
        self.sync(topic).is_some()
    }

    async fn run(&self, job: &Job, run: &Run) -> Result<Success, Failure> {
        let Some(sync) = self.sync(&job.topic) else {
            return Err(Failure::Final { code: "unknown_entity", message: format!("no mapping serves {}", job.topic) });
        };
        match &job.topic {
            Topic::Sweep { .. } => {
                run.asks_only(crate::clients::ESPOCRM);
                sync.sweep(job, run, &self.queue).await
            }
            Topic::Inspect { .. } => sync.inspect(job, run, &self.queue).await,
            Topic::Import { .. } => sync.import(job, run, &self.queue).await.map(Success::from),
            _ => sync.run(job, run, &self.queue).await.map(Success::from),
        }
    }

    fn is_trial(&self, job: &Job) -> bool {
        matches!(job.topic, Topic::Record { .. }) && trials::is_trial(job)
    }

    async fn failed(&self, job: &Job, run: &Run, outcome: &Outcome) {
        let Some(sync) = self.sync(&job.topic) else { return };
        if let (Topic::Import { .. }, Outcome::Dead { error }) = (&job.topic, outcome) {
            return sync.tell_import_failure(job, run, &error.message).await;
        }
        if !matches!(job.topic, Topic::Record { .. }) {
            return;
        }
        let (error, for_good) = match outcome {
            Outcome::Retry { error, .. } => (error, false),
            Outcome::Dead { error } => (error, true),
            _ => return,
        };
        // What failed is EspoCRM itself: telling it so would fail as well, or make a lockout longer.
        if error.code == crate::clients::ESPOCRM || run.check().is_err() {
            return;
        }
        sync.tell_failure(job, run, &error.message, for_good).await;
    }
}
