//! A failure for good, and its replay once the cause is gone.

use advosync_sandbox::{Fault, System};
use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::create::Paired;
use crate::account::shown;
use crate::product::ATTEMPTS;
use crate::stage::{SOON, Stage, same_phone, sync_fields};
use crate::wait;

const PHONE: &str = "+494099900022";

/// Lets Advoware refuse an update until the job is dead, then replays it.
pub(crate) async fn run(stage: &mut Stage, party: &Paired) -> anyhow::Result<()> {
    stage.account.step("Advoware refuses an update, again and again");
    let refusal = Fault::on(System::Advoware).put("*/Beteiligte/*");
    stage.sandbox.fault(refusal.answer(400, "Der Datensatz ist gesperrt."));
    stage.account.did("from now on the sandbox answers every PUT of a party with 400 `Der Datensatz ist gesperrt.`");
    stage.change(&party.id, &json!({ "phoneNumber": PHONE }))?;
    stage.account.did(format!("a user changes Max Mustermann's phone to {PHONE}"));
    stage.deliver().await?;
    let failed = |record: &advosync_sandbox::Fields| record.get("syncStatus") == Some(&json!("permanently_failed"));
    let record = stage.record_that(&party.id, "all attempts have failed", SOON, failed).await?;
    stage
        .account
        .saw("EspoCRM", format!("{}, syncRetryCount {}", sync_fields(&record), shown(record.get("syncRetryCount"))));
    stage.account.saw("EspoCRM", format!("syncErrorMessage {}", shown(record.get("syncErrorMessage"))));
    let id = wait::until("the job is among the dead letters", SOON, async || letter(stage, &party.id).await).await?;
    stage.account.did(format!("after {ATTEMPTS} attempts the job is dead. advosync dead list"));
    stage.account.printed(&stage.product.ask(&["dead", "list"]).await?);

    stage.account.step("The cause is mended and the job replayed");
    stage.sandbox.clear_faults();
    stage.account.did("the sandbox takes PUTs again");
    let said = stage.product.ask(&["dead", "replay", &id]).await?;
    stage.account.did(format!("advosync dead replay {id}"));
    stage.account.printed(&said);
    wait::until("the change arrives in Advoware", SOON, async || {
        Ok(same_phone(stage.party(party.number)?.get("telGesch"), PHONE).then_some(()))
    })
    .await?;
    stage.synced(&party.id).await?;
    stage.settled("vmh").await?;
    stage.show_both(&party.id, party.number, "phoneNumber", "telGesch")?;
    if letter(stage, &party.id).await?.is_some() {
        bail!("the dead letter is still there after its replay");
    }
    stage.account.done("in step, no dead letters left");
    Ok(())
}

/// The dead letter of a record.
async fn letter(stage: &Stage, record: &str) -> anyhow::Result<Option<String>> {
    let text = stage.product.ask(&["dead", "list", "--json"]).await?;
    let all: Value =
        serde_json::from_str(&text).with_context(|| format!("`dead list --json` printed no JSON: {text}"))?;
    let all = all.as_array().context("`dead list --json` printed no list")?;
    let mine = all.iter().find(|letter| letter["key"].as_str() == Some(record));
    Ok(mine.and_then(|letter| letter["id"].as_str()).map(str::to_owned))
}
