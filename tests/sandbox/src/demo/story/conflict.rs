//! The same field is changed on both sides: `EspoCRM` wins, and the value that lost is told on the record.

use anyhow::Context;
use serde_json::{Value, json};

use super::create::Paired;
use crate::account::shown;
use crate::stage::{SOON, Stage, same_phone};
use crate::wait;

const OURS: &str = "+498912340001";
const THEIRS: &str = "+498912349999";

/// Plays the conflict.
pub(crate) async fn run(stage: &mut Stage, party: &Paired) -> anyhow::Result<()> {
    stage.account.step("A conflict: the same field is changed on both sides");
    let notes = stage.sandbox.people().crm_notes().len();
    stage.lawyer(party.number, &json!({ "telGesch": THEIRS }))?;
    stage.account.did(format!("the lawyer changes Erika Beispiel's phone to {THEIRS}"));
    stage.change(&party.id, &json!({ "phoneNumber": OURS }))?;
    stage.account.did(format!("before that is synced, a user changes it to {OURS}"));
    stage.deliver().await?;
    wait::until("EspoCRM's value wins in Advoware", SOON, async || {
        Ok(same_phone(stage.party(party.number)?.get("telGesch"), OURS).then_some(()))
    })
    .await?;
    stage.synced(&party.id).await?;
    let note = wait::until("a note on the record tells of it", SOON, async || {
        Ok(stage.sandbox.people().crm_notes().into_iter().nth(notes))
    })
    .await?;
    stage.show_both(&party.id, party.number, "phoneNumber", "telGesch")?;
    stage.account.saw("EspoCRM", "note on the record's stream:");
    stage.account.printed(&shown(note.get("post")));
    let told = note.get("post").and_then(Value::as_str).is_some_and(|post| post.contains("9999"));
    told.then_some(()).context("the note does not name the value that lost")?;
    stage.account.done("EspoCRM's value is in both systems, nothing is lost without a word");
    Ok(())
}
