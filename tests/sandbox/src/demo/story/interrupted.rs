//! The answer to a create is lost: nobody knows whether it took effect, and yet there is one party in the end.

use std::time::Duration;

use advosync_sandbox::{BETEILIGTE, Change, Fault, System};
use anyhow::bail;
use serde_json::json;

use super::create::Paired;
use crate::product::QUIET;
use crate::stage::{SOON, Stage, is_clean, sync_fields};
use crate::wait;

const NAME: &str = "Verloren";

/// Plays the lost answer.
pub(crate) async fn run(stage: &mut Stage) -> anyhow::Result<Paired> {
    stage.account.step("Advoware takes a new party, and its answer is lost");
    stage.sandbox.fault(Fault::on(System::Advoware).post("*/Beteiligte").once().lose_answer());
    stage.account.did("the sandbox cuts the connection of the next POST after it took effect");
    let id = stage.create(&json!({ "firstName": "Otto", "lastName": NAME, "dateOfBirth": "1971-02-03" }))?;
    stage.account.did("a user creates Otto Verloren");
    stage.deliver().await?;
    wait::until("the POST reaches Advoware", SOON, async || Ok((!stage.parties_named(NAME).is_empty()).then_some(())))
        .await?;
    stage.account.saw("Advoware", "has the party; advosync cannot know that and must not send it again");
    stage.account.note(format!("advosync waits {} s, then looks for it (quiet time)", QUIET.as_secs()));
    let within = QUIET + SOON + Duration::from_secs(5);
    let record = stage.record_that(&id, "the quiet time passes, the party is found", within, is_clean).await?;
    let found = stage.parties_named(NAME);
    let posts = stage
        .sandbox
        .effects()
        .iter()
        .filter(|effect| effect.entity == BETEILIGTE && effect.change == Change::Create)
        .filter(|effect| effect.body.get("name") == Some(&json!(NAME)))
        .count();
    stage.account.saw("Advoware", format!("{} party named {NAME}, {posts} POST took effect", found.len()));
    stage.account.saw("EspoCRM", sync_fields(&record));
    if found.len() != 1 || posts != 1 {
        bail!("there are {} parties named {NAME} after {posts} POSTs; exactly one was wanted", found.len());
    }
    stage.account.done("exactly one party, adopted");
    let number = stage.synced(&id).await?;
    Ok(Paired { id, number })
}
