//! What people do: the CRM's user at `EspoCRM`, the lawyer at Advoware, the employee at Google (`google`). Their work is logged and fires webhooks like the
//! product's, but costs no request.

mod google;

use std::fmt;

use serde_json::Value;

use crate::Fields;
use crate::advoware::records::{set_fields, store};
use crate::advoware::resource::Resource;
use crate::effects::{Change, Draft, System};
use crate::espocrm::actor::Actor;
use crate::espocrm::entity::Entity;
use crate::espocrm::{REASON, records};
use crate::sandbox::Sandbox;
use crate::server::Shared;
use crate::wire::Answer;
use crate::world::World;

/// A system refused what a person wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status that the API would have answered.
    pub status: u16,
    /// Its reason.
    pub reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}: {}", self.status, self.reason)
    }
}

impl std::error::Error for Refused {}

impl From<Answer> for Refused {
    fn from(answer: Answer) -> Self {
        let reason = answer.headers.iter().find(|(name, _)| name == REASON).map(|(_, value)| value.clone());
        let message = answer.body_json().and_then(|body| Some(body["error"]["message"].as_str()?.to_owned()));
        Self { status: answer.status, reason: reason.or(message).unwrap_or_default() }
    }
}

fn refused(status: u16, reason: String) -> Refused {
    Refused { status, reason }
}

fn fields(value: &Value) -> Fields {
    value.as_object().cloned().unwrap_or_default()
}

/// The people's view of a sandbox: what they do, without a request.
#[derive(Clone, Copy)]
pub struct People<'a> {
    shared: &'a Shared,
}

impl Sandbox {
    /// The people who work with the systems.
    #[must_use]
    pub fn people(&self) -> People<'_> {
        People::new(&self.shared)
    }
}

impl<'a> People<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self { shared }
    }

    fn in_entity<T>(self, name: &str, work: impl FnOnce(&mut World, &Actor, &Entity) -> T) -> Result<T, Refused> {
        let mut world = self.shared.world();
        let entity = world.options.espocrm.entities.iter().find(|entity| entity.name == name).cloned();
        let entity = entity.ok_or_else(|| refused(404, format!("Controller '{name}' does not exist.")))?;
        let person = Actor::person(&world.options.espocrm);
        Ok(work(&mut world, &person, &entity))
    }

    /// The user makes a record (and answers "save anyway" to a duplicate); returns its id.
    pub fn crm_create(&self, entity: &str, values: &Value) -> Result<String, Refused> {
        let made = self
            .in_entity(entity, |world, person, entity| records::create(world, person, entity, &fields(values), false));
        let record = made??;
        Ok(record.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// The user changes a record; the whole record comes back.
    pub fn crm_update(&self, entity: &str, id: &str, values: &Value) -> Result<Fields, Refused> {
        let done = self.in_entity(entity, |world, person, entity| {
            records::update(world, person, entity, id, &fields(values), None)
        });
        Ok(done??)
    }

    /// The user deletes a record.
    pub fn crm_delete(&self, entity: &str, id: &str) -> Result<(), Refused> {
        Ok(self.in_entity(entity, |world, person, entity| records::delete(world, person, entity, id))??)
    }

    /// A record is deleted, and its webhook comes to nothing.
    pub fn crm_delete_unheard(&self, entity: &str, id: &str) -> Result<(), Refused> {
        let gone = self.in_entity(entity, |world, _, entity| world.espocrm.table(&entity.name).delete(id));
        if gone? { Ok(()) } else { Err(refused(404, format!("Record {id} does not exist."))) }
    }

    /// An administrator restores a deleted record as it was: no event (espocrm.md, Payload).
    pub fn crm_undelete(&self, entity: &str, id: &str) -> Result<(), Refused> {
        let back = self.in_entity(entity, |world, _, entity| world.espocrm.table(&entity.name).restore(id));
        if back? { Ok(()) } else { Err(refused(404, format!("Record {id} is not deleted."))) }
    }

    /// A record as it is now; `None`: none, or deleted.
    #[must_use]
    pub fn crm_get(&self, entity: &str, id: &str) -> Option<Fields> {
        self.in_entity(entity, |world, _, entity| {
            world.espocrm.table(&entity.name).live(id).map(|row| row.shown(entity))
        })
        .ok()?
    }

    /// All records that are not deleted, in the order of their creation.
    #[must_use]
    pub fn crm_list(&self, entity: &str) -> Vec<Fields> {
        let listed = self.in_entity(entity, |world, _, entity| {
            world.espocrm.table(&entity.name).all_live().map(|row| row.shown(entity)).collect()
        });
        listed.unwrap_or_default()
    }

    /// Sets any attributes of a record, `modifiedAt` too, without a check, an event or a log entry: arranges what
    /// was before the test. An id that is not there becomes a record.
    pub fn crm_arrange(&self, entity: &str, id: &str, values: &Value) -> Result<(), Refused> {
        self.in_entity(entity, |world, person, entity| {
            let known = world.espocrm.table(&entity.name).live(id).map(|row| row.fields.clone());
            let mut record = known.unwrap_or_else(|| records::blank(entity, id, &world.clock.now(), person));
            record.extend(fields(values));
            records::set_name(entity, &mut record, &fields(values));
            world.espocrm.table(&entity.name).arrange(id, record);
        })
    }

    /// The notes that were posted, oldest first.
    #[must_use]
    pub fn crm_notes(&self) -> Vec<Fields> {
        self.shared.world().espocrm.notes.clone()
    }

    fn in_resource<T>(self, name: &str, work: impl FnOnce(&mut World, &Resource) -> T) -> Result<T, Refused> {
        let mut world = self.shared.world();
        let resource = world.options.advoware.resources.iter().find(|resource| resource.name == name).cloned();
        let resource = resource.ok_or_else(|| refused(404, format!("Die Ressource '{name}' gibt es nicht.")))?;
        Ok(work(&mut world, &resource))
    }

    /// The lawyer makes a record, with any fields and, where it is given, a number of choice; returns its number.
    pub fn lawyer_create(&self, resource: &str, values: &Value) -> Result<i64, Refused> {
        self.in_resource(resource, |world, resource| {
            let number = store(world, resource).create(resource, &fields(values), true);
            let made = set_fields(resource, &store(world, resource).records[&number]);
            note(world, Change::Create, resource, number, fields(values), made);
            number
        })
    }

    /// The lawyer changes fields of a record; the whole record comes back.
    pub fn lawyer_update(&self, resource: &str, number: i64, values: &Value) -> Result<Fields, Refused> {
        self.in_resource(resource, |world, resource| {
            let changed =
                store(world, resource).patch(resource, number, &fields(values)).ok_or_else(|| missing(number))?;
            note(world, Change::Update, resource, number, fields(values), changed);
            Ok(store(world, resource).records[&number].clone())
        })?
    }

    /// The lawyer deletes a record.
    pub fn lawyer_delete(&self, resource: &str, number: i64) -> Result<(), Refused> {
        self.in_resource(resource, |world, resource| {
            store(world, resource).records.remove(&number).ok_or_else(|| missing(number))?;
            note(world, Change::Delete, resource, number, Fields::new(), Fields::new());
            Ok(())
        })?
    }

    /// A record of Advoware as it is now.
    #[must_use]
    pub fn advoware_get(&self, resource: &str, number: i64) -> Option<Fields> {
        self.in_resource(resource, |world, resource| store(world, resource).records.get(&number).cloned()).ok()?
    }

    /// All records of a resource by number.
    #[must_use]
    pub fn advoware_list(&self, resource: &str) -> Vec<Fields> {
        self.in_resource(resource, |world, resource| store(world, resource).records.values().cloned().collect())
            .unwrap_or_default()
    }
}

fn missing(number: i64) -> Refused {
    refused(404, format!("Der Datensatz {number} wurde nicht gefunden."))
}

fn note(world: &mut World, change: Change, resource: &Resource, number: i64, body: Fields, changed: Fields) {
    let key = number.to_string();
    world.note(Draft { system: System::Advoware, change, entity: &resource.name, key, by: "lawyer", body, changed });
}
