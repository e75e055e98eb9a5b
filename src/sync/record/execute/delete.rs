//! The record is gone at EspoCRM: the pair ends, and what it was is kept.

use super::notes::Told;
use super::{Boundary, Report, Step, failure};
use crate::clients::ESPOCRM;
use crate::clients::advoware;
use crate::clients::espocrm::{Search, Where};
use crate::sync::ledger::{Dissolved, Pair, Written};
use crate::sync::record::execute::Withheld;
use crate::sync::record::mapping::OnDelete;
use crate::sync::record::merge_note::namesake_deleted;
use crate::sync::record::normal::Content;
use crate::sync::record::route::number_in;
use crate::worker::Failure;

/// So many records with the same name are told of a party that nobody has any more.
const NAMESAKES: u16 = 5;

impl Step<'_> {
    /// Ends the pair of a record that EspoCRM does not have any more. Law firms may not lose parties: Advoware's stays,
    /// unless the mapping says otherwise and no other record shows its number (such as one that it was merged into).
    pub(super) async fn dissolve(&self, pair: Option<Pair>) -> Result<Report, Failure> {
        let mut report = Report::new(if pair.is_some() { "dissolved" } else { "gone" });
        report.number = pair.as_ref().map(|pair| pair.number.clone());
        let mut reason = "deleted in EspoCRM; the party stays in Advoware".to_owned();
        let mut deletes = false;
        match (&pair, self.sync.mapping.on_delete) {
            (None, _) => {}
            (Some(pair), OnDelete::Keep) => self.tell_namesakes(pair).await?,
            (Some(pair), OnDelete::Delete) => match self.shown_by(&pair.number).await? {
                Some(heir) => reason = format!("deleted in EspoCRM; the EspoCRM record {heir} has its number now"),
                None if self.sync.write_protection => {
                    report.result = "withheld";
                    report.withheld = Some(Withheld { method: "DELETE", fields: Vec::new() });
                    self.run.asks_only(ESPOCRM);
                    return Ok(report);
                }
                None => {
                    deletes = true;
                    self.delete_party(&pair.number).await?;
                    "deleted in EspoCRM and in Advoware".clone_into(&mut reason);
                }
            },
        }
        if !deletes {
            self.run.asks_only(ESPOCRM);
        }
        self.end_pair(Boundary::PairDissolved, report.number.clone(), reason).await?;
        Ok(report)
    }

    async fn delete_party(&self, number: &str) -> Result<(), Failure> {
        self.run.check()?;
        let path = &self.sync.mapping.advoware.path;
        match self.at(Boundary::PartyDeleted, self.sync.advoware.delete(path, number)).await {
            Ok(()) | Err(advoware::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure::advoware(&error)),
        }
    }

    /// EspoCRM tells nobody that records were merged: one is edited, the others are deleted. Whoever has the same name may
    /// be the one that is left, and only a person can merge the parties.
    async fn tell_namesakes(&self, pair: &Pair) -> Result<(), Failure> {
        let Some(snapshot) = &pair.snapshot else { return Ok(()) };
        let shown = self.namesakes(&snapshot.espocrm).await?;
        if shown.iter().any(|(_, number)| *number == pair.number) {
            // It has taken the party over.
            return Ok(());
        }
        for (id, number) in shown {
            let note = namesake_deleted(self.id, &pair.number, &number, self.now());
            if let Told::Open(message) = self.write_note(Boundary::NamesakeTold, &id, &note).await? {
                return Err(Failure::Upstream { upstream: ESPOCRM, message, retry_after: None, park: false });
            }
        }
        Ok(())
    }

    /// EspoCRM's records with these search keys that have a number, and nothing proves different.
    async fn namesakes(&self, content: &Content) -> Result<Vec<(String, String)>, Failure> {
        let mapping = &self.sync.mapping;
        let keys = mapping.espocrm_search(content).into_iter();
        let conditions: Vec<Where> = keys
            .map(|key| Where::or(key.iter().map(|(attribute, value)| Where::equals(attribute, value.as_str()))))
            .collect();
        if conditions.is_empty() {
            return Ok(Vec::new());
        }
        let search = Search { where_: conditions, max_size: NAMESAKES, no_total: true, ..Search::default() };
        let page = self.sync.espocrm.list(&mapping.espocrm.entity, &search).await;
        let page = page.map_err(|error| failure::espocrm(&error))?;
        let fits = |it: &Content| mapping.same_search_keys(content, it) && !mapping.proven_different(content, it);
        let fitting = page.list.iter().filter(|record| fits(&mapping.from_espocrm(record)));
        Ok(fitting
            .filter_map(|record| {
                Some((record.get("id")?.as_str()?.to_owned(), number_in(record, &mapping.espocrm.link)?))
            })
            .collect())
    }

    /// Ends what the ledger has of this record, and keeps what it was.
    pub(super) async fn end_pair(
        &self,
        boundary: Boundary,
        number: Option<String>,
        reason: String,
    ) -> Result<(), Failure> {
        let fence = (self.run.fence.0.as_str(), self.run.fence.1.as_str());
        let dissolved = Dissolved { number, at: self.now(), reason };
        let ended = self.at(boundary, self.sync.ledger.dissolve(fence, self.id, &dissolved)).await;
        match ended.map_err(failure::ledger)? {
            Written::Fenced => Err(Failure::LeaseLost),
            _ => Ok(()),
        }
    }
}
