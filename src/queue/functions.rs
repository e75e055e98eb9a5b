//! Calls the Redis functions of `migrations/`, and mends what a flush or a failover took away.

use redis::{Cmd, FromRedisValue, RedisError};

use super::error::QueueError;
use super::keys::{GROUP, Keys};
use super::link::{Link, is_dead};
use super::topic::{Flow, Lane};

/// The libraries by name. A layout's code never changes once a program has used it: what changes gets a new number, and
/// the older one stays for the programs that call it. The last one has stable names, for people.
pub(super) const LIBRARIES: [(&str, &str); 7] = [
    ("advosync_1", include_str!("../../migrations/0001_queue.lua")),
    ("advosync_2", include_str!("../../migrations/0002_queue.lua")),
    ("advosync_2_layout", include_str!("../../migrations/0002_layout.lua")),
    ("advosync_1_ledger", include_str!("../../migrations/0001_ledger.lua")),
    ("advosync_3_calendar", include_str!("../../migrations/0003_calendar.lua")),
    ("advosync_4_schedules", include_str!("../../migrations/0004_schedules.lua")),
    ("advosync_admin", include_str!("../../migrations/admin.lua")),
];
/// Put before the names of the queue's functions.
const QUEUE_PREFIX: &str = "advosync_2_";

/// A call that is being put together: keys first, arguments after.
pub(super) struct Call {
    name: String,
    keys: Words,
    args: Words,
    read_only: bool,
}

/// Many short words in one piece of memory: a batch has hundreds of them.
#[derive(Default)]
struct Words {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Words {
    fn push(&mut self, word: &[u8]) {
        self.bytes.extend_from_slice(word);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

impl Call {
    /// A call of one of the queue's functions.
    pub(super) fn new(name: &str) -> Self {
        Self::named(&format!("{QUEUE_PREFIX}{name}"))
    }

    /// A call of a function of any library, by its whole name.
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), keys: Words::default(), args: Words::default(), read_only: false }
    }

    /// Marks the function as one that writes nothing.
    pub(super) const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(super) fn key(mut self, key: impl AsRef<str>) -> Self {
        self.keys.push(key.as_ref().as_bytes());
        self
    }

    pub(super) fn keys<T: AsRef<str>>(mut self, keys: impl IntoIterator<Item = T>) -> Self {
        keys.into_iter().for_each(|key| self.keys.push(key.as_ref().as_bytes()));
        self
    }

    pub(super) fn arg(mut self, arg: impl AsRef<[u8]>) -> Self {
        self.args.push(arg.as_ref());
        self
    }

    pub(super) fn args<T: AsRef<[u8]>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        args.into_iter().for_each(|arg| self.args.push(arg.as_ref()));
        self
    }

    /// The command as it goes over the wire.
    pub(super) fn command(&self) -> Cmd {
        let words = self.keys.ends.len() + self.args.ends.len() + 3;
        let mut cmd = Cmd::with_capacity(words, self.keys.bytes.len() + self.args.bytes.len() + 64);
        cmd.arg(if self.read_only { "FCALL_RO" } else { "FCALL" }).arg(&self.name).arg(self.keys.ends.len());
        for word in self.keys.iter().chain(self.args.iter()) {
            cmd.arg(word);
        }
        cmd
    }

    /// Runs it. A library that is missing (a Redis that was emptied) is loaded and the call repeated. What only reads is
    /// repeated also when the connection turned out to be dead.
    pub(super) async fn run<T: FromRedisValue>(self, link: &Link) -> Result<T, QueueError> {
        if self.read_only {
            return self.run_twice(link).await;
        }
        match self.attempt(link).await {
            Err(error) if is_missing_function(&error) => load_libraries(link).await?,
            other => return Ok(other?),
        }
        Ok(self.attempt(link).await?)
    }

    /// Runs what is safe to repeat: once more when the connection turned out to be dead.
    pub(super) async fn run_twice<T: FromRedisValue>(self, link: &Link) -> Result<T, QueueError> {
        match self.attempt(link).await {
            Err(error) => mend(link, error).await?,
            Ok(answer) => return Ok(answer),
        }
        Ok(self.attempt(link).await?)
    }

    /// As [`Call::run_twice`], with a further command in the same round trip, whose answer does not matter.
    pub(super) async fn run_with<T: FromRedisValue>(self, also: Cmd, link: &Link) -> Result<T, QueueError> {
        let mut pipe = redis::pipe();
        pipe.add_command(self.command()).add_command(also).ignore();
        match link.pipe::<(T,)>(&pipe).await {
            Err(error) => mend(link, error).await?,
            Ok((answer,)) => return Ok(answer),
        }
        Ok(link.pipe::<(T,)>(&pipe).await?.0)
    }

    async fn attempt<T: FromRedisValue>(&self, link: &Link) -> Result<T, RedisError> {
        link.query(&self.command()).await
    }
}

/// Mends what made a call fail that is safe to repeat; the error itself where that is not possible.
async fn mend(link: &Link, error: RedisError) -> Result<(), QueueError> {
    if is_missing_function(&error) {
        return load_libraries(link).await;
    }
    if is_dead(&error) { Ok(()) } else { Err(error.into()) }
}

fn is_missing_function(error: &RedisError) -> bool {
    error.to_string().contains("Function not found")
}

/// Loads the libraries, replacing what is there.
pub(super) async fn load_libraries(link: &Link) -> Result<(), QueueError> {
    for (_, code) in LIBRARIES {
        let () = link.query(redis::cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(code)).await?;
    }
    link.tell_loaded();
    Ok(())
}

/// Makes sure that the streams of a flow and their group exist. From id 0, never `$`: entries that came before the
/// group did are jobs too.
pub(super) async fn create_groups(link: &Link, keys: &Keys, flow: Flow) -> Result<(), QueueError> {
    let mut new = 0;
    for lane in Lane::ALL {
        let made: Result<(), RedisError> = link
            .query(redis::cmd("XGROUP").arg("CREATE").arg(keys.stream(flow, lane)).arg(GROUP).arg("0").arg("MKSTREAM"))
            .await;
        match made {
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            other => {
                other?;
                new += 1;
            }
        }
    }
    if new > 0 {
        tracing::info!(%flow, made = new, "groups of job streams were missing in redis and were made");
    }
    Ok(())
}
