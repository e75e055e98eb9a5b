//! Tells a person who waits that something goes on: on stderr, moving only on a terminal.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// What goes on. The line is gone when this is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Begins to show `doing`.
    pub(super) fn start(doing: impl Into<String>) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_message(doing.into());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Begins to show how far `doing` has come, of `total`.
    pub(super) fn of(total: u64, doing: impl Into<String>) -> Self {
        let bar = ProgressBar::new(total);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(doing.into());
        Self(bar)
    }

    /// There is so much to do in all.
    pub(super) fn total(&self, total: u64) {
        self.0.set_length(total);
    }

    /// So much of the total is done.
    pub(super) fn at(&self, done: usize) {
        self.0.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    }

    /// Something else goes on now.
    pub(super) fn now(&self, doing: impl Into<String>) {
        self.0.set_message(doing.into());
    }

    /// A remark that stays, at once.
    pub(super) fn remark(&self, text: &str) {
        self.0.suspend(|| {
            // Whoever closed stderr does not want remarks.
            let _ = writeln!(std::io::stderr(), "{text}");
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
