//! The effects of a record's run, each with its name. `docs/record.md` is written from this list, and the crash matrix
//! (`tests/it/record/matrix`) kills the program before and after each.
//!
//! What stands at a name: what was done before it, and why a crash right before it, or right after it, harms nothing.

use std::future::Future;
use std::path::PathBuf;

/// Defines the names, so that none can be missing in [`Boundary::ALL`].
macro_rules! boundaries {
    ($($(#[doc = $doc:literal])+ $name:ident: $where:ident,)+) => {
        /// One effect of a run. Before it and after it the program may die.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Boundary {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Boundary {
            /// All of them, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// Where the effect is.
            #[must_use]
            pub const fn place(self) -> Place {
                match self {
                    $(Self::$name => Place::$where,)+
                }
            }
        }
    };
}

/// Where an effect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In Advoware: its answer may be lost.
    Advoware,
    /// In EspoCRM: its answer may be lost.
    Espocrm,
    /// In Redis.
    Redis,
}

boundaries! {
    /// Nothing was sent yet. Before: the next run begins anew. After: the intent says that a POST may have been sent, so
    /// the next run waits for the quiet time and looks.
    IntentStored: Redis,
    /// The intent is stored. After the quiet time the next run searches for what was sent: it adopts the party that is
    /// new, or sends again where there is none.
    PartyPosted: Advoware,
    /// Advoware has refused the POST for certain. With the intent still there the next run only waits for nothing; it
    /// finds no party and sends again.
    IntentWithdrawn: Redis,
    /// The search after the quiet time has found nothing, and the record has another name by now. The intent is still
    /// there, or is not: either way the next run searches by the new name before it sends.
    IntentOutdated: Redis,
    /// The answer to the POST had a number, and nothing more was to be learnt. Before: as after the POST. After: the next
    /// run compares with what was sent.
    NumberStored: Redis,
    /// Advoware has answered the POST. Before: as after the POST. After: the ledger knows the number, which counts where
    /// EspoCRM shows none.
    CreateStored: Redis,
    /// The pair is stored. The next run compares, finds the record not clean and writes the same.
    CreateTold: Espocrm,
    /// A free party with equal search keys was found. Nothing was written yet, so the next run finds it again.
    LinkStored: Redis,
    /// The pair is stored with both sides as they were found. The next run writes the sync fields.
    LinkTold: Espocrm,
    /// The party of an interrupted create was found. The intent stays until the pair is stored; both at once.
    AdoptionStored: Redis,
    /// A PUT is about to overwrite a value that nobody has agreed on. Before: nothing was written. After: the ledger owes
    /// the note, whatever becomes of the PUT.
    NoteOwed: Redis,
    /// A record without a known pair is about to write to the party whose number it shows. Before: nothing was written.
    /// After: the number is its own, so no other record that shows it writes to that party.
    NumberClaimed: Redis,
    /// The number belongs to a record that is gone in EspoCRM and whose pair has not ended yet. Before: the next run finds
    /// the same. After: that record's run ends its pair, and this one is done again.
    OwnerAsked: Redis,
    /// Both sides were read. The next run reads again: written, it finds equal sides; not written, it sends the same.
    PartyPut: Advoware,
    /// Advoware has what it gets. Before: the next run finds both sides equal and agrees on that. After: it finds the
    /// status to be written.
    PutStored: Redis,
    /// Nothing goes to Advoware, and its version or what both sides agree on is news. The next run finds the same.
    AgreementStored: Redis,
    /// The ledger knows what Advoware has, and not yet what comes from there. The next run merges again: written, both
    /// sides are equal.
    RecordUpdated: Espocrm,
    /// EspoCRM has what it gets. Before: the next run finds both sides equal and agrees on that.
    UpdateStored: Redis,
    /// An update of either side has had no answer and may still be under way. Before: the next run does not wait for it.
    /// After: it waits for the quiet time, then it reads what came of it.
    UnheardStored: Redis,
    /// All values are where they belong, the ledger owes the note. A note cannot be asked for, so after a crash it is
    /// written again: at least once.
    NoteWritten: Espocrm,
    /// The note is written. Before: it is written once more. After: the next run owes nothing, or only the message.
    NotePaid: Redis,
    /// The note is paid, and the ledger owes the message to whoever the record is assigned to. Like the note it cannot be
    /// asked for: at least once.
    MessageSent: Espocrm,
    /// The message is sent. Before: it is sent once more. After: the next run owes nothing.
    MessagePaid: Redis,
    /// The party is gone and a person has cleared the number. Before: the next run sees the same. After: the record has
    /// no counterpart, and gets one.
    PairCleared: Redis,
    /// EspoCRM's record is gone and the mapping deletes. The pair is still there, so the next run deletes again; that it
    /// is gone already is as good.
    PartyDeleted: Advoware,
    /// EspoCRM's record is gone and its party stays, and a record with the same name has another one. The pair is still
    /// there, so the next run writes the note again: at least once.
    NamesakeTold: Espocrm,
    /// EspoCRM's record is gone. Before: the next run ends the pair. After: it finds nothing to do.
    PairDissolved: Redis,
    /// The run has succeeded. A fingerprint that stays would only take a webhook of a failed record for an echo, and the
    /// record is not failed any more; the next failure replaces it.
    FailureForgotten: Redis,
    /// The run has succeeded. Trials that stay are dropped by the next sweep, after an hour.
    TrialsForgotten: Redis,
    /// The run has succeeded. Without the mark, or with only one of its two, a sweep looks once more.
    LookMarked: Redis,
    /// The record is gone. With the mark a sweep asks for a run, which finds nothing and drops the mark.
    LookEnded: Redis,
    /// The run has succeeded and counts what nobody had announced. A crash before it loses one count.
    DriftCounted: Redis,
    /// The run has failed. Before: the next run is the same attempt. After: the echo of a report that was never written
    /// does not come.
    FailureRemembered: Redis,
    /// The run has failed for good. Without it trials begin when the next sweep sees the record.
    TrialsBegun: Redis,
    /// The failure is remembered. The job is still with the worker that died, so it runs once more as the same attempt
    /// and writes the same. The echo of the report is taken for one only if a retry or a dead letter is stored.
    FailureTold: Espocrm,
    /// The record says that it has failed for good. With the mark a sweep would look once more.
    LookDropped: Redis,
    /// The record says that it has failed for good. The job runs once more and fails again: the note comes at least once.
    FailureNoted: Espocrm,
    /// The note is written. The job runs once more and fails again: note and message come at least once.
    FailureMessaged: Espocrm,
    /// A sweep has seen records that failed for good and of which nothing was known. Their time begins now or with the
    /// next sweep.
    TrialsSeen: Redis,
    /// A sweep has found trials due. Before: the next sweep finds them. After: counted and not made, which costs the
    /// record one and never gives it two a day.
    TrialsCounted: Redis,
    /// Trials are counted. Before: as after counting. After: they are queued, and a second sweep finds none due.
    TrialsQueued: Redis,
    /// A sweep has seen all records that failed for good. What is outdated is found again.
    TrialsOutdated: Redis,
}

/// Stops of the crash matrix. Only in builds with debug assertions, and only where the environment names a folder
/// ([`crate::settings::halts`]): a run that reaches a boundary for which a file lies there renames the file, so that the test
/// learns of it, and stands still until the process is killed. A stop in the process is needed, because nothing outside sees
/// the moment between two writes to Redis; that many runs stand at their stops in one process keeps the matrix cheap.
#[derive(Debug, Clone, Default)]
pub struct Halts {
    folder: Option<PathBuf>,
}

impl Halts {
    /// Stops at what lies in this folder: files `<key of the job>.<boundary>.<before or after>`.
    #[must_use]
    pub fn in_folder(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Lets an effect happen, with a stop before and after it.
    pub(super) fn at<'a, T: Send>(
        &'a self,
        boundary: Boundary,
        key: &'a str,
        effect: impl Future<Output = T> + Send + 'a,
    ) -> impl Future<Output = T> + Send + 'a {
        // Each layer of futures would hold the effect's once more.
        let effect = Box::pin(effect);
        async move {
            self.pass(boundary, key, "before").await;
            let done = effect.await;
            self.pass(boundary, key, "after").await;
            done
        }
    }

    async fn pass(&self, boundary: Boundary, key: &str, side: &str) {
        if cfg!(debug_assertions)
            && let Some(folder) = &self.folder
        {
            let stop = folder.join(format!("{key}.{}.{side}", boundary.name()));
            if std::fs::rename(&stop, stop.with_extension(format!("{side}.reached"))).is_ok() {
                std::future::pending::<()>().await;
            }
        }
    }
}
