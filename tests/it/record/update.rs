//! A change on one side goes to the other, and nothing else does.

use advosync_sandbox::{BETEILIGTE, Change, GetShape, PutShape, System};
use serde_json::json;

use super::{company, person};
use crate::support::world::World;

#[tokio::test]
async fn an_edit_in_espocrm_goes_over_and_unmapped_fields_survive() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let own = json!({
        "strasse": "Gerichtsweg 1", "titel": "Dr.", "ort": "Köln", "bemerkung": [], "beruf": [
            { "rowId": "a1", "kommArt": 4, "tlf": "0221 123", "online": null, "betrag": 1.1, "ids": [9_007_199_254_740_993_i64] },
            { "rowId": "a2", "unter": { "z": 1, "a": [] } },
        ],
    });
    let list = own["beruf"].to_string();
    world.lawyer(number, &own);
    for (put, get, calls) in [
        (PutShape::WithRowId, GetShape::Object, 2),
        (PutShape::WithoutRowId, GetShape::Array, 3),
        (PutShape::Empty, GetShape::Object, 3),
    ] {
        world.sandbox.configure(|options| {
            options.advoware.put_shape = put;
            options.advoware.get_shape = get;
        });
        let mail = format!("{put:?}@example.org").to_lowercase();
        world.edit(&id, &json!({ "emailAddress": mail }));
        let mark = world.mark();
        world.sandbox.reset_counts();
        world.deliver().await;
        world.settle_all().await;
        assert_eq!(world.in_step(&id), number);
        assert_eq!(world.calls(), (calls, 2), "{put:?}");
        assert_eq!(world.writes_to(System::Advoware, mark).len(), 1, "{put:?}");
        assert_eq!(world.writes_to(System::EspoCrm, mark).len(), 1, "{put:?}");
        let party = world.party(number);
        assert_eq!(party["emailGesch"], mail, "{put:?}");
        for (field, value) in own.as_object().unwrap() {
            assert_eq!(&party[field], value, "{field} after {put:?}");
        }
        let calls = world.sandbox.calls();
        let sent = calls.iter().find(|call| call.method == "PUT" && call.system == System::Advoware).unwrap();
        assert!(sent.body.contains(&list), "a child list goes back byte for byte: {}", sent.body);
    }
}

#[tokio::test]
async fn what_advoware_does_not_take_is_in_one_note() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    // Nobody has marked it in the mapping.
    world.sandbox.configure(|options| {
        let parties = options.advoware.resources.iter_mut().find(|it| it.name == BETEILIGTE).unwrap();
        parties.fields.retain(|name| name != "anrede");
        parties.read_only.push("anrede".to_owned());
    });
    world.edit(&id, &json!({ "anrede": "Frau", "emailAddress": "neu@example.org" }));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!((&world.party(number)["anrede"], &world.record(&id)["anrede"]), (&json!("Herr"), &json!("Frau")));
    assert_eq!(world.party(number)["emailGesch"], "neu@example.org", "the rest went over");
    let notes = world.notes(&id);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("Anrede: EspoCRM „Frau“, in Advoware steht „Herr“"), "{notes:?}");
    world.rest().await;
    assert_eq!(world.done(&id).await, "unchanged", "nobody fights over it");
    assert_eq!(world.notes(&id).len(), 1);
    // The next change of it is told again.
    world.edit(&id, &json!({ "anrede": "Dr." }));
    world.rest().await;
    assert_eq!(world.notes(&id).len(), 2);
}

#[tokio::test]
async fn an_edit_in_advoware_comes_over_in_the_status_write() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.lawyer(number, &json!({ "emailGesch": "neu@example.org", "vorname": "Moritz", "strasse": "Gerichtsweg 1" }));
    let mark = world.mark();
    world.sandbox.reset_counts();
    assert_eq!(world.done(&id).await, "updated");
    assert_eq!(world.calls(), (1, 2));
    world.in_step(&id);
    let writes = world.writes(mark);
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert_eq!(writes[0].changed["emailAddress"], "neu@example.org");
    assert_eq!(writes[0].changed["firstName"], "Moritz");
    assert!(writes[0].changed.contains_key("advowareRowId"), "{writes:?}");
    assert!(world.notes(&id).is_empty(), "nobody lost anything");
}

#[tokio::test]
async fn where_nothing_changed_nothing_is_written() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    let mark = world.mark();
    for round in 0..3 {
        world.sandbox.reset_counts();
        assert_eq!(world.done(&id).await, "unchanged");
        assert_eq!(world.calls(), (1, 1), "round {round}");
    }
    assert!(world.writes(mark).is_empty());
    // A version that moved without a change of what is synced: one status write tells it.
    world.lawyer(number, &json!({ "strasse": "Gerichtsweg 1" }));
    world.done(&id).await;
    world.in_step(&id);
    assert_eq!(world.writes_to(System::Advoware, mark), []);
    assert_eq!(world.writes_to(System::EspoCrm, mark).len(), 1, "only the new rowId");
    assert_eq!(world.done(&id).await, "unchanged");
    assert_eq!(world.writes(mark).len(), 1);
}

#[tokio::test]
async fn values_are_cleared_and_a_person_can_become_a_company() {
    let world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.edit(&id, &json!({ "emailAddress": null, "phoneNumber": null }));
    world.done(&id).await;
    world.in_step(&id);
    assert_eq!(world.party(number)["emailGesch"], json!(null));
    world.lawyer(number, &json!({ "vorname": null, "name": "Mustermann GmbH", "geburtsdatum": null }));
    world.done(&id).await;
    world.in_step(&id);
    let record = world.record(&id);
    assert_eq!((&record["firstName"], &record["lastName"]), (&json!(null), &json!(null)));
    assert_eq!(record["firmenname"], "Mustermann GmbH");
    let (firm, number) = world.created(&company("Muster Bau")).await;
    world.edit(&firm, &json!({ "firmenname": null, "firstName": "Erika", "lastName": "Muster" }));
    world.done(&firm).await;
    world.in_step(&firm);
    assert_eq!(world.party(number)["vorname"], "Erika");
    let mark = world.mark();
    for id in [&id, &firm] {
        assert_eq!(world.done(id).await, "unchanged");
    }
    assert!(world.writes(mark).is_empty());
    let updates = |effect: &advosync_sandbox::Effect| effect.change == Change::Update;
    assert_eq!(world.writes_to(System::Advoware, 0).iter().filter(|effect| updates(effect)).count(), 2);
}
