//! What nobody told us: an edit in Advoware, which sends no events, and one in `EspoCRM` whose webhook is lost. A comparison of
//! everything finds both; the sweeps do the same within the day, without being asked.

use anyhow::bail;
use serde_json::{Value, json};

use super::create::Paired;
use crate::stage::{SOON, Stage, is_clean};
use crate::wait;

const ANREDE: &str = "Rechtsanwalt";
const EMAIL: &str = "erika@beispiel.example.org";

/// Plays it.
pub(crate) async fn run(stage: &mut Stage, max: &Paired, erika: &Paired) -> anyhow::Result<()> {
    stage.account.step("What nobody told us");
    stage.deliver().await?;
    stage.settled("vmh").await?;
    stage.lawyer(max.number, &json!({ "anrede": ANREDE }))?;
    stage.account.did(format!("the lawyer changes Max Mustermann's Anrede to {ANREDE}"));
    stage.change(&erika.id, &json!({ "emailAddress": EMAIL }))?;
    stage.sandbox.forget_webhooks();
    stage.account.did(format!("a user changes Erika Beispiel's e-mail to {EMAIL}, and the webhook is lost"));
    let said = stage.product.admin(&["record", "beteiligte", "--all"]).await?;
    stage.account.did("advosync record beteiligte --all");
    stage.account.printed(&said.stdout);
    if !said.success {
        bail!("`advosync record beteiligte --all` failed: {}", said.stderr);
    }
    let fits = |record: &advosync_sandbox::Fields| {
        is_clean(record) && record.get("anrede").and_then(Value::as_str) == Some(ANREDE)
    };
    stage.record_that(&max.id, "the Anrede arrives in EspoCRM", SOON, fits).await?;
    stage.show_both(&max.id, max.number, "anrede", "anrede")?;
    wait::until("the e-mail arrives in Advoware", SOON, async || {
        let party = stage.party(erika.number)?;
        Ok((party.get("emailGesch").and_then(Value::as_str) == Some(EMAIL)).then_some(()))
    })
    .await?;
    stage.show_both(&erika.id, erika.number, "emailAddress", "emailGesch")?;
    stage.account.done("both were found; every 15 minutes a sweep looks for such things by itself");
    Ok(())
}
