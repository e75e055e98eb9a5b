//! `sync`: what it enqueues. Its waiting is tested beside the code.

use advosync::queue::Mode;

use super::Person;
use crate::support::redis::Redis;

#[tokio::test]
async fn it_enqueues_what_the_trigger_does() {
    let redis = Redis::start();
    let person = Person::at(&redis);
    assert_eq!(person.good(&["sync", "MÜ", "--anonymised"]).await.stdout, "MÜ: queued\n");
    assert_eq!(person.good(&["sync", "MÜ", "--full"]).await.stdout, "MÜ: queued already\n");
    assert_eq!(person.good(&["sync"]).await.stdout, "ALL: queued\n");
    assert_eq!(person.good(&["sync", "SB"]).await.stdout, "SB: queued\n");

    let entries = redis.cli(&["XRANGE", "jobs:calendar", "-", "+"]);
    let words: Vec<&str> = entries.lines().map(str::trim).collect();
    let has = |name: &str, value: &str| words.windows(2).any(|pair| pair == [name, value]);
    assert!(has("topic", "calendar_sync_employee") && has("topic", "calendar_sync_all"), "{entries}");
    assert!(has("source", "cli") && has("key", "ALL") && has("key", "SB") && !words.contains(&"payload"), "{entries}");
    // A choice counts also where the job was queued already; a trigger without one changes nothing.
    let modes: Vec<(String, Mode)> =
        redis.queue().modes().await.unwrap().into_iter().map(|(kuerzel, mode, _)| (kuerzel, mode)).collect();
    assert_eq!(modes, [("MÜ".to_owned(), Mode::Full)]);
}

#[tokio::test]
async fn a_confirmation_travels_with_the_job_or_is_refused() {
    let redis = Redis::start();
    let person = Person::at(&redis);
    person.good(&["sync", "SB", "--confirm-deletions"]).await;
    let entries = redis.cli(&["XRANGE", "jobs:calendar", "-", "+"]);
    assert!(entries.contains(r#"{"confirm_deletions":true}"#), "{entries}");
    let again = person.bad(&["sync", "SB", "--confirm-deletions"]).await;
    assert!(again.stderr.contains("does not know of the confirmation"), "{again:?}");
}
