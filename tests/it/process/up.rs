//! `advosync up` and the Redis that it brings along.

use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::support::{Home, files, is_alive, redis_cli, redis_pid, until};
use crate::support::redis::Redis;

const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";

/// Nothing set but where to listen.
fn home() -> Home {
    Home::new()
}

#[test]
fn it_starts_a_redis_of_its_own_that_others_find() {
    let home = home();
    let up = home.ready("up");
    let url = home.redis_url().unwrap();
    assert!(url.starts_with("redis://127.0.0.1:") && url.ends_with("/1"), "{url}");
    let setting = |name: &str| home.redis_cli(&["CONFIG", "GET", name]).lines().nth(1).unwrap_or_default().to_owned();
    assert_eq!((setting("appendonly"), setting("appendfsync")), ("yes".into(), "always".into()));
    assert_eq!(setting("maxmemory-policy"), "noeviction");
    assert_eq!(setting("bind"), "127.0.0.1");
    assert_eq!(std::path::Path::new(&setting("dir")), home.path("data/redis").canonicalize().unwrap());

    // Other commands find it there, and on its one port `up` serves everything.
    assert_eq!(home.run(&["migrate"]).with_code(0).stdout, "layout 2 is in place, nothing to do\n");
    assert_eq!(home.run(&["record", "beteiligte", "abc"]).with_code(0).stdout, "beteiligte abc: queued\n");
    assert_eq!(home.run(&["record", "beteiligte", "abc"]).with_code(0).stdout, "beteiligte abc: queued already\n");
    assert_eq!(home.redis_cli(&["SMEMBERS", "vmh:beteiligte:sync_check_pending"]), "abc");
    assert_eq!(up.http().get("/console").status, 200);
    assert_eq!(up.http().post("/advoware/calendar/sync", "").status, 200);

    let pid = redis_pid(&url);
    up.stop().with_code(0);
    assert!(!is_alive(pid), "no redis-server is left behind");
    assert_eq!(home.redis_url(), None);
    let up = home.ready("up");
    assert_eq!(home.redis_cli(&["XLEN", "jobs:vmh"]), "1", "its data stay");
    up.stop().with_code(0);
}

#[test]
fn its_data_folder_and_database_can_be_chosen() {
    let home = home().with("ADVOSYNC_DATA_DIR", "else/where").with("REDIS_DB_CALENDAR_SYNC", "4");
    let up = home.ready("up");
    let url = std::fs::read_to_string(home.path("else/where/redis.url")).unwrap();
    assert!(url.ends_with("/4"), "{url}");
    assert_eq!(redis_cli(&url, &["HGET", "advosync:layout", "layout"]), "2");
    assert!(!home.path("data").exists());
    up.stop().with_code(0);
    assert!(files(&home.path("else/where/redis")).iter().any(|file| file.extension().is_some_and(|it| it == "aof")));
}

#[test]
fn ctrl_c_at_the_terminal_stops_both_in_order() {
    let home = home();
    let up = home.ready("up");
    let redis = redis_pid(&home.redis_url().unwrap());
    up.ctrl_c();
    let ended = up.end().with_code(0).told("\"stopped\"");
    assert!(!ended.stderr.contains("redis is unavailable"), "Redis outlives the jobs: {}", ended.stderr);
    assert!(!is_alive(redis));
}

#[test]
fn after_a_kill_the_next_one_takes_over_with_all_jobs() {
    let home = home();
    let up = home.ready("up");
    assert_eq!(up.http().post(WEBHOOK, r#"[{"id":"a"},{"id":"b"}]"#).status, 200);
    let url = home.redis_url().unwrap();
    let redis = redis_pid(&url);
    up.kill();
    assert!(is_alive(redis), "its Redis goes on");
    let up = home.start("up");
    up.says("taking over the redis that an earlier process left running");
    up.until_ready();
    assert_eq!(home.redis_url().unwrap(), url);
    assert_eq!(home.redis_cli(&["XLEN", "jobs:vmh"]), "2");
    let again = r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":2}"#;
    up.http().post(WEBHOOK, r#"[{"id":"a"},{"id":"c"}]"#).is(200, again);
    up.stop().with_code(0);
    until("no redis-server is left behind", || !is_alive(redis));
}

/// However early it was killed, there is one Redis over the folder afterwards, never two.
#[test]
fn a_kill_during_the_start_leaves_no_second_redis() {
    for step in ["data/up.lock", "data/redis/redis.lock", "data/redis.url", "data/redis/appendonlydir"] {
        let home = home();
        let up = home.start("up");
        until(step, || home.path(step).exists());
        up.kill();
        let up = home.ready("up");
        let redis = redis_pid(&home.redis_url().unwrap());
        assert_eq!(servers_over(&home), [redis], "{step}");
        up.stop().with_code(0);
        until("none is left behind", || servers_over(&home).is_empty());
    }
}

/// The processes whose folder this is: redis-server works in its data folder.
fn servers_over(home: &Home) -> Vec<Pid> {
    let folder = home.path("data/redis").canonicalize().unwrap();
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let works_there = |pid: &i32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
    processes.filter(works_there).map(Pid::from_raw).filter(|pid| is_alive(*pid)).collect()
}

#[test]
fn what_was_accepted_survives_the_kill_of_both() {
    let home = home();
    let up = home.ready("up");
    let (http, accepted) = (up.http(), AtomicUsize::new(0));
    let redis = redis_pid(&home.redis_url().unwrap());
    std::thread::scope(|scope| {
        for sender in 0..4 {
            let accepted = &accepted;
            scope.spawn(move || {
                for number in 0.. {
                    let body = format!(r#"[{{"id":"s{sender}-{number}"}}]"#);
                    let answer = http.try_post(WEBHOOK, &body);
                    match answer.map(|answer| answer.status) {
                        Some(200) => accepted.fetch_add(1, Ordering::SeqCst),
                        Some(503) | None => return,
                        Some(other) => panic!("{other}"),
                    };
                }
            });
        }
        until("some were accepted", || accepted.load(Ordering::SeqCst) > 50);
        kill(redis, Signal::SIGKILL).unwrap();
        up.kill();
    });
    let up = home.ready("up");
    let kept: usize = home.redis_cli(&["XLEN", "jobs:vmh"]).parse().unwrap();
    let accepted = accepted.into_inner();
    assert!(kept >= accepted, "{accepted} were accepted, {kept} are there");
    assert!(kept <= accepted + 4, "each sender had one under way at most: {accepted}, {kept}");
    up.stop().with_code(0);
}

#[test]
fn a_second_one_over_the_same_folder_leaves_the_first_alone() {
    let home = home();
    let up = home.ready("up");
    let url = home.redis_url().unwrap();
    let second = home.run(&["up"]).with_code(1);
    second.told("another `advosync up` runs with the data folder").told("ADVOSYNC_DATA_DIR");
    assert_eq!(home.redis_url().unwrap(), url);
    assert_eq!(up.http().post(WEBHOOK, r#"[{"id":"a"}]"#).status, 200);
    up.stop().with_code(0);
}

#[test]
fn with_a_redis_configured_it_starts_none() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let up = home.ready("up");
    assert_eq!(redis.cli(&["HGET", "advosync:layout", "layout"]), "2");
    assert!(!home.path("data/redis").exists());
    up.stop().with_code(0);
    assert_eq!(redis.cli(&["PING"]), "PONG", "a Redis of somebody else's goes on");
}

#[test]
fn without_redis_server_it_says_what_to_install() {
    let ended = home().with("PATH", "/nowhere").run(&["up"]).with_code(1);
    ended.told("apt-get install redis-server").told("REDIS_URL");
}

#[test]
fn a_redis_that_cannot_start_is_told_with_the_place_of_its_log() {
    let home = home().file("data/redis/appendonlydir", "in the way");
    let ended = home.run(&["up"]).with_code(1);
    ended.told("redis-server ended at once").told("redis/redis.log");
    assert_eq!(home.redis_url(), None);
}

#[test]
fn its_cron_enqueues_what_is_due() {
    let home = home().with("ADVOSYNC_CRON_RECORDS", "* * * * * *").with("ADVOSYNC_CRON_CALENDAR", "off");
    let up = home.ready("up");
    until("a sweep is queued", || home.redis_cli(&["XLEN", "jobs:vmh:sweep"]) == "1");
    let job = home.redis_cli(&["XRANGE", "jobs:vmh:sweep", "-", "+"]);
    assert!(job.contains("topic\nvmh.beteiligte.sweep"), "{job}");
    assert_eq!(home.redis_cli(&["XLEN", "jobs:vmh"]), "0");
    let set = up.says("a schedule is set");
    assert_eq!((&set["schedule"], &set["expression"]), (&json!("records"), &json!("* * * * * *")));
    up.stop().with_code(0);
}
