//! A party that only Advoware has gets its EspoCRM record, once.
//!
//! EspoCRM's POST has no idempotency key either. So the party's search keys are reserved in the ledger, which keeps
//! creates and links of EspoCRM records with equal keys waiting; the entry says `begun` before the POST is sent; and a
//! POST whose outcome is unknown is looked for by its number after the quiet time, before it is sent again.

use serde_json::{Map, Value};

use super::{Record, Report, Sync, failure};
use crate::clients::espocrm::{self, Search, Where};
use crate::clients::{ADVOWARE, ESPOCRM, advoware};
use crate::queue::{Batch, Job, Lane, Queue, RecordAction, Topic};
use crate::sync::ledger::{Fence, Import, Intent, Pair, Posted, Progress, Written};
use crate::sync::record::create::digest;
use crate::sync::record::import::{
    Facts, Found, by_duplicate_check, by_keys, by_number, candidates, reservation, sent, wanted,
};
use crate::sync::record::merge::Snapshot;
use crate::sync::record::normal::Content;
use crate::sync::record::plan::version;
use crate::sync::record::route::quiet_left;
use crate::sync::record::status;
use crate::worker::{Failure, Run};

/// After this many POSTs whose outcome stayed unknown a further one counts as an attempt.
const FREE_TRIES: u32 = 1;
/// No upstream has this name: a run that asked none speaks for none.
const NOBODY: &str = "nobody";

/// One run.
struct Importing<'a> {
    sync: &'a Sync,
    run: &'a Run,
    number: &'a str,
    /// The name of its reservation.
    reservation: String,
}

/// How a run ended, and which EspoCRM records are to be looked at next, once the reservation is gone.
type Done = Result<(Report, Vec<String>), Failure>;

impl Sync {
    /// The numbers in a list of Advoware's records that are to be imported now; the caller enqueues them.
    ///
    /// # Errors
    /// Where the ledger cannot be read; then nothing may be imported.
    pub async fn import_candidates(
        &self,
        list: &[Record],
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Vec<String>, Failure> {
        let numbers = wanted(&self.mapping, list);
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let facts = Facts {
            owned: self.ledger.owned(&numbers).await.map_err(failure::ledger)?,
            imports: self.ledger.imports(&numbers).await.map_err(failure::ledger)?,
            dissolved: self.ledger.dissolved_numbers().await.map_err(failure::ledger)?,
        };
        Ok(candidates(&self.mapping, list, &facts, now))
    }

    /// Gives a party its EspoCRM record, unless it has one, had one, or may be one that is not linked yet.
    pub(in crate::sync::record) async fn import(&self, job: &Job, run: &Run, queue: &Queue) -> Result<Report, Failure> {
        let step = Importing { sync: self, run, number: &job.key, reservation: reservation(&job.key) };
        let done = step.run().await;
        step.release(&done).await?;
        let (mut report, ids) = done?;
        report.number = Some(job.key.clone());
        let topic = Topic::record(&self.mapping.name, RecordAction::SyncCheck);
        queue.enqueue(&Batch::new(topic, Lane::Sweep, &ids, "import")).await.map_err(failure::ledger)?;
        Ok(report)
    }

    /// An import has failed for good: it is left alone for a day. Whatever fails here is only logged.
    pub(in crate::sync::record) async fn tell_import_failure(&self, job: &Job, run: &Run, message: &str) {
        let step = Importing { sync: self, run, number: &job.key, reservation: reservation(&job.key) };
        let told = async {
            match self.ledger.import(step.number).await.map_err(failure::ledger)?.map(|import| import.progress) {
                // It stays unknown whether it took effect; the reservation stays with it.
                Some(Progress::Begun(_)) => return Ok(()),
                Some(Progress::Done { .. }) => {}
                Some(Progress::Left { .. }) | None => {
                    step.set(Some(Progress::Left { why: message.to_owned() })).await?;
                }
            }
            step.withdraw().await
        };
        if let Err(error) = told.await {
            tracing::warn!(number = job.key, %error, "that an import waits for a person could not be remembered");
        }
    }
}

impl Importing<'_> {
    async fn run(&self) -> Done {
        let mapping = &self.sync.mapping;
        if mapping.import.is_none() {
            self.run.asks_only(NOBODY);
            return alone(Report::new("not_imported"));
        }
        if let Some(done) = self.owned().await? {
            self.run.asks_only(NOBODY);
            return Ok(done);
        }
        let posted = match self.sync.ledger.import(self.number).await.map_err(failure::ledger)? {
            Some(Import { progress: Progress::Done { .. }, .. }) => {
                self.run.asks_only(NOBODY);
                return alone(Report::new("imported_before"));
            }
            Some(Import { progress: Progress::Begun(posted), at }) => {
                let left = quiet_left(at, self.sync.quiet, self.run.now());
                if !left.is_zero() {
                    let reason = "an import may have taken effect; looking again after the quiet time".to_owned();
                    return Err(Failure::Hold { after: left, reason, upstream: None });
                }
                Some(*posted)
            }
            Some(Import { progress: Progress::Left { .. }, .. }) | None => None,
        };
        let party = match self.sync.party(self.number).await {
            Ok(party) => party,
            Err(advoware::Error::NotFound { .. }) => {
                self.run.asks_only(ADVOWARE);
                self.set(None).await?;
                return alone(Report::new("gone"));
            }
            Err(error) => return Err(failure::advoware(&error)),
        };
        if posted.is_none() && !mapping.wants_import(&party) {
            self.run.asks_only(ADVOWARE);
            return alone(Report::new("not_wanted"));
        }
        self.reserved(&party, posted).await
    }

    /// With its search keys reserved, whatever is found stays so: no record with equal keys is created or linked meanwhile.
    async fn reserved(&self, party: &Record, posted: Option<Posted>) -> Done {
        let mapping = &self.sync.mapping;
        let content = mapping.from_advoware(party);
        let missing: Vec<&str> = mapping.missing_required(&content).iter().map(|field| field.label.as_str()).collect();
        let digest = digest(mapping, &content);
        if posted.is_none() && (digest.is_empty() || !missing.is_empty()) {
            let what = if missing.is_empty() { "every search key".to_owned() } else { missing.join(", ") };
            return self.left(format!("{what} is blank in Advoware; fill it in there"), Vec::new()).await;
        }
        self.reserve(digest).await?;
        // A create that was under way when the party was listed has ended by now, and its record is known.
        if let Some(done) = self.owned().await? {
            return Ok(done);
        }
        let listed = self.having_number().await?;
        match (by_number(mapping, self.number, &listed, posted.as_ref()), &posted) {
            (Found::Ours(id), Some(posted)) => {
                return self.made(&id, posted.row_id.clone(), posted.sent.clone()).await;
            }
            (Found::Exists(ids), _) => {
                self.set(None).await?;
                return Ok((Report::new("exists"), ids));
            }
            _ => {}
        }
        if let Found::Unlinked(ids) = by_keys(mapping, &content, &self.unlinked(&content).await?) {
            return self.unlinked_found(ids).await;
        }
        self.post(party, &content, posted.map_or(0, |posted| posted.tries)).await
    }

    async fn post(&self, party: &Record, content: &Content, tries: u32) -> Done {
        let mapping = &self.sync.mapping;
        let write = mapping.new_espocrm(content);
        let row_id = version(mapping, party);
        let mut body = write.attributes.clone();
        body.extend(status::clean(mapping, self.number, row_id.as_deref(), self.run.now()));
        body.retain(|_, value| !value.is_null());
        let posted = Posted {
            tries: tries + 1,
            last_sync: text(&body, &mapping.espocrm.last_sync),
            row_id: row_id.clone(),
            sent: Snapshot { espocrm: sent(mapping, &body), advoware: content.clone() },
        };
        let mut check_off = false;
        let made = loop {
            self.set(Some(Progress::Begun(Box::new(posted.clone())))).await?;
            self.run.check()?;
            let named = match self.sync.espocrm.create(&mapping.espocrm.entity, &body, check_off).await {
                Ok(made) => break made,
                Err(espocrm::Error::Duplicate { found, .. }) if !check_off => self.shown(found).await?,
                Err(error) if error.effect_unknown() => return Err(self.unknown(&posted, &error)),
                Err(error) => {
                    self.set(None).await?;
                    return Err(failure::espocrm(&error));
                }
            };
            match by_duplicate_check(mapping, self.number, &named) {
                Found::Exists(ids) => {
                    self.set(None).await?;
                    return Ok((Report::new("exists"), ids));
                }
                Found::Unlinked(ids) => return self.unlinked_found(ids).await,
                Found::Ours(_) | Found::Nothing => check_off = true,
            }
        };
        let snapshot = Snapshot { espocrm: mapping.from_espocrm(&made), advoware: content.clone() };
        let (mut report, ids) = self.made(&text(&made, "id"), row_id, snapshot).await?;
        report.to_espocrm = write.attributes.keys().cloned().collect();
        report.blocked =
            write.unwritable.iter().map(|it| format!("{} from Advoware: {}", it.field, it.reason)).collect();
        Ok((report, ids))
    }

    /// The party has its record. The pair is stored at once, with what both sides were like: should another run of the
    /// record go by the rules of first contact, what EspoCRM did not take could be lost in Advoware, too.
    async fn made(&self, id: &str, row_id: Option<String>, snapshot: Snapshot) -> Done {
        if self.owner().await?.is_none() {
            let pair = Pair::new(self.number, row_id, Some(snapshot), self.run.now());
            // Whoever has taken the number since keeps it, and the record's own run tells people.
            let stored = self.sync.ledger.pair(self.fence(), id, &pair, "").await.map_err(failure::ledger)?;
            if stored == Written::Fenced {
                return Err(Failure::LeaseLost);
            }
        }
        self.set(Some(Progress::Done { id: id.to_owned() })).await?;
        Ok((Report::new("imported"), vec![id.to_owned()]))
    }

    async fn unlinked_found(&self, ids: Vec<String>) -> Done {
        let why = format!(
            "{} in EspoCRM may be this party and shows no number; enter {} in {} there, or give it another name",
            ids.join(", "),
            self.number,
            self.sync.mapping.espocrm.link
        );
        self.left(why, ids).await
    }

    async fn left(&self, why: String, ids: Vec<String>) -> Done {
        let mut report = Report::new("left");
        report.remarks.push(why.clone());
        self.set(Some(Progress::Left { why })).await?;
        Ok((report, ids))
    }

    /// The end of the run if the ledger knows whose the party is.
    async fn owned(&self) -> Result<Option<(Report, Vec<String>)>, Failure> {
        let Some(owner) = self.owner().await? else { return Ok(None) };
        if self.posted().await?.is_some() {
            self.set(Some(Progress::Done { id: owner })).await?;
        }
        Ok(Some((Report::new("known"), Vec::new())))
    }

    async fn owner(&self) -> Result<Option<String>, Failure> {
        let owners = self.sync.ledger.owners(&[self.number.to_owned()]).await.map_err(failure::ledger)?;
        Ok(owners.into_iter().flatten().next())
    }

    /// A POST whose outcome is unknown.
    async fn posted(&self) -> Result<Option<Posted>, Failure> {
        match self.sync.ledger.import(self.number).await.map_err(failure::ledger)? {
            Some(Import { progress: Progress::Begun(posted), .. }) => Ok(Some(*posted)),
            _ => Ok(None),
        }
    }

    async fn reserve(&self, digest: String) -> Result<(), Failure> {
        let intent = Intent { digest, at: self.run.now(), body: Map::new(), known: Vec::new(), tries: 0 };
        let written = self.sync.ledger.intend(self.fence(), &self.reservation, &intent).await;
        match written.map_err(failure::ledger)? {
            Written::Busy(other) => Err(failure::busy(&other, self.sync.quiet)),
            Written::Fenced => Err(Failure::LeaseLost),
            Written::Stored | Written::Taken(_) => Ok(()),
        }
    }

    /// Gives the search keys back, unless a POST may still take effect.
    async fn release(&self, done: &Done) -> Result<(), Failure> {
        match done {
            Err(Failure::LeaseLost) => return Ok(()),
            Err(_) if self.posted().await?.is_some() => return Ok(()),
            _ => {}
        }
        self.withdraw().await
    }

    async fn withdraw(&self) -> Result<(), Failure> {
        match self.sync.ledger.withdraw(self.fence(), &self.reservation).await.map_err(failure::ledger)? {
            Written::Fenced => Err(Failure::LeaseLost),
            _ => Ok(()),
        }
    }

    async fn set(&self, progress: Option<Progress>) -> Result<(), Failure> {
        let import = progress.map(|progress| Import { at: self.run.now(), progress });
        let written = self.sync.ledger.set_import(self.fence(), self.number, import.as_ref()).await;
        match written.map_err(failure::ledger)? {
            Written::Fenced => Err(Failure::LeaseLost),
            _ => Ok(()),
        }
    }

    /// EspoCRM's records with the party's number.
    async fn having_number(&self) -> Result<Vec<Record>, Failure> {
        self.listed(vec![Where::equals(&self.sync.mapping.espocrm.link, status::link(self.number))]).await
    }

    /// EspoCRM's records without a number that may have the party's search keys.
    async fn unlinked(&self, content: &Content) -> Result<Vec<Record>, Failure> {
        let mapping = &self.sync.mapping;
        let mut conditions = vec![Where::is_null(&mapping.espocrm.link)];
        for key in mapping.espocrm_search(content) {
            conditions.push(Where::or(key.into_iter().map(|(attribute, value)| Where::equals(&attribute, value))));
        }
        self.listed(conditions).await
    }

    async fn listed(&self, conditions: Vec<Where>) -> Result<Vec<Record>, Failure> {
        let mut all = Vec::new();
        loop {
            let search = Search {
                where_: conditions.clone(),
                order_by: Some("id".to_owned()),
                offset: all.len() as u64,
                no_total: true,
                ..Search::default()
            };
            let entity = &self.sync.mapping.espocrm.entity;
            let page = self.sync.espocrm.list(entity, &search).await.map_err(|error| failure::espocrm(&error))?;
            let is_last = page.list.len() < usize::from(search.max_size);
            all.extend(page.list);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// The records that a refusal names, read again where it does not show their number.
    async fn shown(&self, found: Vec<Record>) -> Result<Vec<Record>, Failure> {
        let ends = &self.sync.mapping.espocrm;
        let mut all = Vec::new();
        for record in found {
            if record.contains_key(&ends.link) {
                all.push(record);
                continue;
            }
            match self.sync.espocrm.get(&ends.entity, &text(&record, "id")).await {
                Ok(record) => all.push(record),
                Err(espocrm::Error::RecordMissing { .. }) => {}
                Err(error) => return Err(failure::espocrm(&error)),
            }
        }
        Ok(all)
    }

    /// Nobody knows whether the POST took effect. The first time it costs nothing but the quiet time.
    fn unknown(&self, posted: &Posted, error: &espocrm::Error) -> Failure {
        if posted.tries > FREE_TRIES {
            return Failure::Failed {
                code: "import_unknown",
                message: format!(
                    "{} {}: creating it in EspoCRM keeps ending without an answer: {error}",
                    self.sync.mapping.name, self.number
                ),
                retry_after: Some(self.sync.quiet),
            };
        }
        Failure::Hold {
            after: self.sync.quiet,
            reason: format!("the import may have taken effect; looking after the quiet time: {error}"),
            upstream: error.upstream_down().then(|| (ESPOCRM, error.to_string())),
        }
    }

    fn fence(&self) -> Fence<'_> {
        (self.run.fence.0.as_str(), self.run.fence.1.as_str())
    }
}

/// Nothing is to be looked at next.
#[expect(clippy::unnecessary_wraps, reason = "the end of a run")]
fn alone(report: Report) -> Done {
    Ok((report, Vec::new()))
}

fn text(record: &Record, attribute: &str) -> String {
    record.get(attribute).and_then(Value::as_str).unwrap_or_default().to_owned()
}
