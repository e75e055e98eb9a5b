//! What a worker of the calendar flow is made of, from its settings to the sandbox.

use std::time::{Duration, Instant};

use advosync::roles::Parts;
use advosync::settings::{Role, Settings, Source};
use advosync::sync::calendar::execute::employees::{Employees, EmployeesError};
use advosync_sandbox::{Fault, Sandbox, System};
use futures::future::join_all;
use serde_json::json;

use crate::support::redis::Redis;

/// A worker with the sandbox's settings, and these.
fn parts(redis: &Redis, sandbox: &Sandbox, more: &[(&str, &str)]) -> Parts {
    let mut environment = sandbox.env();
    environment.push(("REDIS_URL".to_owned(), redis.url()));
    environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let source = Source::default().with_environment(environment);
    Parts::new(Settings::load(&source, Role::Worker).unwrap()).unwrap()
}

async fn world() -> (Redis, Sandbox) {
    let redis = Redis::start();
    redis.prepared().await;
    (redis, Sandbox::start(advosync_sandbox::Options::default()).await.unwrap())
}

#[tokio::test]
async fn all_workers_keep_one_pace_with_google() {
    let (redis, sandbox) = world().await;
    let pace = [("GOOGLE_MIN_INTERVAL", "0ms"), ("GOOGLE_MAX_RATE", "5")];
    let clients = [(); 2].map(|()| parts(&redis, &sandbox, &pace).google().unwrap().unwrap());
    let begun = Instant::now();
    let pings = join_all((0..7).map(|number| clients[number % 2].ping())).await;
    assert!(pings.iter().all(Result::is_ok), "{pings:?}");
    assert!(begun.elapsed() > Duration::from_millis(1_190), "seven calls at five a second: {:?}", begun.elapsed());
    let keys = redis.cli(&["KEYS", "throttle:*"]);
    assert!(keys.starts_with("throttle:google:") && !keys.contains(['@', '\n']), "one line, nobody's address: {keys}");

    // Another user's calls are counted apart.
    let subject = [("GOOGLE_CALENDAR_SUBJECT", "kanzlei@example.com")];
    parts(&redis, &sandbox, &subject).google().unwrap().unwrap().calendars().await.unwrap();
    assert_eq!(redis.cli(&["KEYS", "throttle:google:*"]).lines().count(), 2);
}

#[tokio::test]
async fn a_limit_that_one_worker_meets_holds_for_all() {
    let (redis, sandbox) = world().await;
    let clients = [(); 2].map(|()| parts(&redis, &sandbox, &[]).google().unwrap().unwrap());
    sandbox.fault(Fault::on(System::Google).get("*/calendarList").once().google_error(403, "rateLimitExceeded"));
    let begun = Instant::now();
    let limited = clients[0].ping();
    let (limited, after) = tokio::join!(limited, async {
        while redis.cli(&["KEYS", "throttle:*"]).is_empty()
            || redis.cli(&["HEXISTS", &redis.cli(&["KEYS", "throttle:*"]), "until"]) == "0"
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        clients[1].ping().await
    });
    assert_eq!((limited, after), (Ok(()), Ok(())));
    assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn employees_are_asked_for_once_an_hour() {
    let (redis, sandbox) = world().await;
    let workers = [(); 2].map(|()| {
        let parts = parts(&redis, &sandbox, &[]);
        Employees::new(&parts.queue, parts.advoware().unwrap().unwrap())
    });
    let asked = || sandbox.calls().iter().filter(|call| call.path.ends_with("/Mitarbeiter")).count();
    let none: [&str; 0] = [];
    assert_eq!(workers[0].active().await.unwrap(), none);
    assert_eq!(redis.cli(&["EXISTS", "advoware:employees"]), "0", "an empty list is no list");

    let hire = |kuerzel: &str, aktiv: bool| {
        let employee = json!({ "kuerzel": kuerzel, "name": "N", "vorname": "V", "aktiv": aktiv });
        sandbox.people().lawyer_create("Mitarbeiter", &employee).unwrap()
    };
    for (kuerzel, aktiv) in [(" SB ", true), ("ÄB", true), ("XX", false), ("SB", true), ("", true)] {
        hire(kuerzel, aktiv);
    }
    let before = asked();
    assert_eq!(workers[0].active().await.unwrap(), ["SB", "ÄB"]);
    assert_eq!(asked() - before, 1);
    let ttl: u64 = redis.cli(&["TTL", "advoware:employees"]).parse().unwrap();
    assert!((3590..=3600).contains(&ttl), "{ttl}");
    hire("NN", true);
    assert_eq!(workers[1].active().await.unwrap(), ["SB", "ÄB"], "for an hour");
    assert_eq!(asked() - before, 1);
    assert_eq!(workers[1].refreshed().await.unwrap(), ["SB", "ÄB", "NN"], "but for who asks anew");
    assert_eq!(workers[0].active().await.unwrap(), ["SB", "ÄB", "NN"]);

    redis.cli(&["SET", "advoware:employees", "no list"]);
    assert_eq!(workers[0].active().await.unwrap(), ["SB", "ÄB", "NN"], "what is no list is asked for");
    redis.cli(&["DEL", "advoware:employees"]);
    sandbox.stop().await;
    let error = workers[0].active().await.unwrap_err();
    assert!(matches!(error, EmployeesError::Advoware(_)), "{error}");
}
