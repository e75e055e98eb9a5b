//! What every soak is told by its environment.

use std::time::Duration;

/// `ADVOSYNC_SOAK_SECONDS`: how long it goes on; none where it is one of all tests, and short.
pub fn length() -> Option<Duration> {
    let text = std::env::var("ADVOSYNC_SOAK_SECONDS").ok()?;
    Some(Duration::from_secs(text.parse().expect("ADVOSYNC_SOAK_SECONDS is a number of seconds")))
}

/// `ADVOSYNC_SOAK_SEED` repeats what the dice said; said so that it can be. The order of what happens at once is not repeated.
pub fn seed() -> u64 {
    let chosen = |text: String| text.parse().expect("ADVOSYNC_SOAK_SEED is a number");
    let seed = std::env::var("ADVOSYNC_SOAK_SEED").map_or_else(|_| rand::random_range(0..1_000_000), chosen);
    println!("ADVOSYNC_SOAK_SEED={seed}");
    seed
}
