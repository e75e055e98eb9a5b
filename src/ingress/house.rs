//! All connections of a process: how many there may be, and which of them has to go when one too many comes.
//!
//! A connection *owes* while it is the client's turn: until its request is complete, and again once it is answered. Whoever sends
//! slowly, or nothing, owes for long; a request that is here and being worked on owes nothing. In a full house the one that has owed
//! longest makes room. So any number of slow connections, from any number of addresses, cannot keep a webhook out that
//! comes whole, and sending a byte now and then helps nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::telemetry::Hush;

/// How many connections there are at most.
const CONNECTIONS: usize = 1_024;
/// File descriptors for all else: Redis, upstreams, files.
const RESERVED: usize = 256;
/// Fewer connections than this make no sense.
const FEWEST: usize = 16;
/// One place in so many is kept free, so that who comes next need not wait until another has gone.
const SPARE: usize = 64;
/// How often a full house in which nobody owes anything is looked at again.
const LOOK: Duration = Duration::from_millis(10);

/// All connections.
pub(super) struct House {
    places: Arc<Semaphore>,
    spare: usize,
    owing: Mutex<Owing>,
    full: Hush,
}

/// Who owes, in the order in which they began to.
#[derive(Default)]
struct Owing {
    turns: u64,
    queue: BTreeMap<u64, CancellationToken>,
}

/// One connection and its place, which is free again when this is dropped.
pub(super) struct Guest {
    house: Arc<House>,
    turn: Mutex<Option<u64>>,
    /// Told to go.
    pub(super) leave: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Guest {
    /// It is the client's turn from now on.
    pub(super) fn owes(&self) {
        let (mut turn, mut owing) = (self.turn(), self.house.owing());
        if let Some(turn) = *turn {
            owing.queue.remove(&turn);
        }
        owing.turns += 1;
        let now = owing.turns;
        owing.queue.insert(now, self.leave.clone());
        *turn = Some(now);
    }

    /// It is our turn.
    pub(super) fn owes_nothing(&self) {
        if let Some(turn) = self.turn().take() {
            self.house.owing().queue.remove(&turn);
        }
    }

    fn turn(&self) -> MutexGuard<'_, Option<u64>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.owes_nothing();
    }
}

impl House {
    /// A house for so many connections.
    pub(super) fn new(places: usize) -> Arc<Self> {
        let owing = Mutex::default();
        Arc::new(Self { places: Arc::new(Semaphore::new(places)), spare: places / SPARE, owing, full: Hush::default() })
    }

    /// A place for one more, which may cost another its own.
    pub(super) async fn enter(self: &Arc<Self>) -> Arc<Guest> {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                break permit;
            }
            self.make_room();
            if let Ok(Ok(permit)) = tokio::time::timeout(LOOK, Arc::clone(&self.places).acquire_owned()).await {
                break permit;
            }
        };
        if self.places.available_permits() < self.spare {
            self.make_room();
        }
        let (house, turn, leave) = (Arc::clone(self), Mutex::default(), CancellationToken::new());
        let guest = Guest { house, turn, leave, _permit: permit };
        guest.owes();
        Arc::new(guest)
    }

    /// The one that has owed longest has to go; nobody, where nobody owes anything.
    pub(super) fn make_room(&self) {
        let Some((_, leave)) = self.owing().queue.pop_first() else { return };
        leave.cancel();
        metrics::counter!("advosync_http_shed_connections_total").increment(1);
        if let Some(unsaid) = self.full.may_speak(Instant::now()) {
            tracing::warn!(unsaid, "all connections are taken, those that wait longest for their client are closed");
        }
    }

    fn owing(&self) -> MutexGuard<'_, Owing> {
        self.owing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many connections this process can have: fewer than usual where it may not open so many files.
pub(super) fn places() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let places = fitting(&limits);
    if places < CONNECTIONS {
        tracing::info!(places, "fewer connections than usual, because this process may not open more files");
    }
    places
}

/// Reads the soft limit of open files out of `/proc/self/limits`.
fn fitting(limits: &str) -> usize {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    // Not a number: "unlimited", or no such file.
    soft.map_or(CONNECTIONS, |soft| soft.saturating_sub(RESERVED).clamp(FEWEST, CONNECTIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_more(house: &Arc<House>) -> tokio::task::JoinHandle<Arc<Guest>> {
        let house = Arc::clone(house);
        tokio::spawn(async move { house.enter().await })
    }

    #[tokio::test]
    async fn whoever_has_owed_longest_makes_room() {
        let house = House::new(3);
        let worked_on = house.enter().await;
        worked_on.owes_nothing();
        let (first, second) = (house.enter().await, house.enter().await);
        let waiting = one_more(&house);
        first.leave.cancelled().await;
        drop(first);
        let third = waiting.await.unwrap();
        // An answer makes it the client's turn anew.
        second.owes();
        let waiting = one_more(&house);
        third.leave.cancelled().await;
        drop(third);
        let fourth = waiting.await.unwrap();
        drop(fourth);
        assert!(!second.leave.is_cancelled() && !worked_on.leave.is_cancelled());
        assert_eq!(house.owing().queue.len(), 1, "whoever has left is forgotten");
    }

    #[tokio::test]
    async fn where_nobody_owes_anything_the_next_one_waits() {
        let house = House::new(1);
        let place = house.enter().await;
        place.owes_nothing();
        let mut waiting = Box::pin(house.enter());
        assert!(futures::poll!(&mut waiting).is_pending());
        assert!(!place.leave.is_cancelled());
        drop(place);
        waiting.await;
    }

    #[test]
    fn the_limit_of_open_files_is_kept() {
        let check = |limits: &str, expected: usize| assert_eq!(fitting(limits), expected, "{limits}");
        check("Limit  Soft Limit\nMax open files            1024                 524288               files\n", 768);
        check("Max open files            20000                20000                files", 1_024);
        check("Max open files            100                  100                  files", 16);
        check("Max open files            unlimited            unlimited            files", 1_024);
        check("", 1_024);
        assert!(places() >= FEWEST);
    }
}
