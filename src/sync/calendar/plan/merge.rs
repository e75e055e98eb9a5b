//! One Termin and its counterpart: which fields go where (C3, C4).

use crate::sync::calendar::entry::Fields;
use crate::sync::calendar::pair::Prints;

/// What keeps Google's edits from Advoware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Nothing: both sides may change everything.
    BothWays,
    /// Advoware is not to be written at all: the Termin was generated, or the calendar or the event is anonymised. An edit
    /// at Google is undone.
    ToGoogle,
    /// Advoware must not be written for now (`ADVOWARE_WRITE_PROTECTION`). An edit at Google is kept there, and reported.
    Withheld,
}

/// Both sides as they are, and as they were when they last agreed.
#[derive(Debug, Clone, Copy)]
pub struct Sides {
    /// The Termin, as Google is to show it.
    pub advoware: Prints,
    /// The counterpart.
    pub google: Prints,
    /// The agreement; `None`: the ledger knows none.
    pub base: Option<Base>,
}

/// An agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Of the ledger.
    Known {
        /// The Termin then.
        advoware: Prints,
        /// The event then, as Google returned it.
        google: Prints,
    },
    /// Of the event's private properties: the event is as it was agreed on, so whatever differs was changed in Advoware.
    GoogleUnchanged,
    /// Likewise: the Termin is as it was agreed on, so whatever differs was changed at Google.
    AdvowareUnchanged,
}

impl Base {
    /// What the private property `advosync_hash` says; `None`: it fits neither side.
    #[must_use]
    pub fn of_hash(hash: &str, advoware: &Prints, google: &Prints) -> Option<Self> {
        if google.digest() == hash {
            Some(Self::GoogleUnchanged)
        } else if advoware.digest() == hash {
            Some(Self::AdvowareUnchanged)
        } else {
            None
        }
    }
}

/// Where fields go. No field stands in two of the first four.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// From the Termin to the event, because Advoware changed them or wins.
    pub to_google: Fields,
    /// From the event to the Termin.
    pub to_advoware: Fields,
    /// Edits at Google that may not flow, and are undone: the Termin's value goes to the event.
    pub undone: Fields,
    /// Edits at Google that write protection keeps from Advoware for now; nothing is written for them.
    pub withheld: Fields,
    /// Of `to_google`: changed on both sides, to different values. Advoware won; a person is told.
    pub conflicts: Fields,
}

impl Merged {
    /// Whether nothing is written on either side.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.to_google.is_empty() && self.to_advoware.is_empty() && self.undone.is_empty()
    }

    /// Both sides once this is carried out, and what is agreed on then. What is withheld stays an edit of Google's.
    #[must_use]
    pub fn settled(&self, sides: &Sides) -> Sides {
        let google = sides.google.with(&self.to_google, &sides.advoware).with(&self.undone, &sides.advoware);
        let advoware = sides.advoware.with(&self.to_advoware, &sides.google);
        let (was_mine, was_theirs) = match &sides.base {
            Some(Base::Known { advoware, google }) => (*advoware, *google),
            _ => (sides.advoware, sides.advoware),
        };
        let base = Base::Known {
            advoware: advoware.with(&self.withheld, &was_mine),
            google: google.with(&self.withheld, &was_theirs),
        };
        Sides { advoware, google, base: Some(base) }
    }
}

/// Merges field by field. Advoware wins where both changed (C4: it is the central calendar). `one_way` are fields that may
/// never flow to Advoware, such as a note that was cut for Google.
#[must_use]
pub fn merge(sides: &Sides, flow: Flow, one_way: &Fields) -> Merged {
    let (by_advoware, by_google) = changed(sides);
    let differing = sides.advoware.differing(&sides.google);
    let mut merged = Merged::default();
    // What was changed on both sides to the same is agreed on already.
    for field in by_advoware.union(&by_google) {
        let (mine, theirs) = (by_advoware.contains(field), by_google.contains(field));
        let same = !differing.contains(field);
        let into = match (mine, theirs) {
            _ if same => continue,
            (true, true) => {
                merged.conflicts.insert(*field);
                &mut merged.to_google
            }
            (true, false) => &mut merged.to_google,
            (false, _) if flow == Flow::ToGoogle || one_way.contains(field) => &mut merged.undone,
            (false, _) if flow == Flow::Withheld => &mut merged.withheld,
            (false, _) => &mut merged.to_advoware,
        };
        into.insert(*field);
    }
    merged
}

/// The fields that each side changed since the agreement. Without one, both did whatever differs.
fn changed(sides: &Sides) -> (Fields, Fields) {
    let differing = || sides.advoware.differing(&sides.google);
    match &sides.base {
        Some(Base::Known { advoware, google }) => (sides.advoware.differing(advoware), sides.google.differing(google)),
        Some(Base::GoogleUnchanged) => (differing(), Fields::new()),
        Some(Base::AdvowareUnchanged) => (Fields::new(), differing()),
        None => (differing(), differing()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sync::calendar::entry::Field;

    const BASE: Prints = Prints([1, 1, 1, 1, 1]);

    fn known(advoware: [u64; 5], google: [u64; 5]) -> Sides {
        let base = Some(Base::Known { advoware: BASE, google: BASE });
        Sides { advoware: Prints(advoware), google: Prints(google), base }
    }

    fn plain(sides: &Sides, flow: Flow) -> Merged {
        merge(sides, flow, &Fields::new())
    }

    #[test]
    fn each_side_s_edits_go_over_and_advoware_wins() {
        let merged = plain(&known([2, 1, 2, 3, 1], [1, 2, 3, 3, 1]), Flow::BothWays);
        assert_eq!(merged.to_google, Fields::from([Field::When, Field::Text]));
        assert_eq!(merged.to_advoware, Fields::from([Field::Series]));
        assert_eq!(merged.conflicts, Fields::from([Field::Text]));
    }

    #[test]
    fn what_may_not_flow_is_undone_and_what_is_protected_stays() {
        let sides = known(BASE.0, [2, 1, 1, 1, 1]);
        let when = Fields::from([Field::When]);
        assert_eq!(plain(&sides, Flow::ToGoogle), Merged { undone: when.clone(), ..Merged::default() });
        assert_eq!(plain(&sides, Flow::Withheld), Merged { withheld: when.clone(), ..Merged::default() });
        let cut = merge(&sides, Flow::BothWays, &when);
        assert_eq!(cut, Merged { undone: when, ..Merged::default() });
    }

    #[test]
    fn after_a_loss_of_the_ledger_the_hash_says_who_changed() {
        let (advoware, google) = (Prints([1, 1, 2, 1, 1]), BASE);
        let check = |hash: &str, to_google: usize, to_advoware: usize, conflicts: usize| {
            let base = Base::of_hash(hash, &advoware, &google);
            let merged = plain(&Sides { advoware, google, base }, Flow::BothWays);
            let found = (merged.to_google.len(), merged.to_advoware.len(), merged.conflicts.len());
            assert_eq!(found, (to_google, to_advoware, conflicts), "{base:?}");
        };
        check(&google.digest(), 1, 0, 0);
        check(&advoware.digest(), 0, 1, 0);
        check("neither", 1, 0, 1);
    }

    fn prints() -> impl Strategy<Value = Prints> {
        prop::array::uniform5(0_u64..3).prop_map(Prints)
    }

    fn flows() -> impl Strategy<Value = Flow> {
        prop_oneof![Just(Flow::BothWays), Just(Flow::ToGoogle), Just(Flow::Withheld)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        /// Carrying a merge out and merging again writes nothing, and what was withheld is still there to be told.
        #[test]
        fn a_merge_is_stable(a in prints(), g in prints(), base in bases(), flow in flows()) {
            let sides = Sides { advoware: a, google: g, base };
            let merged = plain(&sides, flow);
            let again = plain(&merged.settled(&sides), flow);
            prop_assert_eq!(&again, &Merged { withheld: merged.withheld.clone(), ..Merged::default() });
        }

        /// Where nothing is held back, both sides are equal afterwards.
        #[test]
        fn both_sides_agree_afterwards(a in prints(), g in prints(), flow in flows()) {
            let sides = Sides { advoware: a, google: g, base: None };
            let settled = plain(&sides, flow).settled(&sides);
            prop_assert_eq!(settled.advoware, settled.google);
        }

        /// An edit on one side only is never lost, and a field never goes both ways.
        #[test]
        fn no_edit_is_lost(a in prints(), g in prints(), base in prints()) {
            let merged = plain(&known_from(a, g, base), Flow::BothWays);
            prop_assert!(merged.to_google.is_disjoint(&merged.to_advoware));
            for field in a.differing(&base).difference(&g.differing(&base)) {
                prop_assert!(merged.to_google.contains(field));
            }
            for field in g.differing(&base).difference(&a.differing(&base)) {
                prop_assert!(merged.to_advoware.contains(field));
            }
            let both = g.with(&merged.to_google, &a);
            prop_assert_eq!(both, a.with(&merged.to_advoware, &g));
        }

        /// Nothing is written to Advoware that may not be.
        #[test]
        fn what_is_closed_stays_closed(a in prints(), g in prints(), base in prints()) {
            for flow in [Flow::ToGoogle, Flow::Withheld] {
                prop_assert!(plain(&known_from(a, g, base), flow).to_advoware.is_empty());
            }
        }
    }

    fn bases() -> impl Strategy<Value = Option<Base>> {
        prop_oneof![
            Just(None),
            Just(Some(Base::GoogleUnchanged)),
            Just(Some(Base::AdvowareUnchanged)),
            (prints(), prints()).prop_map(|(advoware, google)| Some(Base::Known { advoware, google })),
        ]
    }

    fn known_from(advoware: Prints, google: Prints, base: Prints) -> Sides {
        Sides { advoware, google, base: Some(Base::Known { advoware: base, google: base }) }
    }
}
