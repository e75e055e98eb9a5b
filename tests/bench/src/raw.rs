//! Plain Redis Streams: no lock, no de-duplication, no handler. What everything else is measured against.
//!
//! The drain is one blocking connection of the redis crate (an asynchronous one is no faster, Redis is the limit), and
//! the acknowledgement of a batch goes with the read of the next one. Entries are read into the types that the
//! product's own reader makes of them.

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use redis::{Commands as _, Connection, Pipeline};

use crate::child;
use crate::jobs::{self, SOURCE, STREAM, TOPIC};

/// Entries in one read, and so in one acknowledgement; the product finishes as many at once.
const BATCH: usize = 100;
/// The group that reads.
pub(crate) const GROUP: &str = "workers";

/// An entry as it is read.
type Entry = (String, Vec<(Vec<u8>, Vec<u8>)>);
/// What XREADGROUP answers.
pub(crate) type Read = Option<Vec<(String, Vec<Entry>)>>;

/// A stream with its group.
pub(crate) async fn prepare(conn: &mut MultiplexedConnection) -> Result<()> {
    Ok(redis::cmd("XGROUP").arg("CREATE").arg(STREAM).arg(GROUP).arg("0").arg("MKSTREAM").query_async(conn).await?)
}

/// One command that adds an entry with a job's fields.
pub(crate) fn xadd(pipe: &mut Pipeline, key: &str, traceparent: &str) {
    pipe.cmd("XADD").arg(STREAM).arg("*");
    for (name, value) in [("topic", TOPIC), ("key", key), ("source", SOURCE), ("traceparent", traceparent)] {
        pipe.arg(name).arg(value);
    }
}

/// Adds this many entries, a thousand in one pipeline.
pub(crate) async fn fill(conn: &mut MultiplexedConnection, jobs: u64) -> Result<()> {
    for (n, keys) in (0..).zip(jobs::batches(jobs, 1_000)) {
        let (mut pipe, trace) = (redis::pipe(), jobs::traceparent(n));
        keys.iter().for_each(|key| xadd(&mut pipe, key, &trace));
        let _: Vec<String> = pipe.query_async(conn).await?;
    }
    Ok(())
}

/// In a child process: reads and acknowledges until nothing is left.
pub(crate) async fn drain(url: String) -> Result<()> {
    let mut commands = child::commands();
    let mut conn = redis::Client::open(url)?.get_connection()?;
    let _: String = conn.ping()?;
    if child::wait_for_go(&mut commands).await? {
        tokio::task::spawn_blocking(move || read_all(&mut conn)).await??;
        child::wait_for_stop(&mut commands).await?;
    }
    Ok(())
}

fn read_all(conn: &mut Connection) -> Result<()> {
    let mut last: Vec<String> = Vec::new();
    loop {
        // The last batch goes with the next read: one round for a hundred entries.
        let mut pipe = redis::pipe();
        if !last.is_empty() {
            pipe.cmd("XACK").arg(STREAM).arg(GROUP).arg(&last).ignore();
            pipe.cmd("XDEL").arg(STREAM).arg(&last).ignore();
        }
        pipe.cmd("XREADGROUP").arg("GROUP").arg(GROUP).arg("raw").arg("COUNT").arg(BATCH);
        pipe.arg("STREAMS").arg(STREAM).arg(">");
        let (read,): (Read,) = pipe.query(conn)?;
        last = read.into_iter().flatten().flat_map(|(_, entries)| entries).map(|(id, _)| id).collect();
        if last.is_empty() {
            return Ok(());
        }
    }
}
