//! Which command is about to run: it decides which faults matter and where to listen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where an ingress listens unless something else is said.
pub(super) const INGRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// The command that settings are loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All roles in one process.
    Up,
    /// Takes webhooks and triggers.
    Ingress,
    /// Does the jobs.
    Worker,
    /// Enqueues what is due.
    Cron,
    /// Passes requests on to Advoware.
    Proxy,
    /// Admin pages.
    Console,
    /// An admin command that talks to Redis only: `status`, `sync`, `record`, `dead`, `migrate`.
    Admin,
    /// `doctor` and `config`: look at everything.
    Doctor,
    /// `setup espocrm`.
    Setup,
}

/// One of the outside systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// The case software.
    Advoware,
    /// The CRM.
    EspoCrm,
    /// Google Calendar.
    Google,
}

impl Upstream {
    /// Its name in keys, metrics and messages: `advoware`, `espocrm`, `google`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Advoware => "advoware",
            Self::EspoCrm => "espocrm",
            Self::Google => "google",
        }
    }
}

impl Role {
    /// Whether this role calls `upstream` itself. A role never looks at the settings of the others: a broken password of
    /// Advoware must not stop the webhooks from being taken.
    #[must_use]
    pub fn calls(self, upstream: Upstream) -> bool {
        match self {
            Self::Up | Self::Worker | Self::Doctor => true,
            Self::Proxy => upstream == Upstream::Advoware,
            Self::Setup => upstream == Upstream::EspoCrm,
            Self::Ingress | Self::Cron | Self::Console | Self::Admin => false,
        }
    }

    /// Whether this role serves HTTP, or judges the settings of those that do.
    pub(super) fn serves(self) -> bool {
        !matches!(self, Self::Admin | Self::Setup)
    }

    /// Where it listens when nothing is set.
    pub(super) fn default_address(self) -> Option<SocketAddr> {
        match self {
            Self::Up | Self::Ingress | Self::Proxy => Some(INGRESS),
            Self::Console => Some(SocketAddr::from(([127, 0, 0, 1], 3001))),
            Self::Worker | Self::Cron | Self::Admin | Self::Doctor | Self::Setup => None,
        }
    }
}
