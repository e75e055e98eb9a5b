//! The record is gone at EspoCRM: the pair ends, and what it was is kept.

use super::{Boundary, Report, Step, failure};
use crate::clients::ESPOCRM;
use crate::clients::advoware;
use crate::sync::ledger::{Dissolved, Pair, Written};
use crate::sync::record::execute::Withheld;
use crate::sync::record::mapping::OnDelete;
use crate::worker::Failure;

impl Step<'_> {
    /// Ends the pair of a record that EspoCRM does not have any more. Law firms may not lose parties: Advoware's stays,
    /// unless the mapping says otherwise.
    pub(super) async fn dissolve(&self, pair: Option<Pair>) -> Result<Report, Failure> {
        let mut report = Report::new(if pair.is_some() { "dissolved" } else { "gone" });
        let number = pair.map(|pair| pair.number);
        report.number.clone_from(&number);
        let mut deletes = false;
        let mut reason = "deleted in EspoCRM; the party stays in Advoware".to_owned();
        if let (Some(number), OnDelete::Delete) = (&number, self.sync.mapping.on_delete) {
            if self.sync.write_protection {
                report.result = "withheld";
                report.withheld = Some(Withheld { method: "DELETE", fields: Vec::new() });
                self.run.asks_only(ESPOCRM);
                return Ok(report);
            }
            self.run.check()?;
            deletes = true;
            let path = &self.sync.mapping.advoware.path;
            match self.at(Boundary::PartyDeleted, self.sync.advoware.delete(path, number)).await {
                Ok(()) | Err(advoware::Error::NotFound { .. }) => {
                    "deleted in EspoCRM and in Advoware".clone_into(&mut reason);
                }
                Err(error) => return Err(failure::advoware(&error)),
            }
        }
        if !deletes {
            self.run.asks_only(ESPOCRM);
        }
        self.end_pair(Boundary::PairDissolved, number, reason).await?;
        Ok(report)
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
