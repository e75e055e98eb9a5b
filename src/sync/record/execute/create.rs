//! A record without a counterpart: link, adopt or create, so that there is exactly one (S3, S4).

use super::report::blocked;
use super::{Boundary, Record, Report, Step, Sync, Withheld, failure};
use crate::clients::ADVOWARE;
use crate::clients::advoware::{self, Created};
use crate::sync::ledger::{Intent, Pair};
use crate::sync::record::create::{Candidate, Creation, candidates, digest, echoes, first, recover};
use crate::sync::record::decision::{Decided, decide};
use crate::sync::record::mapping::Field;
use crate::sync::record::merge::{Merged, Snapshot};
use crate::sync::record::merge_note::{note_for, note_on_link};
use crate::sync::record::normal::{Content, Seen};
use crate::sync::record::plan::version;
use crate::sync::record::route::number_in;
use crate::sync::record::status;
use crate::worker::Failure;

/// After this many POSTs whose outcome stayed unknown a further one counts as an attempt.
const FREE_TRIES: u32 = 1;

impl Step<'_> {
    /// Gives a record its counterpart. `intent`: an earlier create whose outcome is unknown and whose quiet time is over.
    pub(super) async fn create(&self, record: &Record, intent: Option<Intent>) -> Result<Report, Failure> {
        let mapping = &self.sync.mapping;
        let content = mapping.from_espocrm(record);
        let missing: Vec<&str> =
            mapping.missing_for_advoware(&content).iter().map(|field| field.label.as_str()).collect();
        if !missing.is_empty() {
            return Err(Failure::Failed {
                code: "incomplete",
                message: format!(
                    "{} {} cannot be created in Advoware: {} is missing in EspoCRM",
                    mapping.name,
                    self.id,
                    missing.join(", ")
                ),
                retry_after: None,
            });
        }
        // What was sent then is looked for, even if the record has changed since.
        let wanted = intent.as_ref().map_or_else(|| content.clone(), |intent| self.sync.sent(intent, &content));
        let found = self.sync.search(&wanted).await?;
        let known = found.iter().flatten().map(|candidate| candidate.number.clone()).collect();
        let owners: Vec<String> = found.iter().flatten().filter_map(|candidate| candidate.owner.clone()).collect();
        let tries = intent.as_ref().map_or(0, |intent| intent.tries);
        let creation = match &intent {
            Some(intent) => recover(mapping, intent, found),
            None => first(self.id, found.unwrap_or_default()),
        };
        let creation = match decide(creation, self.decision.as_ref(), known) {
            Decided::ByRule(creation) => {
                // A record that was deleted and made again needs no second party.
                if matches!(creation, Creation::Post { .. } | Creation::Link(_)) && !self.sync.write_protection {
                    let others: Vec<String> = owners.into_iter().filter(|owner| owner != self.id).collect();
                    self.let_go(&others).await?;
                }
                creation
            }
            Decided::This(number) => self.chosen(&number, intent.as_ref()).await?,
        };
        match creation {
            Creation::Post { .. } if intent.as_ref().is_some_and(|it| it.digest != digest(mapping, &content)) => {
                // It did not happen, and the record has another name by now: begin anew, with a search for that.
                self.withdraw(Boundary::IntentOutdated).await?;
                Box::pin(self.create(record, None)).await
            }
            Creation::Post { known } => self.post(record, &content, known, tries).await,
            Creation::Adopt(candidate) => {
                let body = intent.map(|intent| intent.body).unwrap_or_default();
                self.adopt(record, &body, *candidate).await
            }
            Creation::Link(candidate) => {
                self.check_unlinked(&candidate.number).await?;
                self.link(record, &content, *candidate).await
            }
            Creation::Ask { why, numbers } => Err(Failure::Final {
                code: "needs_person",
                message: format!(
                    "{} {}: {why}{}. Decide with `advosync dead decide`, or enter the right number in {} in EspoCRM, or remove the doubles in Advoware and sync it again",
                    mapping.name,
                    self.id,
                    if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) },
                    mapping.espocrm.link
                ),
            }),
        }
    }

    /// The party that a person says the record is. It was made by the create that was interrupted, if it shows what that sent.
    async fn chosen(&self, number: &str, intent: Option<&Intent>) -> Result<Creation, Failure> {
        let mapping = &self.sync.mapping;
        self.check_owner(number).await?;
        let record = self.read_advoware(number).await?;
        let content = mapping.from_advoware(&record);
        let candidate = Candidate { number: number.to_owned(), record, content, owner: None };
        let ours = intent
            .is_some_and(|intent| !intent.known.iter().any(|it| it == number) && echoes(mapping, intent, &candidate));
        Ok(if ours { Creation::Adopt(Box::new(candidate)) } else { Creation::Link(Box::new(candidate)) })
    }
}

impl Sync {
    /// The content that an intent's body carries, with what the record says about fields that a body leaves out.
    pub(in crate::sync::record) fn sent(&self, intent: &Intent, content: &Content) -> Content {
        let mapping = &self.mapping;
        let sent = mapping.from_advoware(&intent.body);
        let mut wanted = content.overlaid(&sent);
        for field in &mapping.fields {
            if !sent.get(&field.advoware).is_known() && content.get(&field.advoware).is_known() {
                wanted.set(&field.advoware, Seen::Blank);
            }
        }
        wanted
    }

    /// Records in Advoware with equal search keys; `None` where none can be searched for.
    pub(in crate::sync::record) async fn search(&self, wanted: &Content) -> Result<Option<Vec<Candidate>>, Failure> {
        let mapping = &self.mapping;
        let Some(query) = mapping.search_query(wanted) else { return Ok(None) };
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let found = match self.advoware.list(&mapping.advoware.path, &query).await {
            Ok(found) => found,
            // No such list here, or it is not offered (contract, "Errors"): nothing can be concluded from finding nothing.
            Err(advoware::Error::NotFound { .. } | advoware::Error::Rejected { status: 403, .. }) => return Ok(None),
            Err(error) => return Err(failure::advoware(&error)),
        };
        let mut all = Vec::new();
        for candidate in candidates(mapping, wanted, found) {
            if !mapping.hides_proof(wanted, &candidate.content) {
                all.push(candidate);
                continue;
            }
            // A list may show less of a party than there is, such as no date of birth.
            match self.advoware.get(&mapping.advoware.path, &candidate.number).await {
                Ok(whole) => all.extend(candidates(mapping, wanted, vec![whole])),
                Err(advoware::Error::NotFound { .. }) => {}
                Err(error) => return Err(failure::advoware(&error)),
            }
        }
        let numbers: Vec<String> = all.iter().map(|candidate| candidate.number.clone()).collect();
        let owners = self.ledger.owners(&numbers).await.map_err(failure::ledger)?;
        for (candidate, owner) in all.iter_mut().zip(owners) {
            candidate.owner = owner;
        }
        Ok(Some(all))
    }
}

impl Step<'_> {
    /// Takes a party for the effect of an interrupted create. It was made from what was sent: whatever the record says
    /// otherwise by now is an edit made since, and goes over.
    async fn adopt(&self, record: &Record, body: &Record, candidate: Candidate) -> Result<Report, Failure> {
        let mapping = &self.sync.mapping;
        let snapshot = mapping.agreed(body, &mapping.brought(body), &candidate.content);
        let pair = self.pair(&candidate.number, None, snapshot);
        self.remember(Boundary::AdoptionStored, &pair, "").await?;
        let mut report = self.compare(record, &candidate.number, Some(pair), None).await?;
        report.result = "adopted";
        Ok(report)
    }

    /// Ties a party that was there before to this record. Only the sync fields are written; differences stay until one
    /// of the sides is edited.
    async fn link(&self, record: &Record, content: &Content, candidate: Candidate) -> Result<Report, Failure> {
        let mapping = &self.sync.mapping;
        // A list may show less of a party than there is.
        let whole = mapping.fields.iter().all(|field| candidate.record.contains_key(&field.advoware));
        let party = match version(mapping, &candidate.record) {
            Some(_) if whole => candidate.record,
            _ => self.read_advoware(&candidate.number).await?,
        };
        let advoware = mapping.from_advoware(&party);
        let mut report = Report::new("linked");
        self.tell_problems(&[content, &advoware], &mut report);
        let differs = |field: &Field| format!("{} differs and is left as it is", field.label);
        report.remarks.extend(mapping.differing(content, &advoware).map(differs));
        let note = note_on_link(mapping, content, &advoware, self.now());
        let snapshot = Snapshot { espocrm: content.clone(), advoware };
        let digest = digest(mapping, content);
        let pair = Pair { note, ..self.pair(&candidate.number, version(mapping, &party), snapshot) };
        let names = (Boundary::LinkStored, Boundary::LinkTold);
        self.settle(names, record, &pair, &digest, Record::new()).await?;
        self.pay_note(record, &mut pair.clone(), &mut Some(pair), &mut report).await?;
        report.number = Some(candidate.number);
        Ok(report)
    }

    fn pair(&self, number: &str, row_id: Option<String>, snapshot: Snapshot) -> Pair {
        Pair::new(number, row_id, Some(snapshot), self.now())
    }

    /// Stores the pair, then EspoCRM's sync fields, and with them what a new party has been given besides.
    async fn settle(
        &self,
        (stored, told): (Boundary, Boundary),
        record: &Record,
        pair: &Pair,
        digest: &str,
        given: Record,
    ) -> Result<Record, Failure> {
        self.remember(stored, pair, digest).await?;
        let mut attributes = given;
        attributes.extend(status::clean(&self.sync.mapping, &pair.number, pair.row_id.as_deref(), self.now()));
        self.update_espocrm(told, record, &attributes).await
    }

    async fn post(
        &self,
        record: &Record,
        content: &Content,
        known: Vec<String>,
        tries: u32,
    ) -> Result<Report, Failure> {
        let mapping = &self.sync.mapping;
        let body = mapping.new_advoware(content);
        if self.sync.write_protection {
            let mut report = Report::new("withheld");
            report.withheld = Some(Withheld { method: "POST", fields: body.keys().cloned().collect() });
            return Ok(report);
        }
        let fence = (self.run.fence.0.as_str(), self.run.fence.1.as_str());
        let intent = Intent { digest: digest(mapping, content), at: self.now(), body, known, tries: tries + 1 };
        let written = self.at(Boundary::IntentStored, self.sync.ledger.intend(fence, self.id, &intent)).await;
        self.written(written.map_err(failure::ledger)?, "")?;
        self.run.check()?;
        let path = &mapping.advoware.path;
        let created = match self.at(Boundary::PartyPosted, self.sync.advoware.post(path, &intent.body)).await {
            Ok(created) => created,
            Err(error) if error.effect_unknown() => return Err(self.unknown(&intent, &error)),
            Err(error) => {
                // A clean refusal, or nothing was sent: the create did not happen.
                self.withdraw(Boundary::IntentWithdrawn).await?;
                return Err(failure::advoware(&error));
            }
        };
        self.created(record, content, &intent, created).await
    }

    /// Closes the record's intent: its create is known not to have happened.
    async fn withdraw(&self, boundary: Boundary) -> Result<(), Failure> {
        let fence = (self.run.fence.0.as_str(), self.run.fence.1.as_str());
        let written = self.at(boundary, self.sync.ledger.withdraw(fence, self.id)).await;
        self.written(written.map_err(failure::ledger)?, "")
    }

    async fn created(
        &self,
        record: &Record,
        content: &Content,
        intent: &Intent,
        created: Created,
    ) -> Result<Report, Failure> {
        let mapping = &self.sync.mapping;
        let (number, party) = match created {
            Created::Number(number) => (Some(number.to_string()), None),
            Created::Record(party) => (number_in(&party, &mapping.advoware.id), Some(party)),
        };
        let stays = mapping.not_created(content);
        let note = note_for(mapping, &Merged { blocked: stays.clone(), ..Merged::default() }, &[], self.now());
        let Some(number) = number else {
            let why = format!("the answer to the POST has no {}", mapping.advoware.id);
            return Err(self.quiet(intent, &why, None));
        };
        let party = party.filter(|party| version(mapping, party).is_some());
        let party = match party {
            Some(party) => party,
            None => match self.read_advoware(&number).await {
                Ok(party) => party,
                Err(why) => {
                    // The party exists: whatever else fails, nobody may create it again.
                    let snapshot = mapping.agreed(&intent.body, content, &Content::default());
                    let pair = Pair { note, ..self.pair(&number, None, snapshot) };
                    self.remember(Boundary::NumberStored, &pair, "").await?;
                    return Err(why);
                }
            },
        };
        let theirs = mapping.from_advoware(&party);
        let agreed = mapping.agreed(&intent.body, content, &theirs);
        let mut pair = Pair { note, ..self.pair(&number, version(mapping, &party), agreed.clone()) };
        let mut stored = Some(pair.clone());
        let given = mapping.given(content, &theirs);
        let attributes = mapping.write_espocrm(&given, record).attributes;
        let names = (Boundary::CreateStored, Boundary::CreateTold);
        let answered = mapping.from_espocrm(&self.settle(names, record, &pair, "", attributes).await?);
        // What EspoCRM did not take stays open, and the next comparison tells of it.
        let taken = given.filtered(|field| answered.get(field).text().is_some());
        pair.snapshot = Some(agreed.after(&answered.restricted(&taken), &taken));
        self.remember_if_new(Boundary::UpdateStored, &mut stored, &pair).await?;
        let mut report = Report::new("created");
        self.tell_problems(&[content, &theirs], &mut report);
        report.ignored = mapping.names_differing(&mapping.from_advoware(&intent.body), &theirs);
        report.to_espocrm = taken.iter().map(|(field, _)| field.to_owned()).collect();
        report.number = Some(number);
        report.to_advoware = intent.body.keys().cloned().collect();
        report.blocked = stays.iter().map(blocked).collect();
        self.pay_note(record, &mut pair, &mut stored, &mut report).await?;
        Ok(report)
    }

    /// Nobody knows whether the POST took effect.
    fn unknown(&self, intent: &Intent, error: &advoware::Error) -> Failure {
        let upstream = error.upstream_down().then(|| (ADVOWARE, error.to_string()));
        self.quiet(intent, &error.to_string(), upstream)
    }

    /// The first time it costs nothing but the quiet time; a create that keeps ending like this fails like any other,
    /// and its retries wait for at least the quiet time.
    fn quiet(&self, intent: &Intent, why: &str, upstream: Option<(&'static str, String)>) -> Failure {
        if intent.tries > FREE_TRIES {
            return Failure::Failed {
                code: "create_unknown",
                message: format!(
                    "{} {}: creating it in Advoware keeps ending without an answer: {why}",
                    self.sync.mapping.name, self.id
                ),
                retry_after: Some(self.sync.quiet),
            };
        }
        Failure::Hold {
            after: self.sync.quiet,
            reason: format!("the create may have taken effect; looking after the quiet time: {why}"),
            upstream,
        }
    }
}
