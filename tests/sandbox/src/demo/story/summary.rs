//! What took effect in all, by the sandbox's own log.

use std::collections::BTreeMap;

use advosync_sandbox::{BETEILIGTE, Change, Effect, System};
use anyhow::bail;
use serde_json::Value;

use crate::account::Account;
use crate::stage::Stage;

/// Creates of the steps: three parties, and the one whose answer was lost.
const CREATES: usize = 4;
/// Updates that went to Advoware: the phone number, the conflict, the edit whose webhook was lost, the replay.
const UPDATES: usize = 4;

/// Sends the echoes of our own writes, then counts.
pub(crate) async fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.account.step("No echo: EspoCRM sends the events of advosync's own writes too, as version 9.1 does");
    stage.settled("vmh").await?;
    let before = stage.sandbox.effects().len();
    stage.deliver().await?;
    stage.settled("vmh").await?;
    let effects = stage.sandbox.effects();
    let echoes = effects.len() - before;
    stage.account.saw("both", format!("{echoes} writes"));
    if echoes > 0 {
        bail!("advosync answered its own writes with {echoes} further ones: {:?}", &effects[before..]);
    }
    stage.account.done("compared, found in step, nothing written");

    stage.account.heading("What took effect, by the sandbox's own log");
    let product = stage.sandbox.options().advoware.user;
    table(&stage.account, &effects);
    let of_parties = |effect: &&Effect| effect.system == System::Advoware && effect.entity == BETEILIGTE;
    let to_advoware: Vec<&Effect> = effects.iter().filter(of_parties).filter(|effect| effect.by == product).collect();
    let creates = to_advoware.iter().filter(|effect| effect.change == Change::Create).count();
    let updates = to_advoware.iter().filter(|effect| effect.change == Change::Update).count();
    let doubles = doubles(&stage.sandbox.people().advoware_list(BETEILIGTE));
    stage.account.note(format!("parties that are in Advoware twice: {}", doubles.len()));
    let waiting = stage.sandbox.webhooks_waiting() + stage.sandbox.webhooks_given_up().len();
    stage.account.note(format!("webhooks that were given up or still wait: {waiting}"));
    if !doubles.is_empty() || waiting > 0 || (creates, updates) != (CREATES, UPDATES) {
        bail!(
            "advosync created {creates} parties in Advoware and updated {updates} times, wanted {CREATES} and {UPDATES}; \
             doubles: {doubles:?}"
        );
    }
    Ok(())
}

/// Writes by system, writer and kind.
fn table(account: &Account, effects: &[Effect]) {
    let mut counts: BTreeMap<(&str, &str, &str), [usize; 3]> = BTreeMap::new();
    for effect in effects {
        let system = match effect.system {
            System::Advoware => "Advoware",
            System::Google => "Google",
            _ => "EspoCRM",
        };
        let row = counts
            .entry((system, effect.entity.as_str(), effect.by.split('@').next().unwrap_or_default()))
            .or_default();
        row[match effect.change {
            Change::Create => 0,
            Change::Update => 1,
            Change::Delete => 2,
        }] += 1;
    }
    let row = |columns: [&str; 6]| {
        let [system, entity, by, created, updated, deleted] = columns;
        account.line(&format!("   {system:<10} {entity:<13} {by:<12} {created:>7} {updated:>7} {deleted:>7}"));
    };
    row(["system", "entity", "by", "created", "updated", "deleted"]);
    for ((system, entity, by), counts) in counts {
        let [created, updated, deleted] = counts.map(|count| count.to_string());
        row([system, entity, by, &created, &updated, &deleted]);
    }
}

/// Names that more than one party has.
fn doubles(parties: &[advosync_sandbox::Fields]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for party in parties {
        let part = |name: &str| party.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        *seen.entry(format!("{}, {}", part("name"), part("vorname"))).or_default() += 1;
    }
    seen.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect()
}
