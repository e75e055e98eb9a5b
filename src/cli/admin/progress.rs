//! Tells a person who waits that something goes on: on stderr, moving only on a terminal.

use std::io::Write as _;
use std::time::Duration;

use indicatif::ProgressBar;

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
