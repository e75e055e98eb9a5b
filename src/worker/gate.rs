//! Lets a suspect run with nothing beside it in this process (Q10): should the process die, it was the suspect.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// How long the others are waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shared by all pools of a process.
#[derive(Clone, Default)]
pub struct Gate(Arc<RwLock<()>>);

/// The right to run, held during the run.
#[expect(dead_code, reason = "held, not read")]
pub(super) enum Pass {
    /// Beside others.
    Beside(OwnedRwLockReadGuard<()>),
    /// With nothing beside it.
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Gate {
    /// Waits for the right to run. Whoever wants to be alone waits for those who run, and everybody else for it; who runs
    /// for minutes is not waited for.
    pub(super) async fn enter(&self, alone: bool) -> Pass {
        let alone = alone.then(|| Box::pin(tokio::time::timeout(PATIENCE, Arc::clone(&self.0).write_owned())));
        if let Some(alone) = alone
            && let Ok(alone) = alone.await
        {
            return Pass::Alone(alone);
        }
        Pass::Beside(Arc::clone(&self.0).read_owned().await)
    }

    /// Waits until nobody is alone or waits for it: until then, claimed jobs would only wait here.
    pub(super) async fn open(&self) {
        drop(self.0.read().await);
    }
}
