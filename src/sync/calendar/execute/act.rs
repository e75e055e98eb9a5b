//! Carries actions out, some at once.

use std::collections::HashMap;

use futures::StreamExt as _;

use super::failure::Problem;
use super::rounds::Step;
use super::state::Delta;
use crate::sync::calendar::items::Item;
use crate::sync::calendar::pair::{Prints, Tie};
use crate::sync::calendar::plan::Action;

/// So many effects are under way at once: enough to keep Google's pace busy.
const AT_ONCE: usize = 8;

/// The name of what an action is about, for reports; what failed is not tried again under the same name.
pub(super) fn name(action: &Action) -> String {
    match action {
        Action::Pair { tie, .. }
        | Action::Unpair { tie }
        | Action::Remake { tie, .. }
        | Action::DeleteEvent { tie }
        | Action::Merge { tie, .. }
        | Action::NewTermin { tie, .. } => tie.name(),
        Action::Withdraw { name } | Action::Hold { name, .. } | Action::Release { name } => name.clone(),
        Action::InsertEvent { number, .. } | Action::DeleteTermin { number, .. } | Action::EndSeries { number, .. } => {
            format!("frNr {number}")
        }
    }
}

impl Step<'_> {
    /// Carries actions out: the ledger's own entries in one call, then the effects.
    pub(super) async fn act(&self, actions: Vec<Action>) {
        let mut delta = Delta::default();
        let mut effects = Vec::new();
        for action in actions {
            match action {
                Action::Pair { tie, pair } => {
                    self.count("paired");
                    delta.pairs.push((tie, Some(pair)));
                }
                Action::Unpair { tie } => delta.pairs.push((tie, None)),
                Action::Withdraw { name } => delta.intents.push((name, None)),
                Action::Hold { name, held } => delta.held.push((name, Some(held))),
                Action::Release { name } => delta.held.push((name, None)),
                effect => effects.push(effect),
            }
        }
        if let Err(problem) = self.settle(delta).await {
            return self.note("ledger", Err(problem));
        }
        let chains = futures::stream::iter(self.chains(effects)).map(async |chain: Vec<Effect>| {
            for effect in chain {
                if self.tried().is_over() {
                    return;
                }
                let outcome = self.effect(&effect).await;
                self.note(&name(&effect.action), outcome);
            }
        });
        chains.buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    /// What may go side by side. New Termine with equal content go one after the other: were two of them interrupted at
    /// once, nobody could say which is which.
    fn chains(&self, effects: Vec<Action>) -> Vec<Vec<Effect>> {
        let items = self.state().items(&self.scope);
        let mut chains: Vec<Vec<Effect>> = Vec::new();
        let mut twins: HashMap<Prints, usize> = HashMap::new();
        for action in effects {
            let item = tie(&action).and_then(|tie| items.by_tie.get(tie)).cloned();
            let prints = item.as_ref().map(|item| item.prints).filter(|_| matches!(action, Action::NewTermin { .. }));
            let effect = Effect { action, item };
            if let Some(chain) = prints.and_then(|prints| twins.get(&prints)) {
                chains[*chain].push(effect);
                continue;
            }
            if let Some(prints) = prints {
                twins.insert(prints, chains.len());
            }
            chains.push(vec![effect]);
        }
        chains
    }

    async fn effect(&self, Effect { action, item }: &Effect) -> Result<(), Problem> {
        match (action, item) {
            (Action::InsertEvent { number, generation, replaces }, _) => {
                self.insert_event(*number, *generation, replaces.as_ref()).await
            }
            (Action::Remake { tie, number, generation }, _) => self.remake(tie, *number, *generation).await,
            (Action::DeleteEvent { tie }, item) => self.delete_event(tie, item.as_ref()).await,
            (Action::DeleteTermin { tie, number }, _) => self.delete_termin(tie, *number).await,
            (Action::EndSeries { tie, number, until }, _) => self.end_series(tie, *number, *until).await,
            (Action::Merge { tie, number, merged }, Some(item)) => self.merge(tie, *number, merged, item).await,
            (Action::NewTermin { tie, like, tries }, Some(item)) => self.new_termin(tie, *like, *tries, item).await,
            // The ledger's own entries are done, and what lost its item is planned anew.
            _ => Ok(()),
        }
    }
}

/// An action with the item that it was planned for.
struct Effect {
    action: Action,
    item: Option<Item>,
}

fn tie(action: &Action) -> Option<&Tie> {
    match action {
        Action::Merge { tie, .. } | Action::NewTermin { tie, .. } | Action::DeleteEvent { tie } => Some(tie),
        _ => None,
    }
}
