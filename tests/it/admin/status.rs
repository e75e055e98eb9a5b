//! `status`: the contract's JSON, the table, and remarks that say what to do.

use advosync::queue::{Batch, Firing, Flow, Lane};
use serde_json::{Value, json};

use super::{Person, bury, update};
use crate::support::redis::Redis;

fn remarks(status: &Value) -> String {
    status["remarks"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_empty_redis_gives_the_contracts_shape() {
    let redis = Redis::start();
    let status = Person::at(&redis).good(&["status", "--json"]).await.json();
    let flow = json!({
        "ready": 0, "sweep": 0, "scheduled": 0, "running": 0, "parked": 0, "dead": 0, "oldest_age_ms": null, "workers": 0,
    });
    assert_eq!(status["flows"], json!({"vmh": flow, "calendar": flow}));
    for name in ["advoware", "espocrm", "google"] {
        let works = json!({"state": "closed", "failures": 0, "opened_at": null, "error": null});
        assert_eq!(status["upstreams"][name], works);
    }
    let records = &status["schedules"]["records"];
    assert_eq!((&records["expression"], &records["last"]), (&json!("*/15 * * * *"), &Value::Null));
    assert!(records["next"].as_str().unwrap().ends_with(":00Z"), "{records}");
    assert_eq!(status["write_protection"], Value::Null);
    let remarks = remarks(&status);
    for words in
        ["reads the flow calendar", "reads the flow vmh", "ADVOWARE_PASSWORD", "ESPOCRM_API_KEY", "advosync cron"]
    {
        assert!(remarks.contains(words), "{words}: {remarks}");
    }
}

#[tokio::test]
async fn it_counts_and_says_what_is_wrong() {
    let redis = Redis::start();
    let queue = redis.prepared().await;
    bury(&queue, &update(), "lost", "no").await;
    let keys = ["a".to_owned(), "b".to_owned()];
    queue.enqueue(&Batch::new(update(), Lane::First, &keys, "test")).await.unwrap();
    queue.show_alive(Flow::Vmh, "somebody").await.unwrap();
    queue.fail_upstream("advoware", "no connection\u{1b}[2J", true).await.unwrap();
    let begun = "2026-01-01T00:00:00Z".parse().unwrap();
    queue.begin_schedule("calendar", begun).await.unwrap();
    let person = Person::at(&redis);
    assert_eq!(person.good(&["status", "--json"]).await.json()["schedules"]["calendar"]["last"], Value::Null);
    let row = |text: &str| text.lines().find(|line| line.starts_with("calendar  0 2")).unwrap().to_owned();
    let text = person.good(&["status"]).await.stdout;
    assert_eq!(row(&text).split_whitespace().nth(6), Some("-"), "nothing was fired yet: {text}");
    let slot = "2026-01-01T01:00:00Z".parse().unwrap();
    let firing = Firing { schedule: "calendar", after: begun, slot, missed: 3, jobs: &[] };
    queue.fire_slot(&firing).await.unwrap();

    let person = Person::at(&redis).with("ADVOSYNC_CRON_RECORDS", "off");
    let status = person.good(&["status", "--json"]).await.json();
    assert_eq!((&status["flows"]["vmh"]["ready"], &status["flows"]["vmh"]["dead"]), (&json!(2), &json!(1)));
    assert!(status["flows"]["vmh"]["oldest_age_ms"].is_u64());
    assert_eq!(status["upstreams"]["advoware"]["state"], "open");
    let calendar = &status["schedules"]["calendar"];
    assert_eq!(calendar["last"], "2026-01-01T01:00:00Z");
    assert_eq!((&calendar["fired"], &calendar["missed"]), (&json!(1), &json!(3)));
    let off = json!({"expression": null, "last": null, "next": null, "fired": 0, "missed": 0});
    assert_eq!(status["schedules"]["records"], off);
    let remarks = remarks(&status);
    for words in ["advoware is down", "1 job has failed for good", "calendar should have fired"] {
        assert!(remarks.contains(words), "{words}: {remarks}");
    }

    let text = person.good(&["status"]).await.stdout;
    let row = text.lines().find(|line| line.starts_with("vmh")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>()[1..8], ["2", "0", "0", "0", "0", "1", "1"], "{text}");
    assert!(text.contains("down since") && text.contains("! ") && !text.contains('\u{1b}'), "{text}");
}

#[tokio::test]
async fn faults_of_an_upstreams_settings_do_not_stop_it() {
    let redis = Redis::start();
    let person = Person::at(&redis).with("ADVOWARE_WRITE_PROTECTION", "perhaps");
    let status = person.good(&["status", "--json"]).await.json();
    assert!(remarks(&status).contains("advosync doctor"));
}

#[tokio::test]
async fn without_redis_it_ends_with_1_and_says_so() {
    let mut redis = Redis::start();
    redis.kill();
    for words in [&["status"][..], &["status", "--json"], &["dead", "list"], &["sync", "SB"], &["migrate"]] {
        let ran = Person::at(&redis).bad(words).await;
        assert!(ran.stderr.contains("redis is unavailable") && ran.stderr.contains("REDIS_URL"), "{ran:?}");
    }
}
