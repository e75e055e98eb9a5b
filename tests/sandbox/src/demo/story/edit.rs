//! An edit on one side reaches the other.

use anyhow::bail;
use serde_json::{Value, json};

use super::create::Paired;
use crate::stage::{SOON, Stage, is_clean, same_phone};
use crate::wait;

const PHONE: &str = "+493055500011";
const EMAIL: &str = "max@kanzlei.example.org";

/// A user changes a phone number in `EspoCRM`; its webhook starts the sync.
pub(crate) async fn in_espocrm(stage: &mut Stage, party: &Paired) -> anyhow::Result<()> {
    stage.account.step("A change in EspoCRM");
    stage.change(&party.id, &json!({ "phoneNumber": PHONE }))?;
    stage.account.did(format!("a user changes Max Mustermann's phone to {PHONE}"));
    stage.deliver().await?;
    wait::until("the phone number arrives in Advoware", SOON, async || {
        Ok(same_phone(stage.party(party.number)?.get("telGesch"), PHONE).then_some(()))
    })
    .await?;
    stage.synced(&party.id).await?;
    stage.show_both(&party.id, party.number, "phoneNumber", "telGesch")?;
    stage.account.done("Advoware has it");
    Ok(())
}

/// The lawyer changes an address in Advoware, which tells nobody: the sweep finds it, or a person asks for the record.
pub(crate) async fn in_advoware(stage: &mut Stage, party: &Paired) -> anyhow::Result<()> {
    stage.account.step("A change in Advoware");
    stage.lawyer(party.number, &json!({ "emailGesch": EMAIL }))?;
    stage.account.did(format!("the lawyer changes Max Mustermann's e-mail to {EMAIL}; Advoware sends no webhooks"));
    let said = stage.product.admin(&["record", "beteiligte", &party.id, "--wait"]).await?;
    stage.account.did(format!("advosync record beteiligte {} --wait", party.id));
    stage.account.printed(&said.stdout);
    if !said.success {
        bail!("`advosync record … --wait` failed: {}", said.stderr);
    }
    let fits = |record: &advosync_sandbox::Fields| {
        is_clean(record) && record.get("emailAddress").and_then(Value::as_str) == Some(EMAIL)
    };
    stage.record_that(&party.id, "the e-mail arrives in EspoCRM", SOON, fits).await?;
    stage.show_both(&party.id, party.number, "emailAddress", "emailGesch")?;
    stage.account.done("EspoCRM has it");
    Ok(())
}
