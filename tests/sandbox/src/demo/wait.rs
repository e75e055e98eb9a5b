//! Waiting for something to be seen: bounded, and never in silence.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::ProgressBar;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Where no terminal shows a spinner, a line tells this often what is waited for.
const TELL_EVERY: Duration = Duration::from_secs(3);

/// Looks until there is something; fails with `what` in words after `within`.
pub(crate) async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    let spinner = std::io::stderr().is_terminal().then(|| {
        let spinner = ProgressBar::new_spinner().with_message(format!("waiting: {what}"));
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    });
    let mut told = begun;
    let mut pace = tokio::time::interval(LOOK_EVERY);
    let found = loop {
        pace.tick().await;
        if let Some(found) = look().await? {
            break found;
        }
        if begun.elapsed() > within {
            if let Some(spinner) = &spinner {
                spinner.finish_and_clear();
            }
            bail!("waited {} s in vain: {what}", within.as_secs());
        }
        if spinner.is_none() && told.elapsed() > TELL_EVERY {
            told = Instant::now();
            eprintln!("        … {} s: {what}", begun.elapsed().as_secs());
        }
    };
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    Ok(found)
}
