//! Processes that stand still, as in a machine that is being moved.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long the kernel may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// SIGSTOP, and waits until every thread has stopped: on a busy machine one of them may go on for a while, and do what a
/// process that stands still must not.
pub fn freeze(pid: u32) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGSTOP).unwrap();
    let by = Instant::now() + PATIENCE;
    while !all_stopped(pid) {
        assert!(Instant::now() < by, "{pid} does not stop");
        std::thread::yield_now();
    }
}

fn all_stopped(pid: u32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|thread| {
        // A thread that has ended meanwhile goes on with nothing.
        let Ok(stat) = std::fs::read_to_string(thread.unwrap().path().join("stat")) else { return true };
        // The state stands behind the name, which is in brackets.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        matches!(state, Some('T' | 'Z' | 'X'))
    })
}
