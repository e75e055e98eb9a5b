//! Topics: what a job is about, and the names that follow from it.
//!
//! A topic decides the flow it runs in, the lock that keeps its key to one run at a time (Q3) and the set in which a
//! queued key is pending (Q4). The names are those of the older system (`seeds/000`, `seeds/002`, `seeds/004`).

use std::fmt;

/// One of the two independent queues; each has worker slots of its own, so that one never holds up the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flow {
    /// Records (parties and whatever else a mapping names).
    Vmh,
    /// Calendars.
    Calendar,
}

impl Flow {
    /// Both flows, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Vmh, Self::Calendar];

    /// The name in keys, settings and `status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vmh => "vmh",
            Self::Calendar => "calendar",
        }
    }

    /// The flow with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.name() == name)
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who asked: a person or a webhook (first), or a schedule (sweep), which only gets the room that the first leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Work that somebody waits for.
    First,
    /// Work from schedules.
    Sweep,
}

impl Lane {
    /// Both lanes, first lane first.
    pub const ALL: [Self; 2] = [Self::First, Self::Sweep];

    /// The name in a job's `lane` field.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Sweep => "sweep",
        }
    }
}

/// What a job of the record flow is told to do. A hint only: `EspoCRM` delivers out of order, so one handler reads the
/// record again and decides by what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordAction {
    /// The record was created.
    Create,
    /// The record was changed.
    Update,
    /// The record was deleted.
    Delete,
    /// Somebody or something wants the record compared.
    SyncCheck,
}

impl RecordAction {
    /// All of them; each has a pending set of its own.
    pub const ALL: [Self; 4] = [Self::Create, Self::Update, Self::Delete, Self::SyncCheck];

    /// The last part of the topic and the first of the pending set's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::SyncCheck => "sync_check",
        }
    }

    /// The action with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// `vmh.<entity>.<action>`, key = the record's id.
    Record {
        /// The mapping's name, `beteiligte`.
        entity: String,
        /// The hint.
        action: RecordAction,
    },
    /// `vmh.<entity>.sweep`: lists the records that need a run and enqueues them; key `all`.
    Sweep {
        /// The mapping's name.
        entity: String,
    },
    /// `vmh.<entity>.inspect`: compares one record without writing; key = the record's id.
    Inspect {
        /// The mapping's name.
        entity: String,
    },
    /// `vmh.<entity>.import`: makes an `EspoCRM` record of a party that only Advoware has; key = Advoware's number.
    Import {
        /// The mapping's name.
        entity: String,
    },
    /// `calendar_sync_all`: enqueues one job an employee; key `ALL`.
    CalendarAll,
    /// `calendar_sync_employee`, key = Kürzel.
    CalendarEmployee,
    /// `calendar_inspect`: compares one calendar without writing; key = Kürzel.
    CalendarInspect,
    /// A topic of another version of this program, or a typing slip of a person at redis-cli.
    Unknown(String),
}

impl Topic {
    /// The record topic of an entity.
    #[must_use]
    pub fn record(entity: &str, action: RecordAction) -> Self {
        Self::Record { entity: entity.to_owned(), action }
    }

    /// Reads a topic as it stands in a stream entry.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "calendar_sync_all" => return Self::CalendarAll,
            "calendar_sync_employee" => return Self::CalendarEmployee,
            "calendar_inspect" => return Self::CalendarInspect,
            _ => {}
        }
        let mut parts = text.split('.');
        if let (Some("vmh"), Some(entity), Some(what), None) = (parts.next(), parts.next(), parts.next(), parts.next())
            && !entity.is_empty()
        {
            let entity = entity.to_owned();
            match what {
                "sweep" => return Self::Sweep { entity },
                "inspect" => return Self::Inspect { entity },
                "import" => return Self::Import { entity },
                other => {
                    if let Some(action) = RecordAction::parse(other) {
                        return Self::Record { entity, action };
                    }
                }
            }
        }
        Self::Unknown(text.to_owned())
    }

    /// The flow in which this topic runs; an unknown one stays in the flow where it was found.
    #[must_use]
    pub fn flow(&self) -> Option<Flow> {
        match self {
            Self::Record { .. } | Self::Sweep { .. } | Self::Inspect { .. } | Self::Import { .. } => Some(Flow::Vmh),
            Self::CalendarAll | Self::CalendarEmployee | Self::CalendarInspect => Some(Flow::Calendar),
            Self::Unknown(_) => None,
        }
    }

    /// The mapping's name, for topics of the record flow.
    #[must_use]
    pub fn entity(&self) -> Option<&str> {
        match self {
            Self::Record { entity, .. }
            | Self::Sweep { entity }
            | Self::Inspect { entity }
            | Self::Import { entity } => Some(entity),
            _ => None,
        }
    }

    /// The lock under which `key` runs, without the key prefix. All actions of a record share one.
    pub(super) fn lock(&self, key: &str) -> String {
        match self {
            Self::Record { entity, .. } => format!("sync_lock:{entity}:{key}"),
            Self::Sweep { entity } => format!("sweep_lock:{entity}:{key}"),
            Self::Inspect { entity } => format!("inspect_lock:{entity}:{key}"),
            Self::Import { entity } => format!("import_lock:{entity}:{key}"),
            Self::CalendarAll | Self::CalendarEmployee => format!("calendar_sync:lock:{key}"),
            Self::CalendarInspect => format!("calendar_inspect:lock:{key}"),
            Self::Unknown(topic) => format!("job_lock:{topic}:{key}"),
        }
    }

    /// The set of keys that are queued and not yet started, without the key prefix.
    pub(super) fn pending(&self, lane: Lane) -> Option<String> {
        let name = match self {
            Self::Record { entity, action } => format!("vmh:{entity}:{}_pending", action.name()),
            Self::Sweep { entity } => format!("vmh:{entity}:sweep_pending"),
            Self::Inspect { entity } => format!("vmh:{entity}:inspect_pending"),
            Self::Import { entity } => format!("vmh:{entity}:import_pending"),
            Self::CalendarAll | Self::CalendarEmployee => "calendar_sync:pending".to_owned(),
            Self::CalendarInspect => "calendar_inspect:pending".to_owned(),
            Self::Unknown(_) => return None,
        };
        Some(match lane {
            Lane::First => name,
            Lane::Sweep => name + ":sweep",
        })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { entity, action } => write!(f, "vmh.{entity}.{}", action.name()),
            Self::Sweep { entity } => write!(f, "vmh.{entity}.sweep"),
            Self::Inspect { entity } => write!(f, "vmh.{entity}.inspect"),
            Self::Import { entity } => write!(f, "vmh.{entity}.import"),
            Self::CalendarAll => f.write_str("calendar_sync_all"),
            Self::CalendarEmployee => f.write_str("calendar_sync_employee"),
            Self::CalendarInspect => f.write_str("calendar_inspect"),
            Self::Unknown(topic) => f.write_str(topic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_read_back_as_they_are_written() {
        for text in [
            "vmh.beteiligte.create",
            "vmh.beteiligte.update",
            "vmh.beteiligte.delete",
            "vmh.beteiligte.sync_check",
            "vmh.beteiligte.sweep",
            "vmh.beteiligte.inspect",
            "vmh.beteiligte.import",
            "calendar_sync_all",
            "calendar_sync_employee",
            "calendar_inspect",
            "vmh..create",
            "vmh.a.b.create",
            "something else",
        ] {
            assert_eq!(Topic::parse(text).to_string(), text);
        }
        assert_eq!(Topic::parse("vmh..create"), Topic::Unknown("vmh..create".into()));
        assert_eq!(Topic::parse("vmh.a.rename"), Topic::Unknown("vmh.a.rename".into()));
    }

    #[test]
    fn all_actions_of_a_record_share_its_lock_and_not_its_pending_set() {
        let create = Topic::record("beteiligte", RecordAction::Create);
        let check = Topic::record("beteiligte", RecordAction::SyncCheck);
        assert_eq!(create.lock("1"), "sync_lock:beteiligte:1");
        assert_eq!(create.lock("1"), check.lock("1"));
        assert_eq!(create.pending(Lane::First).as_deref(), Some("vmh:beteiligte:create_pending"));
        assert_eq!(check.pending(Lane::Sweep).as_deref(), Some("vmh:beteiligte:sync_check_pending:sweep"));
        assert_eq!(Topic::CalendarEmployee.lock("SB"), "calendar_sync:lock:SB");
        let import = Topic::Import { entity: "beteiligte".to_owned() };
        assert_eq!(import.lock("17"), "import_lock:beteiligte:17");
        assert_eq!(import.pending(Lane::Sweep).as_deref(), Some("vmh:beteiligte:import_pending:sweep"));
    }
}
