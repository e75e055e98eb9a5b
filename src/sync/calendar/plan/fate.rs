//! What has become of a pair: the table of `docs/calendar.md`, "Planning" (C1, C2, C3, C6).

/// What is known of a pair's Termin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Termin {
    /// It is listed, or was found by its number.
    There {
        /// It differs from the last agreement.
        changed: bool,
        /// Who may delete it.
        standing: Standing,
    },
    /// It is there, but belongs to other employees only.
    Elsewhere,
    /// Advoware says that there is none with its number.
    Gone,
    /// It is not listed although its days are in the window, and was not asked for yet.
    Missing,
    /// It is not listed, and its days are outside of the window.
    Outside,
}

/// Whether the deletion of one employee's event may delete a Termin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The employee's alone.
    Own,
    /// Listed for others, too (C6), generated, or shown in an anonymised calendar (C3).
    NotOurs,
}

/// What is known of a pair's counterpart at Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// It is there.
    There {
        /// It differs from the last agreement.
        changed: bool,
    },
    /// Google says that there is none with its id, or that it is cancelled.
    Gone,
    /// It is not in the calendar any more, and was not asked for yet.
    Missing,
    /// An instance outside of the window, for which nobody looked.
    Outside,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Leave,
    /// Ask Advoware for the Termin by its number, then decide again.
    AskTermin,
    /// Ask Google for the counterpart by its id, then decide again.
    AskItem,
    /// Both are there: merge by field.
    Merge,
    /// The Termin is gone: so goes the event.
    DeleteEvent,
    /// The event is gone: so goes the Termin.
    DeleteTermin,
    /// The Termin is gone, but somebody has edited the event since: a new Termin (an edit beats a delete).
    NewTermin,
    /// The event is gone, but it may not be, or somebody has edited the Termin since: it comes back.
    ComesBack,
    /// Both are gone: the pair ends.
    End,
}

/// Decides. `flows_back` is whether edits at Google may reach Advoware at all (not where the calendar or the event is
/// anonymised, or the Termin was generated): where they may not, an edited event has nothing to win.
#[must_use]
pub const fn decide(termin: Termin, item: Item, flows_back: bool) -> Fate {
    match (termin, item) {
        (Termin::There { .. }, Item::There { .. }) => Fate::Merge,
        (Termin::There { changed, standing }, Item::Gone) => match standing {
            Standing::Own if !changed && flows_back => Fate::DeleteTermin,
            _ => Fate::ComesBack,
        },
        // An instance that left the window stays as it is (C2), whatever list still holds its Termin. Likewise a Termin
        // outside of it: whatever became of its counterpart, nothing follows from it, so nobody is asked, either.
        (Termin::There { .. } | Termin::Elsewhere, Item::Outside)
        | (Termin::Outside, Item::Outside | Item::Gone | Item::Missing) => Fate::Leave,
        (Termin::Outside, Item::There { changed }) => {
            if changed {
                Fate::AskTermin
            } else {
                Fate::Leave
            }
        }
        (Termin::Elsewhere, Item::There { changed }) => {
            // The edit goes to the Termin first; the next run finds nothing changed and takes the event away.
            if changed && flows_back { Fate::Merge } else { Fate::DeleteEvent }
        }
        (Termin::Gone, Item::There { changed }) => {
            if changed && flows_back {
                Fate::NewTermin
            } else {
                Fate::DeleteEvent
            }
        }
        (Termin::Gone | Termin::Elsewhere, Item::Gone) => Fate::End,
        (Termin::Missing, _) => Fate::AskTermin,
        (_, Item::Missing) | (Termin::Gone, Item::Outside) => Fate::AskItem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINE: [Termin; 8] = [
        there(false, Standing::Own),
        there(true, Standing::Own),
        there(false, Standing::NotOurs),
        there(true, Standing::NotOurs),
        Termin::Elsewhere,
        Termin::Gone,
        Termin::Missing,
        Termin::Outside,
    ];
    const ITEMS: [Item; 5] =
        [Item::There { changed: false }, Item::There { changed: true }, Item::Gone, Item::Missing, Item::Outside];

    const fn there(changed: bool, standing: Standing) -> Termin {
        Termin::There { changed, standing }
    }

    #[test]
    fn the_table() {
        let check = |termin, item, expected| assert_eq!(decide(termin, item, true), expected, "{termin:?} {item:?}");
        let (same, edited) = (Item::There { changed: false }, Item::There { changed: true });
        check(there(true, Standing::Own), edited, Fate::Merge);
        check(there(false, Standing::Own), Item::Gone, Fate::DeleteTermin);
        check(there(true, Standing::Own), Item::Gone, Fate::ComesBack);
        check(there(false, Standing::NotOurs), Item::Gone, Fate::ComesBack);
        check(Termin::Gone, same, Fate::DeleteEvent);
        check(Termin::Gone, edited, Fate::NewTermin);
        check(Termin::Gone, Item::Gone, Fate::End);
        check(Termin::Elsewhere, same, Fate::DeleteEvent);
        check(Termin::Elsewhere, edited, Fate::Merge);
        check(Termin::Outside, same, Fate::Leave);
        check(Termin::Outside, edited, Fate::AskTermin);
        check(Termin::Outside, Item::Missing, Fate::Leave);
        check(Termin::Missing, same, Fate::AskTermin);
        check(there(false, Standing::Own), Item::Missing, Fate::AskItem);
    }

    #[test]
    fn nothing_is_deleted_without_proof_or_against_an_edit() {
        for termin in TERMINE {
            for item in ITEMS {
                for flows_back in [true, false] {
                    let fate = decide(termin, item, flows_back);
                    let told = format!("{termin:?} {item:?} {flows_back}: {fate:?}");
                    if fate == Fate::DeleteTermin {
                        assert_eq!(
                            (termin, item, flows_back),
                            (there(false, Standing::Own), Item::Gone, true),
                            "{told}"
                        );
                    }
                    if fate == Fate::DeleteEvent {
                        assert!(matches!(termin, Termin::Gone | Termin::Elsewhere), "{told}");
                        assert!(!flows_back || item == Item::There { changed: false }, "{told}");
                    }
                    if fate == Fate::NewTermin {
                        assert!(flows_back && termin == Termin::Gone, "{told}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_question_is_asked_once() {
        for item in ITEMS {
            for termin in TERMINE.into_iter().filter(|it| *it != Termin::Missing && *it != Termin::Outside) {
                assert_ne!(decide(termin, item, true), Fate::AskTermin, "{termin:?} {item:?}");
            }
        }
        for termin in TERMINE {
            for item in ITEMS.into_iter().filter(|it| !matches!(it, Item::Missing | Item::Outside)) {
                assert_ne!(decide(termin, item, true), Fate::AskItem, "{termin:?} {item:?}");
            }
        }
    }
}
