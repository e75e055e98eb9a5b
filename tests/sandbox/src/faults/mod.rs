//! What goes wrong, by script: `rule` describes it, `gate` holds a request until a test lets it go, this file keeps the
//! list and decides.
//!
//! The **first** rule that matches a request and has hits left strikes, with all its actions; so a script of several
//! rules plays one after the other. Gates are independent of rules.

mod gate;
mod rule;
mod transform;

use serde_json::Value;

pub(crate) use gate::Hold;
pub use gate::{Gate, Phase};
pub use rule::{Action, Fault, Match};
pub(crate) use transform::transform;

use crate::effects::System;
use crate::wire::Ask;

/// Rules, gates, and the chance that both use.
pub(crate) struct Faults {
    rules: Vec<Planted>,
    holds: Vec<Hold>,
    state: u64,
}

#[derive(serde::Serialize)]
struct Planted {
    #[serde(flatten)]
    fault: Fault,
    /// Requests that matched, struck or not.
    seen: u64,
    /// Requests that were struck.
    struck: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), holds: Vec::new(), state: seed }
    }

    pub(crate) fn plant(&mut self, fault: Fault) {
        self.rules.push(Planted { fault, seen: 0, struck: 0 });
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn hold(&mut self, hold: Hold) {
        self.holds.push(hold);
    }

    /// The rules with their counts, for the control routes.
    pub(crate) fn listed(&self) -> Value {
        serde_json::to_value(&self.rules).unwrap_or_default()
    }

    /// Each rule that stands, and how many requests it has struck.
    pub(crate) fn each(&self) -> Vec<(Fault, u64)> {
        self.rules.iter().map(|rule| (rule.fault.clone(), rule.struck)).collect()
    }

    /// How many requests were struck by any rule that still stands.
    pub(crate) fn struck(&self) -> u64 {
        self.rules.iter().map(|rule| rule.struck).sum()
    }

    /// What happens to this request; counts it.
    pub(crate) fn strike(&mut self, system: System, ask: &Ask) -> Option<Vec<Action>> {
        for index in 0..self.rules.len() {
            let rule = &mut self.rules[index];
            if !rule.fault.target.fits(system, ask) || rule.fault.times.is_some_and(|times| rule.struck >= times) {
                continue;
            }
            rule.seen += 1;
            if rule.seen <= rule.fault.skip {
                continue;
            }
            let probability = rule.fault.probability;
            if probability.is_some_and(|probability| self.chance() >= probability) {
                continue;
            }
            let rule = &mut self.rules[index];
            rule.struck += 1;
            return Some(rule.fault.actions.clone());
        }
        None
    }

    /// The gates that hold this request; counts it at each of them.
    pub(crate) fn holds(&mut self, system: System, ask: &Ask) -> Vec<Hold> {
        self.holds.retain(|hold| !hold.released());
        self.holds.iter_mut().filter_map(|hold| hold.catches(system, ask)).collect()
    }

    /// The next number of a `SplitMix64` sequence: the same seed gives the same run.
    pub(crate) fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn chance(&mut self) -> f64 {
        let top = u32::try_from(self.random() >> 32).unwrap_or(u32::MAX);
        f64::from(top) / (f64::from(u32::MAX) + 1.0)
    }
}
