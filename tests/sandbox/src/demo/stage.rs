//! What every step needs: both sides, the product between them, and the account.

use std::time::Duration;

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Delivery, Fields, Outcome, Sandbox};
use anyhow::{Context, bail};
use serde_json::Value;

use crate::account::{Account, shown};
use crate::product::Product;
use crate::wait;

/// How long a sync may take that has nothing to wait for.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// The stage of the demo.
pub(crate) struct Stage {
    /// Advoware and `EspoCRM`.
    pub(crate) sandbox: Sandbox,
    /// advosync.
    pub(crate) product: Product,
    /// What is printed.
    pub(crate) account: Account,
}

impl Stage {
    /// The CRM's user makes a party.
    pub(crate) fn create(&self, values: &Value) -> anyhow::Result<String> {
        self.sandbox.people().crm_create(CBETEILIGTE, values).context("EspoCRM's stand-in")
    }

    /// The CRM's user changes a party.
    pub(crate) fn change(&self, id: &str, values: &Value) -> anyhow::Result<()> {
        self.sandbox.people().crm_update(CBETEILIGTE, id, values).context("EspoCRM's stand-in").map(|_| ())
    }

    /// The lawyer changes a party.
    pub(crate) fn lawyer(&self, number: i64, values: &Value) -> anyhow::Result<()> {
        self.sandbox.people().lawyer_update(BETEILIGTE, number, values).context("Advoware's stand-in").map(|_| ())
    }

    /// A party in `EspoCRM`.
    pub(crate) fn record(&self, id: &str) -> anyhow::Result<Fields> {
        self.sandbox.people().crm_get(CBETEILIGTE, id).with_context(|| format!("EspoCRM has no record {id} any more"))
    }

    /// A party in Advoware.
    pub(crate) fn party(&self, number: i64) -> anyhow::Result<Fields> {
        let found = self.sandbox.people().advoware_get(BETEILIGTE, number);
        found.with_context(|| format!("Advoware has no party {number}"))
    }

    /// The parties of this name in Advoware.
    pub(crate) fn parties_named(&self, name: &str) -> Vec<Fields> {
        let all = self.sandbox.people().advoware_list(BETEILIGTE);
        all.into_iter().filter(|party| party.get("name").and_then(Value::as_str) == Some(name)).collect()
    }

    /// `EspoCRM` sends what happened. Fails where it was not taken.
    pub(crate) async fn deliver(&self) -> anyhow::Result<Vec<Delivery>> {
        let run = self.sandbox.deliver_all_webhooks().await;
        if run.deliveries.is_empty() {
            bail!("EspoCRM's stand-in had no webhook to send");
        }
        for delivery in &run.deliveries {
            self.account.did(format!(
                "EspoCRM sends {} ({} records): {} {}",
                delivery.event,
                delivery.items().len(),
                delivery.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string()),
                delivery.answer
            ));
            if delivery.outcome != Outcome::Success {
                bail!("the webhook {} was not taken", delivery.event);
            }
        }
        Ok(run.deliveries)
    }

    /// Waits until a record fits; the failure shows what it looks like instead.
    pub(crate) async fn record_that(
        &self,
        id: &str,
        what: &str,
        within: Duration,
        fits: impl Fn(&Fields) -> bool,
    ) -> anyhow::Result<Fields> {
        let waited = wait::until(what, within, async || Ok(Some(self.record(id)?).filter(&fits))).await;
        waited.with_context(|| match self.record(id) {
            Ok(record) => format!("EspoCRM shows {}", sync_fields(&record)),
            Err(error) => error.to_string(),
        })
    }

    /// Waits until a record is in step and shows the version that its party has now; answers the party's number.
    pub(crate) async fn synced(&self, id: &str) -> anyhow::Result<i64> {
        let current = |record: &Fields| {
            let number = record.get("advowareId").and_then(Value::as_i64);
            let party = number.and_then(|number| self.party(number).ok());
            is_clean(record) && party.is_some_and(|party| party.get("rowId") == record.get("advowareRowId"))
        };
        let record = self.record_that(id, "the record is in step", SOON, current).await?;
        record.get("advowareId").and_then(Value::as_i64).context("the record is clean and has no number")
    }

    /// Waits until no job of a flow waits or runs.
    pub(crate) async fn settled(&self, flow: &str) -> anyhow::Result<()> {
        wait::until("no job waits or runs", SOON, async || {
            let flow = self.product.flow(flow).await?;
            let busy =
                ["ready", "sweep", "scheduled", "running", "parked"].iter().any(|part| flow[*part].as_u64() != Some(0));
            Ok((!busy).then_some(()))
        })
        .await
    }

    /// Tells how a party looks in both systems.
    pub(crate) fn show_both(&self, id: &str, number: i64, crm: &str, advoware: &str) -> anyhow::Result<()> {
        let (record, party) = (self.record(id)?, self.party(number)?);
        self.account.saw("Advoware", format!("betNr {number}: {advoware} {}", shown(party.get(advoware))));
        self.account.saw("EspoCRM", format!("{crm} {}; {}", shown(record.get(crm)), sync_fields(&record)));
        Ok(())
    }
}

/// Whether the record is marked as in step.
pub(crate) fn is_clean(record: &Fields) -> bool {
    record.get("syncStatus").and_then(Value::as_str) == Some("clean")
        && record.get("advowareId").is_some_and(Value::is_i64)
        && record.get("advowareRowId").is_some_and(Value::is_string)
}

/// The sync fields in one line.
pub(crate) fn sync_fields(record: &Fields) -> String {
    format!(
        "syncStatus {}, advowareId {}, advowareRowId {}",
        shown(record.get("syncStatus")),
        shown(record.get("advowareId")),
        shown(record.get("advowareRowId"))
    )
}

/// Whether two phone numbers are the same, however they are grouped.
pub(crate) fn same_phone(value: Option<&Value>, wanted: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    value.and_then(Value::as_str).is_some_and(|text| digits(text) == digits(wanted))
}
