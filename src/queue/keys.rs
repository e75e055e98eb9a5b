//! Every Redis key of the queue is spelled here (and nowhere else but in the ledger, for its own).

use super::topic::{Flow, Lane, RecordAction, Topic};

/// The consumer group of every job stream.
pub(super) const GROUP: &str = "workers";

/// Builds key names under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// `name` under the prefix.
    pub(super) fn at(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn stream(&self, flow: Flow, lane: Lane) -> String {
        match lane {
            Lane::First => self.at(&format!("jobs:{flow}")),
            Lane::Sweep => self.at(&format!("jobs:{flow}:sweep")),
        }
    }

    /// `jobs:<flow>:<part>`
    pub(super) fn part(&self, flow: Flow, part: &str) -> String {
        self.at(&format!("jobs:{flow}:{part}"))
    }

    pub(super) fn scheduled(&self, flow: Flow) -> String {
        self.part(flow, "scheduled")
    }

    pub(super) fn scheduled_jobs(&self, flow: Flow) -> String {
        self.part(flow, "scheduled:jobs")
    }

    pub(super) fn parked(&self, flow: Flow) -> String {
        self.part(flow, "parked")
    }

    pub(super) fn parked_expiry(&self, flow: Flow) -> String {
        self.part(flow, "parked:expiry")
    }

    pub(super) fn dead(&self, flow: Flow) -> String {
        self.part(flow, "dead")
    }

    pub(super) fn dead_open(&self, flow: Flow) -> String {
        self.part(flow, "dead:open")
    }

    pub(super) fn dead_resolved(&self, flow: Flow) -> String {
        self.part(flow, "dead:resolved")
    }

    /// Jobs whose worker died while it ran them (Q10).
    pub(super) fn suspects(&self, flow: Flow) -> String {
        self.part(flow, "suspects")
    }

    /// Runs that have had an effect already.
    pub(super) fn progress(&self, flow: Flow) -> String {
        self.part(flow, "progress")
    }

    pub(super) fn done(&self, flow: Flow) -> String {
        self.part(flow, "done")
    }

    /// When each worker process was seen last.
    pub(super) fn workers(&self, flow: Flow) -> String {
        self.part(flow, "workers")
    }

    /// Where the lease numbers of a flow are counted; they only grow.
    pub(super) fn leases(&self, flow: Flow) -> String {
        self.part(flow, "leases")
    }

    pub(super) fn lock(&self, topic: &Topic, key: &str) -> String {
        self.at(&topic.lock(key))
    }

    pub(super) fn pending(&self, topic: &Topic, lane: Lane) -> Option<String> {
        topic.pending(lane).map(|name| self.at(&name))
    }

    /// The pending sets of a flow that is known to serve these entities.
    pub(super) fn pending_sets(&self, flow: Flow, entities: &[String]) -> Vec<String> {
        let topics: Vec<Topic> = match flow {
            Flow::Calendar => vec![Topic::CalendarEmployee, Topic::CalendarInspect],
            Flow::Vmh => entities
                .iter()
                .flat_map(|entity| {
                    let entity = entity.clone();
                    RecordAction::ALL
                        .into_iter()
                        .map({
                            let entity = entity.clone();
                            move |action| Topic::Record { entity: entity.clone(), action }
                        })
                        .chain([
                            Topic::Sweep { entity: entity.clone() },
                            Topic::Inspect { entity: entity.clone() },
                            Topic::Import { entity },
                        ])
                })
                .collect(),
        };
        topics.iter().flat_map(|topic| Lane::ALL.into_iter().filter_map(|lane| self.pending(topic, lane))).collect()
    }

    /// The mode chosen for each Kürzel (C3).
    pub(super) fn modes(&self) -> String {
        self.at("calendar_sync:mode")
    }

    pub(super) fn upstream(&self, name: &str) -> String {
        self.at(&format!("upstream:{name}"))
    }

    /// The pace of calls to an outside system.
    pub(super) fn throttle(&self, name: &str) -> String {
        self.at(&format!("throttle:{name}"))
    }

    pub(super) fn layout(&self) -> String {
        self.at("advosync:layout")
    }

    /// Which process raised the marker's beat when.
    pub(super) fn beats(&self) -> String {
        self.at("advosync:beats")
    }

    pub(super) fn migrating(&self) -> String {
        self.at("advosync:migrating")
    }

    /// What was fired last by a schedule, and how much.
    pub(super) fn slot(&self, schedule: &str) -> String {
        self.at(&format!("cron:{schedule}"))
    }

    /// The answer to an inspection, kept for a minute.
    pub(super) fn inspection(&self, topic: &Topic, key: &str) -> String {
        self.at(&format!("advosync:inspection:{topic}:{key}"))
    }
}
