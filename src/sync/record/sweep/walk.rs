//! A walk through all of EspoCRM's records, a few pages in each sweep, so that every record is seen once in
//! `recheck_hours`: an edit whose webhook was lost, a record that we know nothing of, a pair whose record is gone.

use super::{Ask, Found, Sweeper, ids_of};
use crate::clients::espocrm::Page;
use crate::sync::ledger::Swept;
use crate::sync::record::compare::modified_at;
use crate::sync::record::execute::ledger_failure;
use crate::sync::record::looks::{Pace, in_step, looked_since};
use crate::sync::record::trials::is_given_up;
use crate::worker::Failure;

/// So many paired records may be missing from a page, or a tenth of all; more are a list that cannot be right.
const MANY_MISSING: usize = 50;

impl Sweeper<'_> {
    /// Walks on by this sweep's share, and asks for every record that is not what was agreed on.
    pub(super) async fn walk(&self, pace: &Pace, swept: &mut Swept) -> Result<Found, Failure> {
        let mut found = Found::default();
        if swept.walked_to.is_none() {
            if !pace.is_due(swept.walk_began, None) {
                return Ok(found);
            }
            swept.walk_began = Some(self.run.started_at);
        }
        let known = self.sync.ledger.pair_ids().await.map_err(ledger_failure)?;
        // How many pages there are is known from the last walk; of a first one, once EspoCRM has counted them.
        let mut pages = swept.records.map_or(1, |records| pace.share(self.pages(records)).max(1));
        while pages > 0 {
            let after = swept.walked_to.clone().unwrap_or_default();
            let counted = swept.records.is_none();
            let shown = self.page(&after, Vec::new(), Ask { attributes: true, total: counted }).await?;
            if let (true, Some(total)) = (counted, shown.total) {
                swept.records = Some(total);
                pages = pages.max(pace.share(self.pages(total)));
            }
            let ids = ids_of(&shown);
            let last = self.is_last(&ids, &after);
            let wanted = self.not_in_step(pace, &shown, &ids).await?;
            found.listed += ids.len();
            found.enqueued += self.ask(&wanted).await?;
            found.enqueued += self.ask_for_missing(&known, &after, last, &ids).await?;
            swept.walked += u64::try_from(ids.len()).unwrap_or(0);
            if last {
                swept.records = Some(std::mem::take(&mut swept.walked));
                swept.walked_to = None;
                return Ok(found);
            }
            swept.walked_to = ids.last().cloned();
            pages -= 1;
        }
        Ok(found)
    }

    /// Whoever has a pair and is not on the page where its id would stand was deleted without a word; a job asks. Where
    /// many are missing at once, it is rather the list that lacks them.
    pub(super) async fn ask_for_missing(
        &self,
        known: &[String],
        after: &str,
        last: bool,
        shown: &[String],
    ) -> Result<usize, Failure> {
        let end = if last { None } else { shown.last().map(String::as_str) };
        let missing = missing(known, after, end, shown);
        if missing.len() > MANY_MISSING.max(known.len() / 10) {
            tracing::warn!(
                entity = self.sync.mapping.name,
                missing = missing.len(),
                "espocrm's list lacks many records that are paired, none of them is asked for"
            );
            return Ok(0);
        }
        self.ask(&missing).await
    }

    fn pages(&self, records: u64) -> usize {
        usize::try_from(records).unwrap_or(usize::MAX) / usize::from(self.page_size()) + 1
    }

    async fn not_in_step(&self, pace: &Pace, shown: &Page, ids: &[String]) -> Result<Vec<String>, Failure> {
        let (ledger, mapping) = (&self.sync.ledger, &self.sync.mapping);
        let pairs = ledger.pairs_of(ids).await.map_err(ledger_failure)?;
        let looked = ledger.looked_at(ids).await.map_err(ledger_failure)?;
        let mut wanted = Vec::new();
        // Every record of a page has an id, or the page would not have been read.
        for (((record, id), pair), looked) in shown.list.iter().zip(ids).zip(pairs).zip(looked) {
            // Only a person, or its daily trial, sets a record going again that failed for good.
            let for_good = is_given_up(mapping, record);
            let settled = looked.is_some() && in_step(mapping, record, pair.as_ref());
            if !for_good && !settled && !looked_since(pace, looked, modified_at(record)) {
                wanted.push(id.clone());
            }
        }
        Ok(wanted)
    }
}

/// Those of `known` (in order) behind `after` and up to `end` (none: all of them) that are not among `shown`.
fn missing(known: &[String], after: &str, end: Option<&str>, shown: &[String]) -> Vec<String> {
    let from = known.partition_point(|id| id.as_str() <= after);
    let to = end.map_or(known.len(), |end| known.partition_point(|id| id.as_str() <= end));
    let shown: std::collections::HashSet<&String> = shown.iter().collect();
    known[from..to.max(from)].iter().filter(|id| !shown.contains(id)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_should_stand_on_a_page_and_does_not_is_missing() {
        let list = |ids: &str| ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let known = list("a b c d e f");
        let check = |after: &str, end: Option<&str>, shown: &str, expected: &str| {
            assert_eq!(missing(&known, after, end, &list(shown)), list(expected), "{after} {end:?} {shown}");
        };
        check("", Some("c"), "a b c", "");
        check("", Some("c"), "a c", "b");
        check("b", Some("e"), "bb e", "c d");
        check("d", None, "", "e f");
        check("", None, "", "a b c d e f");
        check("f", None, "", "");
        // An order of the server's own: nothing is out of bounds, at worst too many are asked for.
        check("e", Some("b"), "b", "");
    }
}
