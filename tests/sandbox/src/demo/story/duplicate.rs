//! `EspoCRM` delivers a webhook twice: nothing is done twice.

use advosync_sandbox::Delivery;
use anyhow::{Context, bail};

use crate::stage::Stage;

/// Sends the webhook of the creations again, byte by byte.
pub(crate) async fn run(stage: &mut Stage, deliveries: &[Delivery]) -> anyhow::Result<()> {
    stage.account.step("The same webhook again");
    stage.settled("vmh").await?;
    let before = stage.sandbox.effects().len();
    let parties = stage.sandbox.people().advoware_list(advosync_sandbox::BETEILIGTE).len();
    for delivery in deliveries {
        let again = stage.sandbox.redeliver(delivery).await.context("the webhook is not registered any more")?;
        let status = again.status.context("the product did not answer")?;
        stage.account.did(format!("EspoCRM sends {} again, byte by byte: {status} {}", again.event, again.answer));
        if status != 200 {
            bail!("a webhook that is sent again has to be taken like the first");
        }
    }
    stage.settled("vmh").await?;
    let (writes, now) = (
        stage.sandbox.effects().len() - before,
        stage.sandbox.people().advoware_list(advosync_sandbox::BETEILIGTE).len(),
    );
    stage.account.saw("Advoware", format!("{parties} parties before, {now} after"));
    stage.account.saw("both", format!("{writes} writes"));
    if writes > 0 || now != parties {
        bail!("the repeated webhook led to {writes} writes and {} new parties", now - parties);
    }
    stage.account.done("compared, found in step, nothing written");
    Ok(())
}
