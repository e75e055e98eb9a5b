//! Replaying dead letters (Q8): page by page, so that Redis is never held up for long however many there are.

use chrono::{DateTime, Utc};

use super::Queue;
use super::dead::{check_id, id_of};
use super::error::QueueError;
use super::functions::Call;
use super::topic::{Flow, Lane};

/// As many ids go in one call.
const IDS_AT_ONCE: usize = 500;

/// Which dead letters are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These entries.
    Ids(Vec<String>),
    /// All of a flow.
    All,
    /// Those of one topic.
    Topic(String),
    /// Those buried since then.
    Since(DateTime<Utc>),
    /// Those from one id to another, both included. Half an id, which is a time in ms since the epoch, stands for all
    /// letters of that millisecond. `None`: from the oldest, to the newest.
    Range {
        /// The first.
        from: Option<String>,
        /// The last.
        to: Option<String>,
    },
}

/// What became of letters that were to be replayed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Back on their stream, at attempt 0.
    pub replayed: usize,
    /// Left: a job for the same key is queued already, and its success will resolve them.
    pub waiting: usize,
    /// Left: they name no topic or no key, so they are no jobs.
    pub nameless: usize,
    /// Looked at, those of other topics included.
    pub seen: usize,
}

impl std::ops::AddAssign for Replayed {
    fn add_assign(&mut self, more: Self) {
        self.replayed += more.replayed;
        self.waiting += more.waiting;
        self.nameless += more.nameless;
        self.seen += more.seen;
    }
}

/// A replay under way. Letters that are buried after it began are left alone, or one whose cause is not mended would be
/// replayed again and again.
pub struct Replay {
    queue: Queue,
    flow: Flow,
    entities: Vec<String>,
    letters: u64,
    rest: Rest,
}

/// What is still to be done.
enum Rest {
    Ids(Vec<String>),
    Range { from: String, to: String, topic: String },
    Nothing,
}

impl Queue {
    /// Puts dead letters back on their stream, at attempt 0. Answers how many.
    pub async fn replay(&self, flow: Flow, which: &Selection, entities: &[String]) -> Result<usize, QueueError> {
        let mut replay = self.begin_replay(flow, which, entities).await?;
        let mut all = Replayed::default();
        while let Some(some) = replay.step().await? {
            all += some;
        }
        Ok(all.replayed)
    }

    /// A replay that goes on with each [`Replay::step`].
    pub async fn begin_replay(&self, flow: Flow, which: &Selection, entities: &[String]) -> Result<Replay, QueueError> {
        let key = self.keys.dead(flow);
        let letters: u64 = self.control.query(redis::cmd("XLEN").arg(&key)).await?;
        let rest = match which {
            Selection::Ids(ids) => {
                ids.iter().try_for_each(|id| check_id(id))?;
                Rest::Ids(ids.clone())
            }
            Selection::All => self.range(flow, None, None, "").await?,
            Selection::Topic(topic) => self.range(flow, None, None, topic).await?,
            Selection::Since(when) => self.range(flow, Some(when.timestamp_millis().to_string()), None, "").await?,
            Selection::Range { from, to } => {
                check_range(from.as_deref(), to.as_deref())?;
                self.range(flow, from.clone(), to.clone(), "").await?
            }
        };
        Ok(Replay { queue: self.clone(), flow, entities: entities.to_vec(), letters, rest })
    }

    /// From one id to another, but not beyond the newest that there is now.
    async fn range(
        &self,
        flow: Flow,
        from: Option<String>,
        to: Option<String>,
        topic: &str,
    ) -> Result<Rest, QueueError> {
        let Some(last) = self.dead_letters(flow, 1).await?.pop() else { return Ok(Rest::Nothing) };
        let to = to.filter(|to| id_of(to, u64::MAX) < id_of(&last.id, u64::MAX)).unwrap_or(last.id);
        Ok(Rest::Range { from: from.unwrap_or_else(|| "-".to_owned()), to, topic: topic.to_owned() })
    }
}

impl Replay {
    /// How many dead letters the flow had when this began: no more than these are looked at.
    #[must_use]
    pub const fn letters(&self) -> u64 {
        self.letters
    }

    /// Goes on for some milliseconds of Redis' time. `None`: it is done.
    pub async fn step(&mut self) -> Result<Option<Replayed>, QueueError> {
        let args = match &self.rest {
            Rest::Nothing => return Ok(None),
            Rest::Ids(ids) if ids.is_empty() => return Ok(None),
            Rest::Ids(ids) => {
                let some = ids.iter().take(IDS_AT_ONCE).cloned();
                std::iter::once("ids".to_owned()).chain(some).collect()
            }
            Rest::Range { from, to, topic } => vec!["range".to_owned(), from.clone(), to.clone(), topic.clone()],
        };
        let keys = &self.queue.keys;
        let (replayed, waiting, nameless, seen, on): (usize, usize, usize, usize, String) =
            Call::named("advosync_replay_page")
                .key(keys.dead(self.flow))
                .keys(Lane::ALL.map(|lane| keys.stream(self.flow, lane)))
                .keys([keys.dead_open(self.flow), keys.dead_resolved(self.flow)])
                .keys(keys.pending_sets(self.flow, &self.entities))
                .args(args)
                .run(&self.queue.bulk)
                .await?;
        match &mut self.rest {
            Rest::Ids(ids) => drop(ids.drain(..ids.len().min(IDS_AT_ONCE))),
            Rest::Range { from, .. } if !on.is_empty() => *from = on,
            rest => *rest = Rest::Nothing,
        }
        Ok(Some(Replayed { replayed, waiting, nameless, seen }))
    }
}

fn check_range(from: Option<&str>, to: Option<&str>) -> Result<(), QueueError> {
    if let Some(bound) = [from, to].into_iter().flatten().find(|bound| id_of(bound, 0).is_none()) {
        return Err(QueueError::Asked(format!(
            "{bound:?} is no id of a dead letter, nor the first half of one; `advosync dead list` shows them (such as \
             1767225600000-0)"
        )));
    }
    if let (Some(from), Some(to)) = (from, to)
        && id_of(from, 0) > id_of(to, u64::MAX)
    {
        return Err(QueueError::Asked(format!("nothing lies from {from} to {to}: the older id comes first")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_ids_the_older_one_first() {
        let check = |from: Option<&str>, to: Option<&str>, good: bool| {
            assert_eq!(check_range(from, to).is_ok(), good, "{from:?} {to:?}");
        };
        check(None, None, true);
        check(Some("1767225600000-0"), None, true);
        check(Some("1767225600000"), Some("1767225600000"), true);
        check(Some("1767225600000-5"), Some("1767225600000"), true);
        check(Some("9-0"), Some("10-0"), true);
        check(Some("10-0"), Some("9-9"), false);
        check(Some("1767225600000-10"), Some("1767225600000-9"), false);
        for odd in ["", "-", "+", "(1-0", "1-", "-1", "1-0-0", "1 ", "x"] {
            check(Some(odd), None, false);
            check(None, Some(odd), false);
        }
    }
}
