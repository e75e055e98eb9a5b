//! `doctor`: every check runs whatever the others found, and says what to do.

use advosync_sandbox::{CBETEILIGTE, Entity, Field, Kind, Options, Sandbox};

use super::{Person, Ran};
use crate::support::redis::Redis;

const HOOKS: &str = "http://127.0.0.1:3000/vmh/webhook/beteiligte";

/// An EspoCRM in which nothing is to be done but what a test leaves out.
fn healthy() -> Options {
    let mut options = Options::default();
    options.espocrm.entities = vec![Entity::beteiligte(CBETEILIGTE).not_required("lastName")];
    options
}

async fn ready(options: Options) -> Sandbox {
    let sandbox = Sandbox::start(options).await.unwrap();
    sandbox.register_webhooks(CBETEILIGTE, HOOKS);
    sandbox
}

fn person(redis: &Redis, sandbox: &Sandbox) -> Person {
    sandbox.env().iter().fold(Person::at(redis), |person, (name, value)| person.with(name, value))
}

/// Every line begins with its level; lines of one level that hold all these words.
fn has(ran: &Ran, level: &str, words: &[&str]) -> bool {
    ran.stdout.lines().any(|line| line.starts_with(level) && words.iter().all(|word| line.contains(word)))
}

fn fails(ran: &Ran) -> usize {
    ran.stdout.lines().filter(|line| line.starts_with("FAIL")).count()
}

#[tokio::test]
async fn where_all_is_well_it_says_so_and_ends_with_0() {
    let redis = Redis::start();
    redis.prepared().await;
    let sandbox = ready(healthy()).await;
    let before = sandbox.effects().len();
    let ran = person(&redis, &sandbox).good(&["doctor"]).await;
    assert_eq!(fails(&ran), 0, "{ran:?}");
    for words in [
        &["settings", "readable"][..],
        &["mappings", "beteiligte"],
        &["redis", "answers"],
        &["redis layout", "in place"],
        &["redis version", "7."],
        &["redis durability", "on disk"],
        &["redis eviction"],
        &["advoware", "signed in"],
        &["google", "signed in"],
        &["espocrm", "API user"],
        &["espocrm CBeteiligte", "fields are there"],
        &["espocrm webhook CBeteiligte.create", HOOKS],
        &["espocrm webhook CBeteiligte.update", HOOKS],
        &["espocrm webhook CBeteiligte.delete", HOOKS],
    ] {
        assert!(has(&ran, "ok", words), "{words:?}: {}", ran.stdout);
    }
    assert_eq!(sandbox.effects().len(), before, "it changes nothing");
    let options = sandbox.options();
    let mut secrets = vec![options.espocrm.api_key, options.espocrm.person_password, options.advoware.password];
    secrets.extend(sandbox.webhooks().into_iter().filter_map(|hook| hook.secret));
    for secret in secrets {
        assert!(!ran.stdout.contains(&secret) && !ran.stderr.contains(&secret));
    }
}

#[tokio::test]
async fn what_is_to_be_done_in_espocrm_is_named() {
    let redis = Redis::start();
    let mut options = Options::default();
    options.espocrm.entities = vec![Entity::beteiligte(CBETEILIGTE).without("advowareRowId").without("anrede")];
    let sandbox = Sandbox::start(options).await.unwrap();
    sandbox.register_webhook("CBeteiligte.create", &format!("{HOOKS}/create"), true, None);
    let person = person(&redis, &sandbox).with("ESPOCRM_WEBHOOK_SECRET", "other:0123456789abcdef");
    sandbox.register_webhook("CBeteiligte.delete", "http://somebody.else/x", true, None);
    let ran = person.run(&["doctor"]).await;
    assert_eq!((ran.code, fails(&ran)), (1, 6), "{}", ran.stdout);
    for words in [
        &["field lastName", "every company"][..],
        &["field advowareRowId", "setup espocrm"],
        &["field anrede", "Entity Manager"],
        &["CBeteiligte.create", "not in ESPOCRM_WEBHOOK_SECRET"],
        &["CBeteiligte.update", "missing", "setup espocrm"],
        &["CBeteiligte.delete", "somebody.else"],
    ] {
        assert!(has(&ran, "FAIL", words), "{words:?}: {}", ran.stdout);
    }
    assert!(has(&ran, "warn", &["redis layout", "advosync migrate"]), "{}", ran.stdout);
}

#[tokio::test]
async fn a_failure_keeps_no_other_check_from_being_made() {
    let mut redis = Redis::start();
    let sandbox = ready(healthy()).await;
    let person = person(&redis, &sandbox).with("REDIS_TIMEOUT_SECONDS", "1");
    redis.kill();
    let ran = person.run(&["doctor"]).await;
    assert!(has(&ran, "FAIL", &["redis", "unavailable"]) && fails(&ran) == 1, "{}", ran.stdout);
    assert!(has(&ran, "ok", &["advoware", "signed in"]) && has(&ran, "ok", &["espocrm webhook"]), "{}", ran.stdout);
    sandbox.stop().await;
    let ran = person.run(&["doctor"]).await;
    for words in [
        ["redis", "unavailable"],
        ["advoware", "could not be reached"],
        ["espocrm", "could not be reached"],
        ["google", "could not be reached"],
    ] {
        assert!(has(&ran, "FAIL", &words), "{words:?}: {}", ran.stdout);
    }
    assert_eq!(ran.code, 1);
}

#[tokio::test]
async fn bad_settings_and_mapping_files_are_found_too() {
    let redis = Redis::start();
    let sandbox = ready(healthy()).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("akte.toml"), "name = 7").unwrap();
    let person = person(&redis, &sandbox);
    let mapped = person.with("ADVOSYNC_MAPPINGS", folder.path().to_str().unwrap());
    let ran = mapped.run(&["doctor"]).await;
    assert!(ran.code == 1 && has(&ran, "FAIL", &["mappings", "akte.toml"]), "{}", ran.stdout);
    assert!(has(&ran, "ok", &["espocrm", "signed in"]) && has(&ran, "ok", &["redis", "answers"]), "{}", ran.stdout);

    let faulty = mapped.with("ADVOSYNC_LEASE", "9").with("ADVOSYNC_TIMEZONE", "Mars");
    let ran = faulty.run(&["doctor"]).await;
    assert_eq!((ran.code, fails(&ran)), (1, 2), "{}", ran.stdout);
    assert!(has(&ran, "FAIL", &["ADVOSYNC_LEASE"]) && has(&ran, "FAIL", &["ADVOSYNC_TIMEZONE"]), "{}", ran.stdout);
}

#[tokio::test]
async fn without_credentials_it_names_the_settings() {
    let redis = Redis::start();
    let ran = Person::at(&redis).run(&["doctor"]).await;
    assert_eq!(ran.code, 1);
    assert!(has(&ran, "FAIL", &["advoware", "ADVOWARE_APP_ID", "ADVOWARE_PASSWORD"]), "{}", ran.stdout);
    assert!(has(&ran, "FAIL", &["espocrm", "ESPOCRM_API_BASE_URL", "ESPOCRM_API_KEY"]), "{}", ran.stdout);
    let google = ["google", "GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", "service-account.json", "flow calendar"];
    assert!(has(&ran, "FAIL", &google), "{}", ran.stdout);
    assert!(has(&ran, "note", &["webhooks", "ESPOCRM_ADMIN_USER"]), "{}", ran.stdout);
    assert!(has(&ran, "warn", &["ESPOCRM_WEBHOOK_SECRET"]), "{}", ran.stdout);
}

#[tokio::test]
async fn wrong_keys_are_tried_once_each_and_told_apart() {
    let redis = Redis::start();
    let sandbox = ready(healthy()).await;
    let person = person(&redis, &sandbox)
        .with("ESPOCRM_API_KEY", "wrong")
        .with("ESPOCRM_ADMIN_PASSWORD", "wrong")
        .with("ADVOWARE_PASSWORD", "wrong");
    sandbox.reset_counts();
    let ran = person.run(&["doctor"]).await;
    for words in
        [["advoware", "ADVOWARE_"], ["espocrm", "ESPOCRM_API_KEY"], ["espocrm admin", "ESPOCRM_ADMIN_PASSWORD"]]
    {
        assert!(has(&ran, "FAIL", &words), "{words:?}: {}", ran.stdout);
    }
    let espocrm = sandbox.calls().into_iter().filter(|call| call.system == advosync_sandbox::System::EspoCrm).count();
    assert_eq!(espocrm, 2, "more would lock the address out");
}

#[tokio::test]
async fn an_entity_that_is_hidden_is_told_from_one_that_is_missing() {
    let redis = Redis::start();
    let mut options = healthy();
    options.espocrm.denied = vec!["CBeteiligte.read".to_owned()];
    let sandbox = ready(options).await;
    let ran = person(&redis, &sandbox).run(&["doctor"]).await;
    assert!(has(&ran, "FAIL", &["may not see", "Roles"]), "{}", ran.stdout);
    sandbox.configure(|options| options.espocrm.entities.clear());
    let ran = person(&redis, &sandbox).run(&["doctor"]).await;
    assert!(has(&ran, "FAIL", &["there is no entity CBeteiligte", "Entity Manager"]), "{}", ran.stdout);
}

#[tokio::test]
async fn a_webhook_that_stands_twice_or_is_switched_off_is_told() {
    let redis = Redis::start();
    redis.prepared().await;
    let sandbox = ready(healthy()).await;
    sandbox.register_webhook("CBeteiligte.create", &format!("{HOOKS}/create"), true, None);
    let ran = person(&redis, &sandbox).good(&["doctor"]).await;
    assert!(has(&ran, "warn", &["CBeteiligte.create", "more than once"]), "{}", ran.stdout);
    let update = sandbox.webhooks().into_iter().find(|hook| hook.event == "CBeteiligte.update").unwrap();
    sandbox.switch_webhook(&update.id, false);
    let ran = person(&redis, &sandbox).run(&["doctor"]).await;
    assert!(has(&ran, "FAIL", &["CBeteiligte.update", "switched off"]), "{}", ran.stdout);
    assert_eq!((ran.code, fails(&ran)), (1, 1), "{}", ran.stdout);
}

#[tokio::test]
async fn a_sync_field_of_the_wrong_type_is_told() {
    let redis = Redis::start();
    redis.prepared().await;
    let mut options = healthy();
    let mut entity = options.espocrm.entities.remove(0).without("advowareLastSync").without("syncErrorMessage");
    entity.fields.extend([Field::new("advowareLastSync", Kind::Date), Field::varchar("syncErrorMessage", 100)]);
    options.espocrm.entities.push(entity);
    let sandbox = ready(options).await;
    let ran = person(&redis, &sandbox).run(&["doctor"]).await;
    assert!(has(&ran, "FAIL", &["field advowareLastSync", "type date", "datetime"]), "{}", ran.stdout);
    assert!(has(&ran, "FAIL", &["field syncErrorMessage", "100 characters"]), "{}", ran.stdout);
    assert_eq!((ran.code, fails(&ran)), (1, 2), "{}", ran.stdout);
}

#[tokio::test]
async fn whose_the_calendars_are_and_who_sees_them_is_told() {
    let redis = Redis::start();
    redis.prepared().await;
    let sandbox = ready(healthy()).await;
    let person = person(&redis, &sandbox).with("GOOGLE_CALENDAR_OWNER", "");
    let ran = person.good(&["doctor"]).await;
    assert!(has(&ran, "warn", &["google", "GOOGLE_CALENDAR_OWNER"]), "{}", ran.stdout);
    assert!(!has(&ran, "warn", &["service account for good"]), "there are no calendars yet: {}", ran.stdout);
}

#[tokio::test]
async fn a_key_of_google_that_is_missing_or_broken_is_told() {
    let redis = Redis::start();
    redis.prepared().await;
    let sandbox = ready(healthy()).await;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.json");
    let person = person(&redis, &sandbox).with("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", key.to_str().unwrap());
    let ran = person.run(&["doctor"]).await;
    let lacks = ["google", "set GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", "key.json", "does not read the flow calendar"];
    assert!(has(&ran, "FAIL", &lacks), "{}", ran.stdout);
    assert_eq!((ran.code, fails(&ran)), (1, 1), "the rest is well: {}", ran.stdout);
    std::fs::write(&key, "{}").unwrap();
    let ran = person.run(&["doctor"]).await;
    assert!(ran.code == 1 && has(&ran, "FAIL", &["google", "SERVICE_ACCOUNT_PATH"]), "{}", ran.stdout);
}

#[tokio::test]
async fn an_api_user_that_may_tell_nobody_is_named() {
    let redis = Redis::start();
    redis.prepared().await;
    let mut options = healthy();
    options.espocrm.message_permission = false;
    let sandbox = ready(options).await;
    let ran = person(&redis, &sandbox).good(&["doctor"]).await;
    assert!(has(&ran, "warn", &["espocrm", "Message Permission"]), "{}", ran.stdout);
    sandbox.configure(|options| options.espocrm.message_permission = true);
    let ran = person(&redis, &sandbox).good(&["doctor"]).await;
    assert!(!ran.stdout.contains("Message Permission"), "{}", ran.stdout);
}
