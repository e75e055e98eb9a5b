//! The handler of the calendar topics: all employees, one of them, and an inspection that writes nothing.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::execute::employees::{Employees, EmployeesError};
use super::execute::{Asked, Sync};
use crate::queue::{Batch, Job, Mode, Outcome, Queue, Topic};
use crate::sync::failure::{advoware as advoware_failure, ledger as queue_failure};
use crate::worker::{Failure, Handler, Run, Success};

/// Stands for every Kürzel among the chosen modes.
const ALL: &str = "ALL";

/// Serves the calendar topics.
pub struct Calendars {
    /// What syncs one calendar.
    pub sync: Arc<Sync>,
    /// Whose calendars there are.
    pub employees: Employees,
    /// `CALENDAR_SYNC_DEBUG_EMPLOYEES`: only these are synced by the job of all employees (C10).
    pub only: Option<Vec<String>>,
    /// Where jobs are queued and modes are kept.
    pub queue: Queue,
}

#[async_trait]
impl Handler for Calendars {
    fn serves(&self, topic: &Topic) -> bool {
        matches!(topic, Topic::CalendarAll | Topic::CalendarEmployee | Topic::CalendarInspect)
    }

    async fn run(&self, job: &Job, run: &Run) -> Result<Success, Failure> {
        match job.topic {
            Topic::CalendarAll => {
                run.asks_only(crate::clients::ADVOWARE);
                self.all(job).await
            }
            Topic::CalendarInspect => self.inspect(job, run).await,
            _ => self.one(job, run).await,
        }
    }

    /// A failure of a calendar is told by the job; there is no record to write it on.
    async fn failed(&self, _: &Job, _: &Run, _: &Outcome) {}
}

impl Calendars {
    /// One job an employee, in the lane that the job itself came in.
    async fn all(&self, job: &Job) -> Result<Success, Failure> {
        let mut kuerzel = self.employees.refreshed().await.map_err(employees_failure)?;
        if let Some(only) = &self.only {
            kuerzel.retain(|kuerzel| only.contains(kuerzel));
        }
        let batch = Batch {
            traceparent: job.traceparent.as_deref(),
            payload: job.payload.as_deref(),
            ..Batch::new(Topic::CalendarEmployee, job.lane, &kuerzel, "calendar_sync_all")
        };
        let queued = self.queue.enqueue(&batch).await.map_err(queue_failure)?;
        let detail = json!({ "employees": kuerzel, "queued": queued.new.len(), "queued_before": queued.already });
        Ok(Success { result: "queued".to_owned(), detail: Some(detail) })
    }

    async fn one(&self, job: &Job, run: &Run) -> Result<Success, Failure> {
        let kuerzel = &job.key;
        if !self.is_active(kuerzel).await? {
            run.asks_only(crate::clients::ADVOWARE);
            tracing::warn!(kuerzel, "a calendar sync was asked for somebody who is no active employee");
            return Ok(unknown(kuerzel));
        }
        let asked = Asked {
            anonymised: self.anonymised(kuerzel).await?,
            confirm_deletions: confirms_deletions(job.payload.as_deref()),
        };
        let report = self.sync.run(kuerzel, asked, run).await?;
        if report.held_deletions > 0 {
            let deletions = report.held_deletions;
            tracing::warn!(kuerzel, deletions, "deletions of a calendar are held back until somebody confirms them");
        }
        if report.again {
            let keys = [kuerzel.clone()];
            let batch = Batch {
                traceparent: job.traceparent.as_deref(),
                ..Batch::new(Topic::CalendarEmployee, job.lane, &keys, "busy_termin")
            };
            self.queue.enqueue(&batch).await.map_err(queue_failure)?;
        }
        Ok(report.into())
    }

    async fn inspect(&self, job: &Job, run: &Run) -> Result<Success, Failure> {
        let answer = if self.is_active(&job.key).await? {
            let asked = Asked { anonymised: self.anonymised(&job.key).await?, confirm_deletions: false };
            self.sync.explain(&job.key, asked, run).await?
        } else {
            json!({ "kuerzel": job.key, "unknown_employee": true })
        };
        self.queue.leave_inspection(&job.topic, &job.key, &answer.to_string()).await.map_err(queue_failure)?;
        Ok(Success { result: "inspected".to_owned(), detail: None })
    }

    /// Whether somebody works there (C10). A list that was kept may be older than the employee.
    async fn is_active(&self, kuerzel: &String) -> Result<bool, Failure> {
        if self.employees.active().await.map_err(employees_failure)?.contains(kuerzel) {
            return Ok(true);
        }
        Ok(self.employees.refreshed().await.map_err(employees_failure)?.contains(kuerzel))
    }

    /// The mode that was chosen last, for this Kürzel or for all (C3). Read under the lock, so that a choice made while
    /// the last run went on counts for this one.
    async fn anonymised(&self, kuerzel: &str) -> Result<bool, Failure> {
        let modes = self.queue.modes().await.map_err(queue_failure)?;
        Ok(latest(&modes, kuerzel) == Some(Mode::Anonymised))
    }
}

fn latest(modes: &[(String, Mode, i64)], kuerzel: &str) -> Option<Mode> {
    let concerned = modes.iter().filter(|(whose, _, _)| whose == kuerzel || whose == ALL);
    // Of two choices at the same time the Kürzel's own counts.
    concerned.max_by_key(|(whose, _, at)| (*at, whose != ALL)).map(|(_, mode, _)| *mode)
}

fn confirms_deletions(payload: Option<&str>) -> bool {
    let asked = payload.and_then(|text| serde_json::from_str::<Value>(text).ok());
    asked.is_some_and(|asked| asked["confirm_deletions"] == true)
}

fn unknown(kuerzel: &str) -> Success {
    let hint = "no active employee of Advoware has this Kürzel (upper and lower case differ); nothing was created";
    Success { result: "unknown_employee".to_owned(), detail: Some(json!({ "kuerzel": kuerzel, "hint": hint })) }
}

fn employees_failure(error: EmployeesError) -> Failure {
    match error {
        EmployeesError::Advoware(error) => advoware_failure(&error),
        EmployeesError::Queue(error) => queue_failure(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_choice_counts_whoever_it_was_made_for() {
        let check = |modes: &[(&str, Mode, i64)], expected: Option<Mode>| {
            let modes: Vec<_> = modes.iter().map(|(whose, mode, at)| ((*whose).to_owned(), *mode, *at)).collect();
            assert_eq!(latest(&modes, "SB"), expected, "{modes:?}");
        };
        check(&[], None);
        check(&[("XY", Mode::Anonymised, 9)], None);
        check(&[("SB", Mode::Anonymised, 1), ("ALL", Mode::Full, 2)], Some(Mode::Full));
        check(&[("SB", Mode::Anonymised, 3), ("ALL", Mode::Full, 2)], Some(Mode::Anonymised));
        check(&[("ALL", Mode::Full, 2), ("SB", Mode::Anonymised, 2)], Some(Mode::Anonymised));
    }

    #[test]
    fn only_a_payload_that_says_so_confirms_deletions() {
        assert!(confirms_deletions(Some(r#"{"confirm_deletions":true}"#)));
        for other in [None, Some(""), Some("{}"), Some(r#"{"confirm_deletions":"true"}"#), Some("[1]")] {
            assert!(!confirms_deletions(other), "{other:?}");
        }
    }
}
