use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::sync::record::compare::{Verdict, whole};
use crate::sync::record::normal::tests::mapping;

fn content(value: Value) -> Content {
    serde_json::from_value(value).expect("a content")
}

/// Merge of both sides (`espocrm`, `advoware`) against a base on which both agreed → what is written where, and the
/// fields in conflict.
fn check(base: &Value, espocrm: Value, advoware: Value, to_advoware: Value, to_espocrm: Value, conflicts: &[&str]) {
    let shown = format!("{base}: {espocrm} and {advoware}");
    let base = Snapshot { espocrm: content(base.clone()), advoware: content(base.clone()) };
    let merged = merge(&mapping(), &base, &content(espocrm), &content(advoware));
    assert_eq!(merged.to_advoware, content(to_advoware), "to Advoware: {shown}");
    assert_eq!(merged.to_espocrm, content(to_espocrm), "to EspoCRM: {shown}");
    let fields: Vec<_> = merged.conflicts.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, conflicts, "{shown}");
}

#[test]
fn fields_merge_one_by_one() {
    let base = json!({"anrede": "Herr", "rechtsform": "GmbH"});
    let same = || json!({});
    check(&base, base.clone(), base.clone(), same(), same(), &[]);
    let edit = || json!({"anrede": "Frau", "rechtsform": "GmbH"});
    check(&base, edit(), base.clone(), json!({"anrede": "Frau"}), same(), &[]);
    check(&base, base.clone(), edit(), same(), json!({"anrede": "Frau"}), &[]);
    check(&base, edit(), edit(), same(), same(), &[]);
    check(&base, edit(), json!({"anrede": null, "rechtsform": "GmbH"}), json!({"anrede": "Frau"}), same(), &["anrede"]);
    let other = json!({"anrede": "Herr", "rechtsform": "AG"});
    check(&base, edit(), other, json!({"anrede": "Frau"}), json!({"rechtsform": "AG"}), &[]);
    check(&base, json!({"anrede": null}), base.clone(), json!({"anrede": null}), same(), &[]);
    check(&base, json!({}), json!({}), same(), same(), &[]);
}

#[test]
fn a_difference_that_was_there_before_is_no_change() {
    let base = Snapshot { espocrm: content(json!({"anrede": "Herr"})), advoware: content(json!({"anrede": "Frau"})) };
    assert_eq!(merge(&mapping(), &base, &base.espocrm, &base.advoware), Merged::default());
    // Once one side is edited, the other's value goes although nobody had agreed on it, and that is told.
    let merged = merge(&mapping(), &base, &content(json!({"anrede": "Dr."})), &base.advoware);
    assert_eq!(merged.to_advoware, content(json!({"anrede": "Dr."})));
    assert_eq!((merged.conflicts.len(), merged.replaced.len()), (0, 1));
}

#[test]
fn a_field_that_the_snapshot_lacks_is_first_seen() {
    let none = json!({});
    let same = || json!({});
    check(&none, json!({"anrede": "Herr"}), json!({"anrede": "Herr"}), same(), same(), &[]);
    check(&none, json!({"anrede": "Herr"}), json!({"anrede": null}), json!({"anrede": "Herr"}), same(), &[]);
    check(&none, json!({"anrede": null}), json!({"anrede": "Herr"}), same(), json!({"anrede": "Herr"}), &[]);
    check(&none, json!({"anrede": "Herr"}), json!({"anrede": "Frau"}), json!({"anrede": "Herr"}), same(), &["anrede"]);
    check(&none, json!({"anrede": "Herr"}), json!({}), same(), same(), &[]);
    // Hidden at one side when both agreed, and visible now with the value that the other side had.
    let half = Snapshot { espocrm: content(json!({})), advoware: content(json!({"anrede": "Herr"})) };
    let merged = merge(&mapping(), &half, &content(json!({"anrede": "Herr"})), &content(json!({"anrede": "Frau"})));
    assert_eq!(merged.to_espocrm, content(json!({"anrede": "Frau"})));
    assert_eq!(merged.conflicts, []);
}

#[test]
fn names_merge_field_by_field_within_one_kind() {
    check(
        &json!({"vorname": "Max", "name": "Muster"}),
        json!({"vorname": "Moritz", "name": "Muster"}),
        json!({"vorname": "Max", "name": "Meier"}),
        json!({"vorname": "Moritz"}),
        json!({"name": "Meier"}),
        &[],
    );
}

#[test]
fn a_change_of_kind_is_never_mixed_with_another_edit() {
    let base = json!({"vorname": "Max", "name": "Muster"});
    // Advoware turned the person into a company while EspoCRM corrected the first name.
    check(
        &base,
        json!({"vorname": "Moritz", "name": "Muster"}),
        json!({"vorname": null, "name": "Muster GmbH"}),
        json!({"vorname": "Moritz", "name": "Muster"}),
        json!({}),
        &["name", "vorname"],
    );
    // EspoCRM turned it into a company while Advoware corrected the last name.
    check(
        &base,
        json!({"vorname": null, "name": "Muster"}),
        json!({"vorname": "Max", "name": "Meier"}),
        json!({"vorname": null, "name": "Muster"}),
        json!({}),
        &["name"],
    );
    // Only one side touched the group: it goes over whole.
    check(
        &base,
        json!({"vorname": "Max", "name": "Muster"}),
        json!({"vorname": null, "name": "Muster GmbH"}),
        json!({}),
        json!({"vorname": null, "name": "Muster GmbH"}),
        &[],
    );
}

#[test]
fn a_name_is_never_blanked() {
    let base = Snapshot {
        espocrm: content(json!({"vorname": "Max", "name": "Muster"})),
        advoware: content(json!({"vorname": "Max", "name": "Muster"})),
    };
    let blank = content(json!({"vorname": null, "name": null}));
    for (merged, from) in [
        (merge(&mapping(), &base, &blank, &base.advoware), Side::Espocrm),
        (merge(&mapping(), &base, &base.espocrm, &blank), Side::Advoware),
    ] {
        assert!(merged.is_settled(), "{merged:?}");
        let blocked: Vec<_> = merged.blocked.iter().map(|it| (it.field.as_str(), it.from, it.reason)).collect();
        assert_eq!(blocked, [("name", from, BlockReason::Required), ("vorname", from, BlockReason::Required)]);
    }
}

#[test]
fn a_field_with_one_direction_flows_that_way_only() {
    use crate::sync::record::mapping::Direction;
    let base = Snapshot { espocrm: content(json!({"anrede": "Herr"})), advoware: content(json!({"anrede": "Herr"})) };
    let (ours, theirs) = (content(json!({"anrede": "Frau"})), content(json!({"anrede": "Dr."})));
    let blocked = |merged: &Merged| merged.blocked.iter().map(|it| (it.from, it.reason)).collect::<Vec<_>>();
    for (direction, held) in [(Direction::ToAdvoware, Side::Advoware), (Direction::ToEspocrm, Side::Espocrm)] {
        let mut mapping = mapping();
        let field = mapping.fields.iter_mut().find(|field| field.advoware == "anrede").expect("mapped");
        field.direction = direction;
        let mine = merge(&mapping, &base, &ours, &base.advoware);
        let other = merge(&mapping, &base, &base.espocrm, &theirs);
        let (free, stuck) = if held == Side::Advoware { (mine, other) } else { (other, mine) };
        assert!(!free.is_settled() && free.blocked.is_empty());
        assert!(stuck.is_settled());
        assert_eq!(blocked(&stuck), [(held, BlockReason::Direction)]);
        let both = merge(&mapping, &base, &ours, &theirs);
        assert_eq!(both.conflicts.len(), 1);
        assert_eq!(both.conflicts[0].winner, held.other());
        assert_eq!(both.blocked, []);
    }
}

#[test]
fn a_change_of_what_advoware_does_not_let_change_is_told_once_and_never_sent() {
    let mut mapping = mapping();
    let field = mapping.fields.iter_mut().find(|field| field.advoware == "anrede").expect("mapped");
    (field.direction, field.read_only) = (crate::sync::record::mapping::Direction::ToEspocrm, true);
    let base = Snapshot { espocrm: content(json!({"anrede": "Herr"})), advoware: content(json!({"anrede": "Herr"})) };
    let ours = content(json!({"anrede": "Frau"}));
    let merged = merge(&mapping, &base, &ours, &base.advoware);
    assert!(merged.is_settled());
    assert_eq!(merged.blocked.iter().map(|it| it.reason).collect::<Vec<_>>(), [BlockReason::ReadOnly]);
    // The next run knows of it; the next change is told again; Advoware's own changes arrive.
    let told = base.after(&ours, &base.advoware);
    assert_eq!(merge(&mapping, &told, &ours, &base.advoware), Merged::default());
    assert_eq!(merge(&mapping, &told, &content(json!({"anrede": "Dr."})), &base.advoware).blocked.len(), 1);
    let theirs = merge(&mapping, &told, &ours, &content(json!({"anrede": "Prof."})));
    assert_eq!(theirs.to_espocrm, content(json!({"anrede": "Prof."})));
    assert_eq!(mapping.new_advoware(&ours), Map::new());
    assert_eq!(mapping.not_created(&ours).len(), 1);
    let whole = whole(&mapping, Verdict::Initial, &ours, &base.advoware);
    assert_eq!(whole.to_espocrm, base.advoware, "without a snapshot Advoware's value counts");
}

#[test]
fn what_espocrm_refuses_is_told_and_settles() {
    let base = Snapshot { espocrm: content(json!({"telGesch": null})), advoware: content(json!({"telGesch": null})) };
    let theirs = content(json!({"telGesch": "siehe Akte"}));
    let merged = merge(&mapping(), &base, &base.espocrm, &theirs);
    assert!(merged.is_settled());
    assert!(matches!(merged.blocked[0].reason, BlockReason::Refused(_)));
    let next = merge(&mapping(), &base.after(&base.espocrm, &theirs), &base.espocrm, &theirs);
    assert_eq!(next, Merged::default());
}

const ESPOCRM: [&str; 9] = [
    "firstName",
    "lastName",
    "firmenname",
    "dateOfBirth",
    "anrede",
    "rechtsform",
    "handelsregisterNummer",
    "emailAddress",
    "phoneNumber",
];
const ADVOWARE: [&str; 8] =
    ["vorname", "name", "geburtsdatum", "anrede", "rechtsform", "handelsRegisterNummer", "emailGesch", "telGesch"];
/// Without the names, side by side.
const PLAIN: [&[&str]; 2] = [ESPOCRM.split_at(3).1, ADVOWARE.split_at(2).1];

/// Few values, so that equal ones meet; blank and odd spellings among them.
fn value(attribute: &str) -> BoxedStrategy<Value> {
    let pool: &[&str] = match attribute {
        "dateOfBirth" | "geburtsdatum" => {
            &["1980-02-29", "1980-02-29T00:00:00", "2001-01-01T00:00:00Z", "0001-01-01T00:00:00", "ca. 1980", ""]
        }
        "emailAddress" | "emailGesch" => &["a@b.de", "A@B.de", "c@d.de", "keine", ""],
        "phoneNumber" | "telGesch" => &["+4930123456", "030/123456", "0171 1234567", "siehe Akte", ""],
        _ => &["Muster", " Muster", "Meier", "X GmbH", "", "  "],
    };
    prop_oneof![4 => proptest::sample::select(pool).prop_map(Value::from), 1 => Just(Value::Null)].boxed()
}

/// A record with these attributes; `hidden` is the chance in a hundred that one is left out.
fn side(attributes: &'static [&'static str], hidden: u32) -> impl Strategy<Value = Map<String, Value>> {
    let values: Vec<_> = attributes
        .iter()
        .map(|attribute| {
            let shown = value(attribute).prop_map(Some).boxed();
            // A weight of zero would still be chosen while a failing case is made smaller.
            if hidden == 0 { shown } else { prop_oneof![100 - hidden => shown, hidden => Just(None)].boxed() }
        })
        .collect();
    values.prop_map(move |values| {
        let shown = attributes.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
        [("untouched".to_owned(), json!({"deep": [1, null]}))].into_iter().chain(shown).collect()
    })
}

/// Up to three edits of a record's attributes.
fn edits(attributes: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    let edit = proptest::sample::select(attributes).prop_flat_map(|name| (Just(name.to_owned()), value(name)));
    vec(edit, 0..4).prop_map(|edits| edits.into_iter().collect())
}

fn edited(record: &Map<String, Value>, edits: &Map<String, Value>) -> Map<String, Value> {
    let mut record = record.clone();
    record.extend(edits.clone());
    record
}

/// Both records before and after the edits of people.
#[derive(Clone, Debug)]
struct World {
    espocrm: [Map<String, Value>; 2],
    advoware: [Map<String, Value>; 2],
}

fn world(hidden: u32) -> impl Strategy<Value = World> {
    let sides = (side(&ESPOCRM, hidden), side(&ADVOWARE, hidden), edits(&ESPOCRM), edits(&ADVOWARE));
    sides.prop_map(|(ours, theirs, our_edits, their_edits)| World {
        espocrm: [ours.clone(), edited(&ours, &our_edits)],
        advoware: [theirs.clone(), edited(&theirs, &their_edits)],
    })
}

impl World {
    fn base(&self, mapping: &Mapping) -> Snapshot {
        Snapshot::default().after(&mapping.from_espocrm(&self.espocrm[0]), &mapping.from_advoware(&self.advoware[0]))
    }

    fn now(&self, mapping: &Mapping) -> (Content, Content) {
        (mapping.from_espocrm(&self.espocrm[1]), mapping.from_advoware(&self.advoware[1]))
    }

    /// Both contents after the merge is written.
    fn written(&self, mapping: &Mapping, merged: &Merged) -> (Content, Content) {
        let [ours, theirs] = write(mapping, merged, [&self.espocrm[1], &self.advoware[1]]);
        (mapping.from_espocrm(&ours), mapping.from_advoware(&theirs))
    }
}

/// Writes a merge into both records; attributes that are hidden stay hidden.
fn write(mapping: &Mapping, merged: &Merged, [ours, theirs]: [&Map<String, Value>; 2]) -> [Map<String, Value>; 2] {
    let [mut our_next, mut their_next] = [ours.clone(), theirs.clone()];
    for (attribute, value) in mapping.write_espocrm(&merged.to_espocrm, ours).attributes {
        if let Some(place) = our_next.get_mut(&attribute) {
            *place = value;
        }
    }
    mapping.write_advoware(&merged.to_advoware, &mut their_next);
    their_next.retain(|attribute, _| theirs.contains_key(attribute));
    [our_next, their_next]
}

/// Both records and what is remembered of them.
#[derive(Clone)]
struct Synced {
    records: [Map<String, Value>; 2],
    base: Snapshot,
}

impl Synced {
    /// Both sides as `EspoCRM` has them.
    fn first(mapping: &Mapping, world: &World) -> Self {
        let [ours, theirs] = [&world.espocrm[0], &world.advoware[0]];
        let merged = whole(mapping, Verdict::EspocrmNewer, &mapping.from_espocrm(ours), &mapping.from_advoware(theirs));
        Self { records: write(mapping, &merged, [ours, theirs]), base: Snapshot::default() }.sync(mapping)
    }

    fn edit(mut self, side: usize, edits: &Map<String, Value>) -> Self {
        self.records[side].extend(edits.clone());
        self
    }

    fn sync(self, mapping: &Mapping) -> Self {
        let merged = merge(mapping, &self.base, &self.content(mapping).0, &self.content(mapping).1);
        let [ours, theirs] = &self.records;
        let records = write(mapping, &merged, [ours, theirs]);
        let next = Self { records, base: self.base };
        let (ours, theirs) = next.content(mapping);
        Self { base: next.base.after(&ours, &theirs), ..next }
    }

    fn content(&self, mapping: &Mapping) -> (Content, Content) {
        (mapping.from_espocrm(&self.records[0]), mapping.from_advoware(&self.records[1]))
    }
}

fn blocks(merged: &Merged, field: &str) -> bool {
    merged.blocked.iter().any(|it| it.field == field)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2500))]

    #[test]
    fn no_one_sided_edit_is_lost(world in world(5)) {
        let mapping = mapping();
        let base = world.base(&mapping);
        let (ours, theirs) = world.now(&mapping);
        let only_ours = merge(&mapping, &base, &ours, &base.advoware);
        let only_theirs = merge(&mapping, &base, &base.espocrm, &theirs);
        for field in &mapping.fields {
            let name = field.advoware.as_str();
            for (now, then, other, sent, merged) in [
                (&ours, &base.espocrm, &base.advoware, &only_ours.to_advoware, &only_ours),
                (&theirs, &base.advoware, &base.espocrm, &only_theirs.to_espocrm, &only_theirs),
            ] {
                let [now, then, other] = [now, then, other].map(|content| content.get(name));
                let edited = now.is_known() && then.is_known() && !field.same(now, then);
                if edited && !field.same(now, other) {
                    let arrives = sent.get(name) == now || blocks(merged, name);
                    prop_assert!(arrives, "{} is lost: {:?}", name, merged);
                }
            }
        }
        prop_assert!(only_ours.to_espocrm.iter().all(|(name, _)| !base.espocrm.get(name).is_known()
            || base.espocrm.get(name) == Seen::Blank || !base.advoware.get(name).is_known()));
    }

    #[test]
    fn equal_edits_are_no_conflict(world in world(5)) {
        let mapping = mapping();
        let (_, theirs) = world.now(&mapping);
        let merged = merge(&mapping, &world.base(&mapping), &theirs, &theirs);
        prop_assert_eq!(merged, Merged::default());
    }

    #[test]
    fn what_was_merged_and_written_stays(world in world(5)) {
        let mapping = mapping();
        let base = world.base(&mapping);
        let (ours, theirs) = world.now(&mapping);
        let merged = merge(&mapping, &base, &ours, &theirs);
        let (ours, theirs) = world.written(&mapping, &merged);
        let next = merge(&mapping, &base.after(&ours, &theirs), &ours, &theirs);
        prop_assert_eq!(next, Merged::default());
    }

    /// The process died after writing and before the snapshot was stored.
    #[test]
    fn the_old_snapshot_writes_nothing_again(world in world(0)) {
        let mapping = mapping();
        let base = world.base(&mapping);
        let (ours, theirs) = world.now(&mapping);
        let readable = ours.problems().is_empty() && theirs.problems().is_empty();
        let merged = merge(&mapping, &base, &ours, &theirs);
        let (ours, theirs) = world.written(&mapping, &merged);
        let again = merge(&mapping, &base, &ours, &theirs);
        prop_assert!(!readable || again.is_settled(), "{:?} then {:?}", merged, again);
        for name in merged.to_advoware.iter().chain(merged.to_espocrm.iter()).map(|(name, _)| name) {
            let field = mapping.field(name).expect("mapped");
            prop_assert!(field.same(ours.get(name), theirs.get(name)), "{} differs after {:?}", name, merged);
        }
    }

    #[test]
    fn the_whole_record_rules_settle_too(world in world(0), ours_newer in any::<bool>()) {
        let mapping = mapping();
        let verdict = if ours_newer { Verdict::EspocrmNewer } else { Verdict::AdvowareNewer };
        let (ours, theirs) = world.now(&mapping);
        let merged = whole(&mapping, verdict, &ours, &theirs);
        let (ours, theirs) = world.written(&mapping, &merged);
        prop_assert!(whole(&mapping, verdict, &ours, &theirs).is_settled());
    }

    #[test]
    fn absent_or_unreadable_never_clears(world in world(40)) {
        let mapping = mapping();
        let base = world.base(&mapping);
        let (ours, theirs) = world.now(&mapping);
        for merged in [
            merge(&mapping, &base, &ours, &theirs),
            whole(&mapping, Verdict::EspocrmNewer, &ours, &theirs),
            whole(&mapping, Verdict::AdvowareNewer, &ours, &theirs),
        ] {
            prop_assert!(merged.to_advoware.iter().all(|(name, seen)| ours.get(name) == seen));
            prop_assert!(merged.to_espocrm.iter().all(|(name, seen)| theirs.get(name) == seen));
        }
    }

    #[test]
    fn unmapped_fields_survive(world in world(5)) {
        let mapping = mapping();
        let (ours, theirs) = world.now(&mapping);
        let merged = merge(&mapping, &world.base(&mapping), &ours, &theirs);
        let mut whole = world.advoware[1].clone();
        mapping.write_advoware(&merged.to_advoware, &mut whole);
        for (name, value) in &world.advoware[1] {
            let written = merged.to_advoware.get(name).is_known();
            prop_assert!(written || whole.get(name) == Some(value), "{} changed", name);
        }
        let put = mapping.write_espocrm(&merged.to_espocrm, &world.espocrm[1]).attributes;
        prop_assert!(put.keys().all(|attribute| ESPOCRM.contains(&attribute.as_str())));
    }

    #[test]
    fn persons_and_companies_survive_the_round_trip(
        current in side(&ESPOCRM, 0),
        first in proptest::option::of("[A-Z][a-z]{1,8}"),
        name in "[A-Z][a-z]{1,8}( GmbH)?",
    ) {
        let mapping = mapping();
        let party = content(json!({"vorname": first, "name": name}));
        let mut espocrm = current.clone();
        espocrm.extend(mapping.write_espocrm(&party, &current).attributes);
        let back = mapping.from_espocrm(&espocrm);
        prop_assert_eq!((back.get("vorname"), back.get("name")), (party.get("vorname"), party.get("name")));
        // Clean: a person has no company name, a company no first name and only one of the other two.
        let filled = |attribute: &str| espocrm[attribute].as_str().is_some_and(|text| !text.trim().is_empty());
        prop_assert_eq!(filled("firstName"), first.is_some());
        prop_assert!(filled("lastName") != filled("firmenname"));
        let mut advoware = Map::new();
        mapping.write_advoware(&party, &mut advoware);
        prop_assert_eq!(mapping.from_advoware(&advoware), party);
    }

    /// Edits of different fields come to the same, whoever was first and however often it was synced between them. Names
    /// are judged together, so they are no different fields.
    #[test]
    fn order_does_not_matter(world in world(0), ours in edits(PLAIN[0]), mut theirs in edits(PLAIN[1])) {
        let mapping = mapping();
        for (ours_too, name) in PLAIN[0].iter().zip(PLAIN[1]) {
            theirs.retain(|edited, _| edited != name || !ours.contains_key(*ours_too));
        }
        let start = Synced::first(&mapping, &world);
        let at_once = start.clone().edit(1, &theirs).edit(0, &ours).sync(&mapping);
        let ours_first = start.clone().edit(0, &ours).sync(&mapping).edit(1, &theirs).sync(&mapping);
        let theirs_first = start.edit(1, &theirs).sync(&mapping).edit(0, &ours).sync(&mapping);
        prop_assert_eq!(at_once.content(&mapping), ours_first.content(&mapping));
        prop_assert_eq!(at_once.content(&mapping), theirs_first.content(&mapping));
    }

    /// Where a side changes kind, the merged names are those of one side, never a mixture.
    #[test]
    fn kinds_are_never_mixed(world in world(0)) {
        let mapping = mapping();
        let base = world.base(&mapping);
        let (ours, theirs) = world.now(&mapping);
        let names = |content: &Content| ["vorname", "name"].map(|name| content.get(name).text().map(str::to_owned));
        let turned = [(&ours, &base.espocrm), (&theirs, &base.advoware)]
            .iter()
            .any(|(now, then)| names(now)[0].is_some() != names(then)[0].is_some());
        let agreed = names(&base.espocrm) == names(&base.advoware) && names(&base.espocrm)[1].is_some();
        let merged = merge(&mapping, &base, &ours, &theirs);
        if turned && agreed && !blocks(&merged, "name") && !blocks(&merged, "vorname") {
            let (after, other) = world.written(&mapping, &merged);
            prop_assert_eq!(names(&after), names(&other));
            prop_assert!(names(&after) == names(&ours) || names(&after) == names(&theirs));
        }
    }
}

#[test]
fn a_snapshot_keeps_what_is_hidden_now() {
    let base = Snapshot { espocrm: content(json!({"anrede": "Herr", "name": "A"})), advoware: Content::default() };
    let next = base.after(&content(json!({"name": "B"})), &content(json!({"name": "B"})));
    assert_eq!(next.espocrm, content(json!({"anrede": "Herr", "name": "B"})));
    let stored = serde_json::to_string(&next).expect("serialises");
    assert_eq!(serde_json::from_str::<Snapshot>(&stored).expect("reads back"), next);
}
