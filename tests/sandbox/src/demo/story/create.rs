//! Parties that are created in `EspoCRM` arrive in Advoware.

use advosync_sandbox::Delivery;
use serde_json::json;

use crate::account::shown;
use crate::stage::{Stage, sync_fields};

/// A party in both systems.
#[derive(Debug, Clone)]
pub(crate) struct Paired {
    /// `EspoCRM`'s id.
    pub(crate) id: String,
    /// Advoware's number.
    pub(crate) number: i64,
}

/// What was created, and the webhooks that told of it.
pub(crate) struct Created {
    /// Two persons and a company.
    pub(crate) parties: Vec<Paired>,
    /// As they were sent.
    pub(crate) deliveries: Vec<Delivery>,
}

/// Creates two persons and a company.
pub(crate) async fn run(stage: &mut Stage) -> anyhow::Result<Created> {
    stage.account.step("Three parties are created in EspoCRM");
    let ids = [
        json!({ "firstName": "Max", "lastName": "Mustermann", "dateOfBirth": "1980-05-17", "phoneNumber": "+493012345678" }),
        json!({ "firstName": "Erika", "lastName": "Beispiel", "emailAddress": "erika.beispiel@example.org" }),
        json!({ "firmenname": "Muster & Söhne GmbH", "rechtsform": "GmbH", "handelsregisterNummer": "HRB 12345" }),
    ]
    .iter()
    .map(|values| stage.create(values))
    .collect::<anyhow::Result<Vec<String>>>()?;
    stage.account.did("a user creates Max Mustermann, Erika Beispiel and the company Muster & Söhne GmbH");
    let deliveries = stage.deliver().await?;
    let mut parties = Vec::new();
    for id in ids {
        let number = stage.synced(&id).await?;
        let (party, record) = (stage.party(number)?, stage.record(&id)?);
        let first = party.get("vorname").filter(|name| !name.is_null());
        let kind = if first.is_some() { "person" } else { "company" };
        let vorname = first.map_or_else(String::new, |name| format!(", {}", shown(Some(name))));
        stage.account.saw("Advoware", format!("betNr {number}: {kind} {}{vorname}", shown(party.get("name"))));
        stage.account.saw("EspoCRM", sync_fields(&record));
        parties.push(Paired { id, number });
    }
    stage.account.done("each is in Advoware, its number and rowId are back in EspoCRM");
    Ok(Created { parties, deliveries })
}
