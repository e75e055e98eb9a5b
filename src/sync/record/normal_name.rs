//! The person or company rule (seed 004, "Person vs. Firma Mapping"; contracts/advosync.md).
//!
//! Advoware has `vorname` and `name`; a non-blank `vorname` makes a person. EspoCRM has first name, last name and
//! company name, of which the first decides likewise. Of EspoCRM's three attributes, the ones that hold the canonical
//! values are the *carriers*; the others are bystanders, which are null in a clean record.

use serde_json::{Map, Value};

use super::convert::plain;
use super::mapping::Person;
use super::normal::{Content, Problem, Seen};
use super::normal_write::{EspocrmWrite, Replaced, Unwritable};

/// Which attribute carries the canonical name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// A person's last name.
    PersonLast,
    /// A company's name.
    Company,
    /// A company that was entered with a last name only; EspoCRM requires one on Person entities.
    CompanyInLast,
}

/// EspoCRM's three attributes as they are.
struct Names {
    first: Content,
    last: Content,
    company: Content,
}

const VALUE: &str = "value";

impl Names {
    fn read(person: &Person, record: &Map<String, Value>) -> Self {
        let one = |attribute: &str| {
            let mut content = Content::default();
            // Something other than a text is as good as hidden.
            if let Some(Ok(text)) = record.get(attribute).map(plain) {
                content.set(VALUE, text.as_deref().map_or(Seen::Blank, Seen::Value));
            }
            content
        };
        Self {
            first: one(&person.espocrm_first),
            last: one(&person.espocrm_last),
            company: one(&person.espocrm_company),
        }
    }

    fn first(&self) -> Seen<'_> {
        self.first.get(VALUE)
    }

    fn last(&self) -> Seen<'_> {
        self.last.get(VALUE)
    }

    fn company(&self) -> Seen<'_> {
        self.company.get(VALUE)
    }

    /// Where the name is, or belongs when it is written. None where hidden attributes leave that open.
    fn carrier(&self) -> Option<Carrier> {
        match (self.first(), self.last(), self.company()) {
            // In the second pattern of both arms the first name is hidden: the rest decides where it can.
            (Seen::Value(_), _, _) | (Seen::Absent, Seen::Value(_), Seen::Blank) => Some(Carrier::PersonLast),
            (Seen::Blank, Seen::Value(_), Seen::Blank) => Some(Carrier::CompanyInLast),
            (Seen::Blank, _, _) | (Seen::Absent, Seen::Blank | Seen::Absent, Seen::Value(_)) => Some(Carrier::Company),
            (Seen::Absent, _, _) => None,
        }
    }

    fn name(&self) -> Seen<'_> {
        match self.carrier() {
            Some(Carrier::PersonLast | Carrier::CompanyInLast) => self.last(),
            // A blank company name beside a hidden last name: the name may be in there.
            Some(Carrier::Company) if self.company() == Seen::Blank && self.last() == Seen::Absent => Seen::Absent,
            Some(Carrier::Company) => self.company(),
            None => Seen::Absent,
        }
    }
}

impl Person {
    /// Adds the canonical names of an EspoCRM record.
    pub(super) fn read_espocrm(&self, record: &Map<String, Value>, content: &mut Content) {
        let names = Names::read(self, record);
        content.set(&self.advoware_first, names.first());
        content.set(&self.advoware_name, names.name());
        for (attribute, field) in [
            (&self.espocrm_first, &self.advoware_first),
            (&self.espocrm_last, &self.advoware_name),
            (&self.espocrm_company, &self.advoware_name),
        ] {
            if let Some(Err(unreadable)) = record.get(attribute).map(plain) {
                content.report(Problem { field: field.clone(), unreadable });
            }
        }
    }

    /// Writes changed names as a clean group: a person's company name, a company's first and last name become null.
    pub(super) fn write_espocrm(&self, changes: &Content, record: &Map<String, Value>, write: &mut EspocrmWrite) {
        let (new_first, new_name) = (changes.get(&self.advoware_first), changes.get(&self.advoware_name));
        if !new_first.is_known() && !new_name.is_known() {
            return;
        }
        let names = Names::read(self, record);
        let first = if new_first.is_known() { new_first } else { names.first() };
        let name = if new_name.is_known() { new_name } else { names.name() };
        let was = names.carrier();
        let carrier = match first {
            Seen::Value(_) => Some(Carrier::PersonLast),
            Seen::Blank if was == Some(Carrier::CompanyInLast) => was,
            Seen::Blank => Some(Carrier::Company),
            Seen::Absent => was,
        };
        let Some(carrier) = carrier else {
            write.unwritable.push(Unwritable {
                field: self.advoware_name.clone(),
                value: name.text().unwrap_or_default().to_owned(),
                reason: "the first name is hidden, so a person cannot be told from a company",
            });
            return;
        };
        if name == Seen::Absent && Some(carrier) != was {
            write.unwritable.push(Unwritable {
                field: self.advoware_first.clone(),
                value: new_first.text().unwrap_or_default().to_owned(),
                reason: "the name is hidden, so the record cannot become a person or a company",
            });
            return;
        }
        if first.is_known() {
            write.set(&self.espocrm_first, first.text());
        }
        let (holder, bystander, old) = match carrier {
            Carrier::PersonLast | Carrier::CompanyInLast => {
                (&self.espocrm_last, &self.espocrm_company, names.company())
            }
            Carrier::Company => (&self.espocrm_company, &self.espocrm_last, names.last()),
        };
        if let Seen::Value(text) = name {
            write.set(holder, Some(text));
        }
        // A hidden bystander is not cleared, and with no known name to put in its place neither is a visible one.
        if !old.is_known() || !matches!(name, Seen::Value(_)) {
            return;
        }
        write.set(bystander, None);
        let held = match was {
            Some(Carrier::PersonLast | Carrier::CompanyInLast) => &self.espocrm_last,
            Some(Carrier::Company) | None => &self.espocrm_company,
        };
        if let Seen::Value(lost) = old
            && (was.is_none() || held != bystander)
        {
            write.replaced.push(Replaced { attribute: bystander.clone(), old: lost.to_owned() });
        }
    }
}
