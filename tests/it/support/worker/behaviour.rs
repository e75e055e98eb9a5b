//! What a job tells the test's handler to do, in its payload.

use std::path::PathBuf;
use std::time::Duration;

use advosync::worker::Failure;
use serde::{Deserialize, Serialize};

/// How often what is waited for is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What to do in a run. A job without a payload does nothing and is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Behaviour {
    /// Be done at once.
    Nothing,
    /// Be done after so many ms; can be stopped meanwhile.
    Sleep {
        /// How long.
        ms: u64,
    },
    /// Be done when this file is there. Asks nobody whether the lease is still held.
    Until {
        /// The file.
        file: PathBuf,
    },
    /// Fail in so many attempts, then be done.
    Fail {
        /// How often.
        times: u32,
    },
    /// Fail for good.
    Doom,
    /// Panic.
    Panic,
    /// Take the whole process along.
    Abort,
    /// Be done after so many ms, and keep a thread of the runtime busy meanwhile: cannot be stopped.
    Block {
        /// How long.
        ms: u64,
    },
}

impl Behaviour {
    /// The payload that tells it.
    pub fn payload(&self) -> String {
        serde_json::to_string(self).unwrap()
    }

    /// What a payload tells.
    pub(super) fn read(payload: Option<&str>) -> Result<Self, Failure> {
        payload.map_or(Ok(Self::Nothing), serde_json::from_str).map_err(|error| Failure::Final {
            code: "payload",
            message: format!("the payload tells nothing that the test's handler knows: {error}"),
        })
    }

    /// Does it.
    pub(super) async fn act(&self, attempt: u32) -> Result<(), Failure> {
        match self {
            Self::Nothing => {}
            Self::Sleep { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Self::Until { file } => {
                while !file.exists() {
                    tokio::time::sleep(LOOK).await;
                }
            }
            Self::Fail { times } if attempt > *times => {}
            Self::Fail { .. } => {
                return Err(Failure::Failed { code: "told", message: "told to fail".into(), retry_after: None });
            }
            Self::Doom => return Err(Failure::Final { code: "doomed", message: "told to fail for good".into() }),
            Self::Panic => panic!("told to panic"),
            Self::Abort => std::process::abort(),
            Self::Block { ms } => {
                let (_held, never) = std::sync::mpsc::channel::<()>();
                let _ = never.recv_timeout(Duration::from_millis(*ms));
            }
        }
        Ok(())
    }
}
