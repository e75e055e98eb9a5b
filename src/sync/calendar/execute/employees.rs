//! The firm's active employees, asked for once an hour for all workers.

use std::collections::HashSet;
use std::time::Duration;

use crate::clients::advoware;
use crate::queue::{Cell, Queue, QueueError};

/// The list's name in Redis.
const CELL: &str = "advoware:employees";
/// How long it is believed.
const FRESH_FOR: Duration = Duration::from_hours(1);

/// The active employees as all processes know them.
#[derive(Clone)]
pub struct Employees {
    cell: Cell,
    advoware: advoware::Client,
}

/// Why they are not known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EmployeesError {
    /// Advoware did not tell.
    #[error(transparent)]
    Advoware(#[from] advoware::Error),
    /// Redis did not answer.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Employees {
    /// Those that this client's Advoware has; shared in this queue's Redis.
    #[must_use]
    pub fn new(queue: &Queue, advoware: advoware::Client) -> Self {
        Self { cell: queue.cell(CELL), advoware }
    }

    /// The Kürzel of all active employees as Advoware spells and orders them, each once; at most an hour old.
    pub async fn active(&self) -> Result<Vec<String>, EmployeesError> {
        let kept = self.cell.get().await?;
        // Whatever else somebody put there is no list.
        match kept.and_then(|(text, _)| serde_json::from_str::<Vec<String>>(&text).ok()) {
            Some(kuerzel) => Ok(kuerzel),
            None => self.refreshed().await,
        }
    }

    /// As [`Employees::active`], asked for now: for a Kürzel that the kept list does not have.
    pub async fn refreshed(&self) -> Result<Vec<String>, EmployeesError> {
        let mut seen = HashSet::new();
        let listed = self.advoware.employees().await?.into_iter().filter(|employee| employee.aktiv);
        let kuerzel = listed.map(|employee| employee.kuerzel.trim().to_owned());
        let kuerzel: Vec<String> =
            kuerzel.filter(|kuerzel| !kuerzel.is_empty() && seen.insert(kuerzel.clone())).collect();
        // A firm without employees is rather a right that is missing; it is to be seen as soon as it is given.
        if !kuerzel.is_empty() {
            let text = serde_json::to_string(&kuerzel).expect("texts always serialise");
            self.cell.put(&text, FRESH_FOR).await?;
        }
        Ok(kuerzel)
    }
}
