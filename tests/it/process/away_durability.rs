//! At its start a role says once how far accepted jobs can be trusted to this Redis.

use serde_json::{Value, json};

use super::support::Home;
use crate::support::redis::Redis;

const NO_FILE: &str = "a restart of redis loses every job since its last snapshot, if it takes any; set appendonly yes and appendfsync always";
const EVERYSEC: &str = "a crash of redis' machine loses up to two seconds of accepted jobs; set appendfsync always";
const EVICTS: &str = "redis may throw jobs and locks away when memory runs out; set maxmemory-policy noeviction";
const FSYNC_HIDDEN: &str =
    "redis keeps a file of accepted jobs and hides how soon they are on disk (appendfsync); ask its provider";
const FILE_HIDDEN: &str =
    "redis hides whether accepted jobs survive its restart (appendonly, appendfsync); ask its provider";
const EVICTION_HIDDEN: &str = "redis hides whether it throws jobs away when memory runs out; it must be noeviction";
const VERSION_HIDDEN: &str = "the server hides its version; 7.0 or newer is needed";

/// The settings that a role speaks of from its start to its end, with their values and what it says, sorted.
fn said(redis: &Redis, role: &str) -> Vec<[String; 3]> {
    let ended = Home::at(redis).ready(role).stop().with_code(0);
    let lines = ended.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let about = lines.filter(|line| !line["setting"].is_null());
    let mut all: Vec<_> = about
        .map(|line| {
            assert_eq!(line["level"], json!("WARN"), "{line}");
            ["setting", "value", "message"].map(|name| line[name].as_str().unwrap().to_owned())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn what_may_lose_jobs_is_told_once_with_its_value() {
    let redis = Redis::start();
    let check = |config: &[&str], expected: &[[&str; 3]]| {
        redis.cli(config);
        for role in ["worker", "ingress", "up"] {
            assert_eq!(said(&redis, role), expected, "{role} {config:?}");
        }
        assert_eq!(said(&redis, "cron"), [[""; 3]; 0], "whoever neither accepts jobs nor runs them says nothing");
    };
    let evicts = ["maxmemory-policy", "allkeys-lru", EVICTS];
    check(&["PING"], &[]);
    check(&["CONFIG", "SET", "appendfsync", "everysec"], &[["appendfsync", "everysec", EVERYSEC]]);
    check(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"], &[["appendfsync", "everysec", EVERYSEC], evicts]);
    check(&["CONFIG", "SET", "appendonly", "no"], &[["appendonly", "no", NO_FILE], evicts]);
    // INFO still tells that much where CONFIG is forbidden.
    check(&["ACL", "SETUSER", "default", "-config"], &[["appendonly", "no", NO_FILE], evicts]);
    check(
        &["ACL", "SETUSER", "default", "-info"],
        &[
            ["appendonly", "", FILE_HIDDEN],
            ["maxmemory-policy", "", EVICTION_HIDDEN],
            ["redis_version", "", VERSION_HIDDEN],
        ],
    );
}

#[test]
fn a_managed_redis_that_hides_its_settings_is_asked_as_far_as_it_answers() {
    let redis = Redis::start();
    redis.cli(&["ACL", "SETUSER", "default", "-config"]);
    assert_eq!(said(&redis, "ingress"), [["appendfsync", "", FSYNC_HIDDEN]]);
    let doctor = Home::at(&redis).run(&["doctor"]);
    assert!(doctor.stdout.contains(FSYNC_HIDDEN), "the same words: {}", doctor.stdout);
}

#[test]
fn the_shipped_configuration_keeps_every_job() {
    let redis = Redis::configured_by("ops/redis.conf");
    for role in ["worker", "ingress"] {
        assert_eq!(said(&redis, role), [[""; 3]; 0], "{role}");
    }
    let home = Home::at(&redis);
    let doctor = home.run(&["doctor"]).stdout;
    for words in ["every job is on disk", "nothing is thrown away"] {
        assert!(doctor.lines().any(|line| line.starts_with("ok") && line.contains(words)), "{words}: {doctor}");
    }
}
