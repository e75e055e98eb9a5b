//! Gauges whose values stand elsewhere, such as lengths in Redis: somebody reads them now and then, and they are shown for
//! as long as they are fresh. A scrape waits for nothing.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One gauge, with a value for each combination of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// Its name.
    pub name: &'static str,
    /// What it says, with its unit.
    pub help: &'static str,
    /// Labels and value of each row.
    pub rows: Vec<(Vec<(&'static str, String)>, f64)>,
}

/// What was read last.
#[derive(Debug)]
pub struct Gauges {
    fresh_for: Duration,
    latest: Mutex<Option<(Instant, String)>>,
}

impl Gauges {
    /// None as yet. Those that are shown are left out again after this time, unless they are shown anew: a number that
    /// nobody can read any more must not look like one that does not change.
    #[must_use]
    pub const fn new(fresh_for: Duration) -> Self {
        Self { fresh_for, latest: Mutex::new(None) }
    }

    /// Shows these from now on, and no others.
    pub fn show(&self, gauges: &[Gauge]) {
        let page = gauges.iter().map(Gauge::page).collect();
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), page));
    }

    /// They cannot be read: none is shown.
    pub fn hide(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Those that are fresh, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.render_at(Instant::now())
    }

    fn render_at(&self, now: Instant) -> String {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = latest.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) <= self.fresh_for);
        fresh.map(|(_, page)| page.clone()).unwrap_or_default()
    }
}

impl Gauge {
    fn page(&self) -> String {
        let mut page = format!("# HELP {} {}\n# TYPE {} gauge\n", self.name, self.help, self.name);
        for (labels, value) in &self.rows {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(page, "{}{{{}}} {value}", self.name, labels.join(","));
        }
        page
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge() -> Gauge {
        let row = |state: &str, value| (vec![("flow", "vmh".to_owned()), ("state", state.to_owned())], value);
        Gauge { name: "test_length", help: "Jobs.", rows: vec![row("ready", 3.0), row("a\"b\\c\nd", 0.25)] }
    }

    #[test]
    fn what_was_read_is_shown_until_it_is_stale() {
        let gauges = Gauges::new(Duration::from_mins(1));
        assert_eq!(gauges.render(), "");
        gauges.show(&[gauge()]);
        let page = "# HELP test_length Jobs.\n# TYPE test_length gauge\ntest_length{flow=\"vmh\",state=\"ready\"} 3\n\
                    test_length{flow=\"vmh\",state=\"a\\\"b\\\\c\\nd\"} 0.25\n";
        assert_eq!(gauges.render(), page);
        let stale = Instant::now() + Duration::from_mins(1);
        assert_eq!(gauges.render_at(stale.checked_sub(Duration::from_secs(30)).unwrap()), page);
        assert_eq!(gauges.render_at(stale + Duration::from_millis(1)), "");
        gauges.hide();
        assert_eq!(gauges.render(), "");
    }
}
