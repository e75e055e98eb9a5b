//! One request: gates and faults before, the effect, faults and gates after.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::effects::System;
use crate::faults::{Action, Phase, transform};
use crate::wire::{Answer, Ask};

/// What becomes of the connection.
pub(super) enum Played {
    Answer(Answer),
    Cut,
}

pub(super) async fn play(shared: Arc<Shared>, ask: Ask) -> Played {
    let Some(system) = System::of(&ask.path) else { return Played::Answer(Answer::empty(404)) };
    let (call, actions, holds) = {
        let mut world = shared.world();
        let now = world.clock.now();
        let call = world.log.arrived(now, system, &ask);
        (call, world.faults.strike(system, &ask).unwrap_or_default(), world.faults.holds(system, &ask))
    };
    for hold in holds.iter().filter(|hold| hold.phase == Phase::Before) {
        hold.wait().await;
    }
    let played = if let Some(ended) = before(&shared, system, &actions).await {
        ended
    } else {
        let answer = {
            let mut world = shared.world();
            let answer = world.handle(system, &ask);
            world.log.handled(call);
            answer
        };
        for hold in holds.iter().filter(|hold| hold.phase == Phase::After) {
            hold.wait().await;
        }
        after(&actions, answer).await
    };
    let status = match &played {
        Played::Answer(answer) => Some(answer.status),
        Played::Cut => None,
    };
    shared.world().log.answered(call, status, !actions.is_empty());
    played
}

/// The actions before the effect; `Some` where there will be none.
async fn before(shared: &Arc<Shared>, system: System, actions: &[Action]) -> Option<Played> {
    for action in actions {
        match action {
            Action::DelayBefore { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Action::RevokeTokens if system == System::Google => shared.world().google.tokens.revoke_all(),
            Action::RevokeTokens => shared.world().advoware.tokens.revoke_all(),
            Action::ExpireSyncTokens => shared.world().google.expire_sync_tokens(),
            Action::Cut => return Some(Played::Cut),
            Action::HtmlBefore => return Some(Played::Answer(Answer::html(200))),
            Action::AnswerBefore { status, body, headers } => {
                let answer = Answer::text(*status, body);
                let answer = headers.iter().fold(answer, |answer, (name, value)| answer.with(name, value));
                return Some(Played::Answer(answer));
            }
            _ => {}
        }
    }
    None
}

async fn after(actions: &[Action], mut answer: Answer) -> Played {
    for action in actions {
        match action {
            Action::DelayAfter { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            Action::LoseAnswer => return Played::Cut,
            action => answer = transform(action, answer),
        }
    }
    Played::Answer(answer)
}
