//! Whose a party is: one number, one record.

use serde_json::Value;

use super::{Boundary, Step, failure};
use crate::clients::espocrm::{Error, Search, Where};
use crate::queue::{Batch, Lane, RecordAction, Topic};
use crate::sync::failure::SOON;
use crate::sync::ledger::{Import, Progress, Written};
use crate::sync::record::import::reservation;
use crate::sync::record::status;
use crate::worker::Failure;

/// Where a job came from that a record's run asked for because it needs the party of another one.
const SOURCE: &str = "owner";
/// So many ids go into one list.
const AT_ONCE: usize = 50;

impl Step<'_> {
    /// A number that another record is paired with must not be written to by this one.
    pub(super) async fn check_owner(&self, number: &str) -> Result<(), Failure> {
        let Some(owner) = self.other_owner(number).await? else { return Ok(()) };
        self.let_go(std::slice::from_ref(&owner)).await?;
        self.written(Written::Taken(owner), number)
    }

    /// The other record that the ledger pairs a number with.
    pub(super) async fn other_owner(&self, number: &str) -> Result<Option<String>, Failure> {
        let owners = self.sync.ledger.owners(&[number.to_owned()]).await.map_err(failure::ledger)?;
        Ok(owners.into_iter().flatten().next().filter(|owner| owner != self.id))
    }

    /// Another record of EspoCRM that shows this number.
    pub(super) async fn shown_by(&self, number: &str) -> Result<Option<String>, Failure> {
        let ends = &self.sync.mapping.espocrm;
        let search =
            Search { where_: vec![Where::equals(&ends.link, status::link(number))], max_size: 2, ..Search::default() };
        let page = self.sync.espocrm.list(&ends.entity, &search).await.map_err(|error| failure::espocrm(&error))?;
        let other = page.list.iter().filter_map(|found| found.get("id")?.as_str()).find(|id| *id != self.id);
        Ok(other.map(str::to_owned))
    }

    /// A link must not take a party away from another EspoCRM record that the ledger has forgotten.
    pub(super) async fn check_unlinked(&self, number: &str) -> Result<(), Failure> {
        let Some(other) = self.shown_by(number).await? else { return Ok(()) };
        // The ledger knows of it by now: a twin's create ended after our search had found its party.
        if self.other_owner(number).await?.is_some() {
            return Err(failure::overtaken(&other));
        }
        // It was made by an import a moment ago, which is about to tell the ledger.
        let import = self.sync.ledger.import(number).await.map_err(failure::ledger)?;
        if matches!(import, Some(Import { progress: Progress::Begun(_), .. })) {
            return Err(failure::busy(&reservation(number), self.sync.quiet));
        }
        self.written(Written::Taken(other), number)
    }

    /// These records own parties that this one may need. Those that EspoCRM has deleted, and whose own run has not ended
    /// their pair yet (its webhook is late, or lost), get that run now, and this one is done again.
    pub(super) async fn let_go(&self, owners: &[String]) -> Result<(), Failure> {
        let mut gone = Vec::new();
        for some in owners.chunks(AT_ONCE) {
            for owner in self.unlisted(some).await? {
                // A list leaves out what the API user may not read; only this says that a record is gone.
                match self.sync.espocrm.get(&self.sync.mapping.espocrm.entity, &owner).await {
                    Ok(_) => {}
                    Err(Error::RecordMissing { .. }) => gone.push(owner),
                    Err(error) => return Err(failure::espocrm(&error)),
                }
            }
        }
        let Some(first) = gone.first() else { return Ok(()) };
        let topic = Topic::record(&self.sync.mapping.name, RecordAction::SyncCheck);
        let batch = Batch::new(topic, Lane::First, &gone, SOURCE);
        self.at(Boundary::OwnerAsked, self.queue.enqueue(&batch)).await.map_err(failure::ledger)?;
        let message = format!("the EspoCRM record {first} is deleted, and its run has not given its party free yet");
        if self.waited {
            // Should that run never come to its end, this one does.
            return Err(Failure::Failed { code: "owner_gone", message, retry_after: None });
        }
        Err(Failure::Later { after: SOON, reason: message })
    }

    /// Those of these records that a list does not show. One is read at once.
    async fn unlisted(&self, owners: &[String]) -> Result<Vec<String>, Failure> {
        if owners.len() < 2 {
            return Ok(owners.to_vec());
        }
        let ids = owners.iter().map(String::as_str);
        let search = Search {
            where_: vec![Where::is_in("id", ids)],
            select: vec!["id".to_owned()],
            no_total: true,
            ..Search::default()
        };
        let entity = &self.sync.mapping.espocrm.entity;
        let page = self.sync.espocrm.list(entity, &search).await.map_err(|error| failure::espocrm(&error))?;
        let lives = |owner: &&String| page.list.iter().any(|it| it.get("id").and_then(Value::as_str) == Some(owner));
        Ok(owners.iter().filter(|owner| !lives(owner)).cloned().collect())
    }
}
