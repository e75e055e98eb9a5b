//! The pools of workers, one a flow.

use std::sync::Arc;

use anyhow::Result;

use super::parts::{Parts, process_name};
use super::probes;
use crate::queue::Flow;
use crate::sync::calendar;
use crate::sync::calendar::execute::Push;
use crate::sync::calendar::execute::employees::Employees;
use crate::sync::calendar::handler::Calendars;
use crate::sync::calendar::scope::Rules;
use crate::sync::ledger::Ledger;
use crate::sync::record::execute::{Halts, Refusals, Sync};
use crate::sync::record::handler::Records;
use crate::worker::{Handler, Health, Options, Pool, Probe, Retries};

impl Parts {
    /// The pool of the record flow, where both its upstreams are configured.
    pub fn records_pool(&self) -> Result<Option<Pool>> {
        let (Some(advoware), Some(espocrm)) = (self.advoware()?, self.espocrm()?) else { return Ok(None) };
        let settings = &self.settings;
        let syncs = self.mappings.iter().map(|mapping| Sync {
            mapping: Arc::clone(mapping),
            espocrm: espocrm.clone(),
            advoware: advoware.clone(),
            ledger: Ledger::new(self.queue.store(), &mapping.name),
            quiet: settings.worker.quiet_time,
            write_protection: settings.advoware.as_ref().is_some_and(|it| it.write_protection),
            refusals: Refusals::default(),
            halts: Halts::in_folder(crate::settings::halts()),
        });
        let records = Arc::new(Records::new(syncs, self.queue.clone()));
        let probes: Vec<Arc<dyn Probe>> =
            vec![Arc::new(probes::advoware(advoware)), Arc::new(probes::espocrm(espocrm))];
        Ok(Some(self.pool(Flow::Vmh, records, probes)))
    }

    /// The pool of the calendar flow, where both its upstreams are configured.
    pub fn calendar_pool(&self) -> Result<Option<Pool>> {
        let (Some(advoware), Some(google)) = (self.advoware()?, self.google()?) else { return Ok(None) };
        let Some(firm) = &self.settings.advoware else { return Ok(None) };
        let settings = &self.settings.calendar;
        let sync = calendar::execute::Sync {
            advoware: advoware.clone(),
            google: google.clone(),
            store: self.queue.store(),
            rules: Rules {
                kanzlei: firm.kanzlei.clone(),
                multiday: settings.multiday,
                blocked_title: settings.blocked_title.clone(),
                max_deletions: settings.max_deletions,
                write_protection: firm.write_protection,
            },
            past: settings.past,
            future: settings.future,
            owner: self.settings.google.as_ref().and_then(|google| google.owner.clone()),
            quiet: self.settings.worker.quiet_time,
            advoware_timeout: firm.timeout,
            push: self
                .settings
                .push
                .as_ref()
                .map(|push| Push { address: push.address.clone(), token: push.token.clone() }),
        };
        let calendars = Arc::new(Calendars {
            sync: Arc::new(sync),
            employees: Employees::new(&self.queue, advoware.clone()),
            only: settings.debug_employees.clone(),
            queue: self.queue.clone(),
        });
        let probes: Vec<Arc<dyn Probe>> = vec![Arc::new(probes::advoware(advoware)), Arc::new(probes::google(google))];
        Ok(Some(self.pool(Flow::Calendar, calendars, probes)))
    }

    fn pool(&self, flow: Flow, handler: Arc<dyn Handler>, probes: Vec<Arc<dyn Probe>>) -> Pool {
        let settings = &self.settings;
        Pool::new(Options {
            queue: self.queue.clone(),
            flow,
            consumer: process_name(),
            concurrency: settings.worker.concurrency,
            lease: settings.worker.lease,
            retries: Retries { waits: settings.worker.retry_schedule.clone(), attempts: settings.worker.max_attempts },
            drain: settings.drain,
            handlers: vec![handler],
            health: Arc::new(Health::new(probes)),
            gate: self.gate.clone(),
            entities: self.entities(),
        })
    }
}
