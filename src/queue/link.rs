//! Connections to Redis that are made again when they are lost, whatever kind of Redis it is.
//!
//! redis-rs would answer a blocking read with a timeout after 500 ms and make every clone of a connection wait behind
//! it, so each duty (bulk calls, renewals, blocking reads) has a `Link` of its own with response times that fit.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline, RedisError};
use tokio::sync::Mutex;

use super::error::QueueError;
use super::rarely::Rarely;
use super::refusal::{explained, is_expected, is_refusal};
use super::target::{Conn, Options, Target};

/// How soon it is asked again whether a further connection gets an answer.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The connection in use and its number, so that a late error does not throw away its successor.
#[derive(Default)]
struct Slot {
    conn: Option<Conn>,
    number: u64,
    /// How many connections had been found dead when this one was made.
    deaths: u64,
}

/// What all links to one Redis share.
struct Shared {
    target: Target,
    /// How many connections were found dead. Whatever killed one in silence has killed its neighbours, too.
    deaths: AtomicU64,
    /// Several connections are lost at once.
    lost: Rarely,
    /// A right that is lacking is found at every call.
    refused: Rarely,
    /// Several calls find that functions are missing.
    loaded: Rarely,
}

/// One connection for one duty. Made without touching the network; connects when it is first used, and again after a
/// failure.
#[derive(Clone)]
pub(super) struct Link {
    shared: Arc<Shared>,
    connect_within: Duration,
    answer_within: Duration,
    /// After this time without an answer it is looked whether the connection is dead.
    overdue_after: Duration,
    slot: Arc<Mutex<Slot>>,
}

impl Link {
    /// A link to the Redis of these options.
    pub(super) fn new(options: &Options) -> Result<Self, QueueError> {
        let target = Target::new(options).map_err(|error| QueueError::Address(error.to_string()))?;
        Ok(Self {
            shared: Arc::new(Shared {
                target,
                deaths: AtomicU64::new(0),
                lost: Rarely::default(),
                refused: Rarely::default(),
                loaded: Rarely::default(),
            }),
            connect_within: options.timeout,
            answer_within: options.timeout,
            overdue_after: overdue(options.timeout),
            slot: Arc::default(),
        })
    }

    /// A further connection to the same Redis, for answers that may take `longer` than usual.
    pub(super) fn another(&self, longer: Duration) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            connect_within: self.connect_within,
            answer_within: self.connect_within + longer,
            overdue_after: overdue(self.connect_within) + longer,
            slot: Arc::default(),
        }
    }

    /// Sends one command.
    pub(super) async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        let (mut conn, number) = self.conn().await?;
        let answer = self.unless_dead(cmd.query_async(&mut conn)).await;
        self.look_at(answer.map_err(|error| self.refused(error, cmd)), number).await
    }

    /// Sends one command that is safe to repeat: once more when the connection turned out to be dead.
    pub(super) async fn query_twice<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        match self.query(cmd).await {
            Err(error) if is_dead(&error) => self.query(cmd).await,
            other => other,
        }
    }

    /// Sends several commands at once, which must be safe to repeat: once more when the connection turned out to be dead.
    pub(super) async fn pipe_twice<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, RedisError> {
        match self.pipe(pipe).await {
            Err(error) if is_dead(&error) => self.pipe(pipe).await,
            other => other,
        }
    }

    pub(super) async fn pipe<T: FromRedisValue>(&self, pipe: &Pipeline) -> Result<T, RedisError> {
        let (mut conn, number) = self.conn().await?;
        let answer = self.unless_dead(pipe.query_async(&mut conn)).await;
        // Redis does not say which of them it refused; they serve one purpose, which the first one shows.
        let answer = match (answer, pipe.cmd_iter().next()) {
            (Err(error), Some(cmd)) => Err(self.refused(error, cmd)),
            (answer, _) => answer,
        };
        self.look_at(answer, number).await
    }

    /// The answer, unless its connection turns out to be dead: a firewall that forgot it and a machine that vanished close
    /// nothing, so the answer would be waited for until the very end. While Redis itself is busy, a further connection gets
    /// no answer either, and the wait goes on.
    async fn unless_dead<T>(&self, asked: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
        let mut asked = pin!(asked);
        if let Ok(answer) = tokio::time::timeout(self.overdue_after, &mut asked).await {
            return answer;
        }
        tokio::select! {
            biased;
            answer = &mut asked => answer,
            () = self.another_answers() => {
                self.shared.deaths.fetch_add(1, Ordering::Relaxed);
                let why = "the connection was dead, another one to the same redis answers";
                Err(std::io::Error::new(std::io::ErrorKind::ConnectionAborted, why).into())
            }
        }
    }

    /// Ends when a further connection gets an answer. Never with a cluster, where another node might answer; its client
    /// looks after its connections itself.
    async fn another_answers(&self) {
        if matches!(self.shared.target, Target::Cluster(_)) {
            return std::future::pending().await;
        }
        let within = self.connect_within / 2;
        loop {
            let answers = async {
                let mut conn = self.shared.target.connect(within, within).await?;
                redis::cmd("PING").query_async::<()>(&mut conn).await
            };
            if let Ok(Ok(())) = tokio::time::timeout(within, answers).await {
                return;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Functions were loaded; told once, though several calls may have found them missing.
    pub(super) fn tell_loaded(&self) {
        if self.shared.loaded.now() {
            tracing::info!("functions were missing in redis and were loaded");
        }
    }

    /// The error, with what a person has to know where our user lacks a right. Told here as well, because what comes of it
    /// elsewhere may be a job that waits and waits.
    fn refused(&self, error: RedisError, cmd: &Cmd) -> RedisError {
        if !is_refusal(&error) {
            return error;
        }
        let error = explained(&error, cmd);
        if !is_expected(cmd) && self.shared.refused.now() {
            tracing::error!(%error, "redis does not allow a command to our user");
        }
        error
    }

    async fn look_at<T>(&self, answer: Result<T, RedisError>, number: u64) -> Result<T, RedisError> {
        if let Err(error) = &answer
            && (error.is_unrecoverable_error()
                || error.is_timeout()
                || error.is_io_error()
                || error.code() == Some("READONLY"))
        {
            let mut slot = self.slot.lock().await;
            if slot.number == number && slot.conn.take().is_some() && self.shared.lost.now() {
                tracing::warn!(%error, "a connection to redis was lost, it is made again");
            }
        }
        answer
    }

    async fn conn(&self) -> Result<(Conn, u64), RedisError> {
        let mut slot = self.slot.lock().await;
        let deaths = self.shared.deaths.load(Ordering::Relaxed);
        if let Some(conn) = slot.conn.as_ref().filter(|_| slot.deaths == deaths) {
            return Ok((conn.clone(), slot.number));
        }
        let connecting = self.shared.target.connect(self.connect_within, self.answer_within);
        let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, self.shared.target.late()).into();
        let conn = match tokio::time::timeout(self.connect_within, connecting).await {
            Ok(Err(error)) if error.is_timeout() => return Err(late()),
            Ok(connected) => connected?,
            Err(_) => return Err(late()),
        };
        slot.deaths = deaths;
        slot.number += 1;
        slot.conn = Some(conn.clone());
        Ok((conn, slot.number))
    }
}

/// Whether the connection broke before the answer came. Whether the command took effect is unknown; a new connection
/// may work at once.
pub(super) fn is_dead(error: &RedisError) -> bool {
    error.is_connection_dropped() || error.is_io_error() && !error.is_timeout()
}

/// When an answer that is usually there at once is overdue, where at most `timeout` is waited for it.
fn overdue(timeout: Duration) -> Duration {
    timeout * 2 / 5
}
