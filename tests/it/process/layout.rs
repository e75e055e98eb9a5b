//! The layout in Redis: who sets it up, and who refuses it.

use std::time::{Duration, Instant};

use super::support::Home;
use crate::support::redis::Redis;

const WEBHOOK: &str = "/vmh/webhook/beteiligte/create";

fn functions(redis: &Redis) -> Vec<String> {
    let list = redis.cli(&["FUNCTION", "LIST"]);
    let names = list.lines().zip(list.lines().skip(1)).filter(|(name, _)| *name == "library_name");
    let mut names: Vec<_> = names.map(|(_, library)| library.to_owned()).collect();
    names.sort();
    names
}

#[test]
fn any_role_sets_it_up() {
    for role in ["up", "ingress", "worker", "cron", "console"] {
        let redis = Redis::start();
        let home = Home::at(&redis);
        let process = home.ready(role);
        assert_eq!(redis.cli(&["HGET", "advosync:layout", "layout"]), "2", "{role}");
        assert!(functions(&redis).contains(&"advosync_admin".to_owned()), "{role}");
        for stream in ["jobs:vmh", "jobs:vmh:sweep", "jobs:calendar", "jobs:calendar:sweep"] {
            assert!(redis.cli(&["XINFO", "GROUPS", stream]).starts_with("name\nworkers\n"), "{role}");
        }
        process.stop().with_code(0);
    }
}

#[test]
fn migrate_is_safe_to_repeat_and_safe_at_the_same_time() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let dry = home.run(&["migrate", "--dry-run"]).with_code(0);
    assert!(dry.stdout.contains("this would be done"), "{dry:?}");
    assert_eq!((redis.cli(&["KEYS", "*"]), functions(&redis)), (String::new(), Vec::new()), "a dry run does nothing");

    let both = [home.start_with(&["migrate"]), home.start_with(&["migrate"])].map(|it| it.end().with_code(0).stdout);
    assert_eq!(both.iter().filter(|said| said.contains("nothing to do")).count(), 1, "{both:?}");
    let before = (redis.cli(&["HGETALL", "advosync:layout"]), functions(&redis));
    let again = home.run(&["migrate"]).with_code(0);
    assert_eq!(again.stdout, "layout 2 is in place, nothing to do\n");
    assert!(home.run(&["migrate", "--dry-run"]).with_code(0).stdout.contains("nothing to do"));
    assert_eq!((redis.cli(&["HGETALL", "advosync:layout"]), functions(&redis)), before);
    assert_eq!(redis.cli(&["KEYS", "*migrat*"]), "", "the guard is given back");
}

#[test]
fn roles_that_start_at_the_same_time_do_not_disturb_each_other() {
    let redis = Redis::start();
    let homes: Vec<_> = (0..6).map(|_| Home::at(&redis)).collect();
    let started: Vec<_> = homes.iter().map(|home| home.start("ingress")).collect();
    for (number, process) in started.into_iter().enumerate() {
        process.until_ready();
        let body = format!(r#"[{{"id":"a{number}"}}]"#);
        assert_eq!(process.http().post(WEBHOOK, &body).status, 200);
        let ended = process.stop().with_code(0);
        assert!(!ended.stderr.contains("\"ERROR\""), "{}", ended.stderr);
    }
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "6");
}

#[test]
fn another_layout_outside_the_range_is_refused_with_what_to_do() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let check = |layout: &str, serves: (&str, &str), remedy: &str| {
        let marker = ["layout", layout, "serves_from", serves.0, "serves_to", serves.1, "code", "x"];
        redis.cli(&[&["HSET", "advosync:layout"], &marker[..]].concat());
        for role in ["up", "ingress", "worker", "cron", "console"] {
            home.run(&[role]).with_code(1).told(&format!("redis holds layout {layout}")).told(remedy);
        }
        assert_eq!(redis.cli(&["KEYS", "*"]), "advosync:layout", "nothing is touched");
        assert_eq!(functions(&redis), [""; 0]);
    };
    check("7", ("5", "7"), "start the newer version");
    home.run(&["migrate"]).with_code(1).told("run `migrate` of the newer version");
    check("0", ("0", "0"), "run `advosync migrate` of this version");
    home.run(&["migrate"]).with_code(0);
    home.ready("ingress").stop().with_code(0);
}

#[test]
fn a_newer_layout_that_serves_this_binary_is_no_reason_to_refuse() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    home.run(&["migrate"]).with_code(0);
    redis.cli(&["HSET", "advosync:layout", "layout", "3", "serves_from", "1", "serves_to", "3"]);
    let ingress = home.ready("ingress");
    assert_eq!(ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).status, 200);
    ingress.stop().with_code(0);
    assert_eq!(redis.cli(&["HGET", "advosync:layout", "layout"]), "3", "it is not taken back");
}

#[test]
fn missing_functions_are_loaded_again() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let ingress = home.ready("ingress");
    let all = functions(&redis);
    redis.cli(&["FUNCTION", "FLUSH"]);
    // While it runs,
    let taken = r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":1}"#;
    ingress.http().post(WEBHOOK, r#"[{"id":"a"}]"#).is(200, taken);
    assert_eq!(functions(&redis), all);
    ingress.stop().with_code(0);
    // at its start,
    redis.cli(&["FUNCTION", "FLUSH"]);
    home.ready("cron").stop().with_code(0);
    assert_eq!(functions(&redis), all);
    // and by hand.
    redis.cli(&["FUNCTION", "DELETE", "advosync_admin"]);
    home.run(&["migrate"]).with_code(0);
    assert_eq!(functions(&redis), all);
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "1");
}

#[test]
fn an_emptied_redis_heals_while_up_runs() {
    let redis = Redis::start();
    let home = Home::at(&redis);
    let up = home.ready("up");
    redis.cli(&["FLUSHALL"]);
    let emptied = Instant::now();
    let taken = r#"{"status":"received","action":"create","new_ids_count":1,"total_ids_in_batch":1}"#;
    up.http().post(WEBHOOK, r#"[{"id":"a"}]"#).is(200, taken);
    up.until_ready();
    assert!(emptied.elapsed() < Duration::from_secs(10));
    assert!(redis.cli(&["XINFO", "GROUPS", "jobs:vmh"]).contains("last-delivered-id\n0-0"), "the group begins at 0");
    assert_eq!(redis.cli(&["XLEN", "jobs:vmh"]), "1");
    up.stop().with_code(0);
}
