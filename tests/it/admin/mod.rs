//! Admin commands as a person runs them: the binary, its exit code, stdout and stderr.

mod alerts;
mod calendar;
mod dead;
mod doctor;
mod mapping;
mod runbook;
mod setup;
mod status;
mod sync;

use advosync::queue::{Batch, Claimed, Consumer, Fault, Finish, Flow, Lane, Outcome, Queue, RecordAction, Topic};
use tempfile::TempDir;

use crate::support::redis::Redis;

/// A person at a machine of its own: a folder without any file, no environment but what a test sets.
pub struct Person {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Person {
    /// Someone who works with this Redis.
    pub fn at(redis: &Redis) -> Self {
        Self::alone().with("REDIS_URL", &redis.url()).with("REDIS_TIMEOUT_SECONDS", "5")
    }

    /// Someone who has set nothing.
    pub fn alone() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// The same with a setting.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(old, _)| old != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs `advosync` with these words.
    pub async fn run(&self, words: &[&str]) -> Ran {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_advosync"))
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command that must succeed.
    pub async fn good(&self, words: &[&str]) -> Ran {
        let ran = self.run(words).await;
        assert_eq!(ran.code, 0, "{words:?}: {ran:?}");
        ran
    }

    /// Runs a command that must fail without a result.
    pub async fn bad(&self, words: &[&str]) -> Ran {
        let ran = self.run(words).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{words:?}: {ran:?}");
        ran
    }
}

impl Ran {
    /// stdout as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Enqueues a job and takes it.
async fn claimed(queue: &Queue, topic: &Topic, key: &str) -> Claimed {
    let keys = [key.to_owned()];
    queue.enqueue(&Batch::new(topic.clone(), Lane::First, &keys, "test")).await.unwrap();
    let mut consumer = Consumer::new(queue, topic.flow().unwrap(), "tester", std::time::Duration::from_secs(15));
    let mut jobs = consumer.next(10, 0).await.unwrap();
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

/// Buries a job; answers the letter's id.
async fn bury(queue: &Queue, topic: &Topic, key: &str, error: &str) -> String {
    let claimed = claimed(queue, topic, key).await;
    let flow = claimed.claim.flow();
    let outcome = Outcome::Dead { error: Fault::new("validation", error) };
    let finish = Finish { claimed, outcome, worker: "tester".to_owned(), ended_at: chrono::Utc::now() };
    queue.finish(&[finish]).await.unwrap();
    queue.dead_letters(flow, 1).await.unwrap().remove(0).id
}

fn update() -> Topic {
    Topic::record("beteiligte", RecordAction::Update)
}

async fn ready(queue: &Queue, flow: Flow) -> u64 {
    queue.stats(chrono::Utc::now()).await.unwrap().flows[flow.name()].ready
}
