//! Whether Redis still has the data that this process knew: an emptied, exchanged or rolled back Redis answers like any
//! other.
//!
//! The marker of the layout names a generation and counts beats; each process raises the beat every few seconds and
//! remembers the number that it got (`migrations/0002_layout.lua`). What Redis lost between two beats of all processes
//! goes unnoticed. Noticing is all that happens here; what follows from a loss is the caller's business.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Queue;
use super::error::QueueError;
use super::functions::Call;
use super::keys::GROUP;
use super::topic::{Flow, Lane};

/// What a process knew of the data in Redis when it last looked. To be kept, also over a restart of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The generation of the data.
    generation: String,
    /// How often these data were found to be rolled back.
    losses: u64,
    /// Who raised the beat.
    witness: String,
    /// The number that it got.
    beat: u64,
}

/// How data were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Other data than those that were known: a FLUSHALL, a lost disk, another server.
    Emptied,
    /// An older state: a backup that was put back, a failover to a replica that lagged, a file that was cut.
    RolledBack,
}

impl Loss {
    /// The word in Redis, in logs and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emptied => "emptied",
            Self::RolledBack => "rolled_back",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Emptied, Self::RolledBack].into_iter().find(|loss| loss.name() == name)
    }
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// The data that were known, or the first that are.
    Same(Seen),
    /// Data were lost. Nobody has admitted that yet ([`Queue::admit`]).
    Lost(Loss),
    /// There is no layout: [`Queue::prepare`] sets it up.
    Bare,
}

/// What the function `look` answers: verdict, beat, how many groups were made, marker.
type Answer = (String, u64, u64, HashMap<String, String>);

impl Queue {
    /// Compares the data with what was seen before (`None`: nothing is known, so nothing can be lost), raises the beat in
    /// the name of `me`, which must be unique to this process, and makes sure that the groups exist. One call.
    ///
    /// # Errors
    /// `Layout` where the layout does not serve this binary any more.
    pub async fn look(&self, me: &str, seen: Option<&Seen>) -> Result<Looked, QueueError> {
        let streams = Flow::ALL.into_iter().flat_map(|flow| Lane::ALL.map(|lane| self.keys.stream(flow, lane)));
        let known = seen.map_or_else(Default::default, |seen| {
            [seen.generation.clone(), seen.losses.to_string(), seen.witness.clone(), seen.beat.to_string()]
        });
        let fresh = uuid::Uuid::new_v4().to_string();
        let (verdict, beat, made, marker): Answer = Call::new("look")
            .keys([self.keys.layout(), self.keys.beats()])
            .keys(streams)
            .args([GROUP, me, &fresh])
            .args(known)
            .run_twice(&self.control)
            .await?;
        if verdict == "missing" {
            return Ok(Looked::Bare);
        }
        self.refuse_foreign(&marker)?;
        if made > 0 {
            tracing::info!(made, "groups of job streams were missing in redis and were made");
        }
        Ok(match Loss::parse(&verdict) {
            Some(loss) => Looked::Lost(loss),
            None => Looked::Same(Seen {
                generation: marker.get("generation").cloned().unwrap_or_default(),
                losses: marker.get("losses").and_then(|losses| losses.parse().ok()).unwrap_or(0),
                witness: me.to_owned(),
                beat,
            }),
        })
    }

    /// Tells everybody that the data which were seen are lost and that what has to follow was done: no look finds this
    /// loss again.
    pub async fn admit(&self, seen: &Seen, loss: Loss) -> Result<(), QueueError> {
        let _: i64 = Call::new("admit")
            .key(self.keys.layout())
            .args([loss.name(), &seen.generation, &seen.losses.to_string()])
            .run(&self.control)
            .await?;
        Ok(())
    }

    /// The last loss that was admitted, and when.
    pub async fn last_loss(&self) -> Result<Option<(Loss, DateTime<Utc>)>, QueueError> {
        let (how, at): (Option<String>, Option<i64>) = self
            .control
            .query_twice(redis::cmd("HMGET").arg(self.keys.layout()).arg("lost_how").arg("lost_at"))
            .await?;
        let loss = how.as_deref().and_then(Loss::parse);
        Ok(loss.zip(at.and_then(DateTime::from_timestamp_millis)))
    }
}
