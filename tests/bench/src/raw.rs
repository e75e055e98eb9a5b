//! Plain Redis Streams: no lock, no de-duplication, no handler. What everything else is measured against.
//!
//! The drain is one blocking connection of the redis crate (an asynchronous one is no faster, Redis is the limit), and
//! the acknowledgement of a batch goes with the read of the next one: an XACK and an XDEL for each entry in one pipeline,
//! as consumers do it, or, for a second comparison, one of each with all ids. Entries are read into the types that the
//! product's own reader makes of them.

use std::sync::Arc;

use anyhow::Result;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Connection, TypedCommands};

use crate::child;
use crate::jobs::{SOURCE, STREAM, TOPIC};
use crate::stamps::Stamps;

/// Entries in one read, and so in one acknowledgement; the product finishes as many at once.
pub(crate) const BATCH: usize = 100;
/// The group that reads.
pub(crate) const GROUP: &str = "workers";

/// An entry as it is read.
type Entry = (String, Vec<(Vec<u8>, Vec<u8>)>);
/// What XREADGROUP answers.
pub(crate) type Read = Option<Vec<(String, Vec<Entry>)>>;

/// A stream with its group. Where the ingress runs, it may have made both already.
pub(crate) async fn prepare(conn: &mut MultiplexedConnection) -> Result<()> {
    let mut cmd = redis::cmd("XGROUP");
    let made = cmd.arg("CREATE").arg(STREAM).arg(GROUP).arg("0").arg("MKSTREAM").query_async(conn).await;
    match made {
        Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
        made => Ok(made?),
    }
}

/// Adds entries with a job's fields: one by one command, several in one pipeline.
pub(crate) async fn add(conn: &mut MultiplexedConnection, keys: &[String], traceparent: &str) -> Result<()> {
    if let [key] = keys {
        let _: String = xadd(key, traceparent).query_async(conn).await?;
    } else {
        let mut pipe = redis::pipe();
        for key in keys {
            pipe.add_command(xadd(key, traceparent));
        }
        let _: Vec<String> = pipe.query_async(conn).await?;
    }
    Ok(())
}

fn xadd(key: &str, traceparent: &str) -> Cmd {
    let mut cmd = redis::cmd("XADD");
    cmd.arg(STREAM).arg("*");
    for (name, value) in [("topic", TOPIC), ("key", key), ("source", SOURCE), ("traceparent", traceparent)] {
        cmd.arg(name).arg(value);
    }
    cmd
}

/// In a child process: reads and acknowledges until nothing is left.
pub(crate) async fn drain(url: String, variadic: bool) -> Result<()> {
    let mut commands = child::commands();
    let mut conn = redis::Client::open(url)?.get_connection()?;
    let _pong = conn.ping()?;
    if child::wait_for_go(&mut commands).await? {
        tokio::task::spawn_blocking(move || read_all(&mut conn, variadic)).await??;
        child::wait_for_stop(&mut commands).await?;
    }
    Ok(())
}

fn read_all(conn: &mut Connection, variadic: bool) -> Result<()> {
    let mut last: Vec<String> = Vec::new();
    loop {
        // The last batch goes with the next read: one round for a hundred entries.
        let mut pipe = redis::pipe();
        for ids in last.chunks(if variadic { BATCH } else { 1 }) {
            pipe.cmd("XACK").arg(STREAM).arg(GROUP).arg(ids).ignore();
            pipe.cmd("XDEL").arg(STREAM).arg(ids).ignore();
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

/// In a child process: reads what comes as it comes, and notes when.
pub(crate) async fn read(url: String) -> Result<()> {
    let mut commands = child::commands();
    let conn = crate::redis::connect(&url).await?;
    if child::wait_for_go(&mut commands).await? {
        let stamps = Arc::new(Stamps::new(true));
        let reading = tokio::spawn(read_on(conn, Arc::clone(&stamps)));
        child::wait_for_stop(&mut commands).await?;
        reading.abort();
        stamps.print();
    }
    Ok(())
}

async fn read_on(mut conn: MultiplexedConnection, stamps: Arc<Stamps>) -> Result<()> {
    let mut cmd = redis::cmd("XREADGROUP");
    cmd.arg("GROUP").arg(GROUP).arg("raw").arg("COUNT").arg(BATCH).arg("BLOCK").arg(1_000);
    cmd.arg("STREAMS").arg(STREAM).arg(">");
    loop {
        let read: Read = cmd.query_async(&mut conn).await?;
        let mut pipe = redis::pipe();
        for (id, fields) in read.into_iter().flatten().flat_map(|(_, entries)| entries) {
            if let Some((_, key)) = fields.iter().find(|(name, _)| name == b"key") {
                stamps.add(&String::from_utf8_lossy(key));
            }
            pipe.cmd("XACK").arg(STREAM).arg(GROUP).arg(&id).ignore();
            pipe.cmd("XDEL").arg(STREAM).arg(&id).ignore();
        }
        let () = pipe.query_async(&mut conn).await?;
    }
}
