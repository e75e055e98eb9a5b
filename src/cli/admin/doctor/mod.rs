//! `advosync doctor`: looks at everything once, changes nothing, and says what to do.
//!
//! Each file looks at one thing and goes on whatever the others found.

mod attributes;
mod espocrm;
mod redis;
mod upstreams;
mod webhooks;

use std::sync::Arc;

use super::Report;
use super::finding::{Finding, report};
use super::progress::Progress;
use crate::queue::Queue;
use crate::roles::{Parts, queue_options};
use crate::settings::Settings;
use crate::sync::record::mapping::Mappings;

pub(super) use espocrm::{api as espocrm_api, entity_of_api as espocrm_entity};

/// Checks everything.
pub(super) async fn run(settings: Settings) -> Report {
    let _progress = Progress::start("looking at everything");
    let mut findings = vec![Finding::ok("settings", "readable; `advosync config` shows what is in effect")];
    findings.extend(settings.warnings.iter().map(|warning| Finding::warn("settings", warning.as_str())));
    if settings.webhook_secrets.is_none() {
        findings.push(Finding::warn(
            "settings",
            "ESPOCRM_WEBHOOK_SECRET is not set, so whoever reaches the ingress can send webhooks; `advosync setup \
             espocrm` prints what to set",
        ));
    }
    let folder = (!settings.mappings.is_default).then_some(settings.mappings.path.as_path());
    let mappings = match Mappings::load(folder) {
        Ok(mappings) => {
            let all: Vec<_> = mappings.iter().cloned().map(Arc::new).collect();
            let names: Vec<&str> = all.iter().map(|mapping| mapping.name.as_str()).collect();
            findings.push(Finding::ok("mappings", names.join(", ")));
            all
        }
        Err(faults) => {
            findings.extend(faults.iter().map(|fault| Finding::fail("mappings", fault.to_string())));
            Vec::new()
        }
    };
    let queue = match Queue::new(&queue_options(&settings)) {
        Ok(queue) => queue,
        Err(error) => {
            findings.push(Finding::fail("redis", error.to_string()));
            return report(&findings);
        }
    };
    let parts = Parts::around(queue, settings, mappings);
    let (redis, advoware, espocrm, google) = tokio::join!(
        redis::check(&parts),
        upstreams::advoware(&parts),
        espocrm::check(&parts),
        upstreams::google(&parts)
    );
    findings.extend(redis.into_iter().chain(advoware).chain(espocrm).chain(google));
    report(&findings)
}
