//! The calendar trigger: taken and queued.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::product::TOKEN;
use crate::stage::Stage;

/// Triggers a calendar as an admin does with curl.
pub(crate) async fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.account.step("An admin triggers a calendar sync");
    let url = format!("{}/advoware/calendar/sync", stage.product.url);
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let body = json!({ "kuerzel": "SB", "full_content": true });
    let answer =
        client.post(&url).bearer_auth(TOKEN).json(&body).send().await.context("the trigger was not answered")?;
    let (status, text) = (answer.status().as_u16(), answer.text().await?);
    stage.account.did(format!("POST /advoware/calendar/sync {body}"));
    stage.account.saw("advosync", format!("{status} {text}"));
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if status != 200 || answer["status"] != "triggered" {
        bail!("the trigger was not taken");
    }
    let flow = stage.product.flow("calendar").await?;
    stage.account.saw("advosync", format!("flow calendar: {} ready, {} running", flow["ready"], flow["running"]));
    if flow["ready"].as_u64() != Some(1) {
        bail!("the job should wait in the stream, but status says {flow}");
    }
    stage.account.note(
        "The calendar sync itself comes with a later version, so no worker reads that flow yet. The job is kept,",
    );
    stage.account.note("and the parties above were synced all the same.");
    stage.account.done("taken, durable, waiting");
    Ok(())
}
