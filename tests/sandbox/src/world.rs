//! Everything that the sandbox remembers, behind one lock: a request takes effect whole or not at all.

use crate::advoware::Advoware;
use crate::clock::Clock;
use crate::effects::{Draft, Log, System};
use crate::espocrm::EspoCrm;
use crate::faults::Faults;
use crate::google::Google;
use crate::options::Options;
use crate::webhooks::queue::Queue;
use crate::wire::{Answer, Ask};
use crate::{advoware, espocrm, google};

/// The state of all imitated systems.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) advoware: Advoware,
    pub(crate) espocrm: EspoCrm,
    pub(crate) google: Google,
    pub(crate) hooks: Queue,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
    /// `http://127.0.0.1:P`, for answers that name addresses.
    pub(crate) origin: String,
}

impl World {
    pub(crate) fn new(options: Options, origin: String, google: Google) -> Self {
        let faults = Faults::new(options.seed);
        Self {
            options,
            clock: Clock::default(),
            advoware: Advoware::default(),
            espocrm: EspoCrm::default(),
            google,
            hooks: Queue::default(),
            faults,
            log: Log::default(),
            origin,
        }
    }

    /// Lets a request take effect.
    pub(crate) fn handle(&mut self, system: System, ask: &Ask) -> Answer {
        match system {
            System::Advoware => advoware::handle(self, ask),
            System::AdvowareSignIn => advoware::token::handle(self, ask),
            System::EspoCrm => espocrm::handle(self, ask),
            System::Google => google::handle(self, ask),
            System::GoogleSignIn => google::token::handle(self, ask),
            System::Webhooks | System::GooglePush => Answer::empty(404),
        }
    }

    pub(crate) fn note(&mut self, draft: Draft<'_>) {
        let now = self.clock.now();
        self.log.effect(now, draft);
    }
}
