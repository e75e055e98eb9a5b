//! The shared token, and write protection.

use advosync::queue::Ended;
use advosync_sandbox::{Options, System};
use base64::Engine as _;
use serde_json::json;

use super::person;
use crate::support::world::World;

#[tokio::test]
async fn two_workers_share_one_token_and_renew_it_once() {
    let mut world = World::idle(&[], Options::default()).await;
    let sign_ins = |world: &World| world.sandbox.count(System::AdvowareSignIn).calls;
    let mut ids: Vec<String> = (0..20).map(|n| world.create(&person("Max", &format!("Muster{n}")))).collect();
    world.deliver().await;
    world.start_worker();
    world.start_worker();
    world.settle_all().await;
    assert_eq!(sign_ins(&world), 1);
    world.sandbox.revoke_tokens();
    ids.extend((20..40).map(|n| world.create(&person("Max", &format!("Muster{n}")))));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(sign_ins(&world), 2, "one new sign-in for all");
    world.one_to_one(&ids);
    assert_eq!(world.writes_to(System::EspoCrm, 0).len(), ids.len(), "nobody was told of a failure");
}

#[tokio::test]
async fn with_write_protection_nothing_is_written_and_the_job_says_what_would_be() {
    let mut world = World::start().await;
    let (id, number) = world.created(&person("Max", "Mustermann")).await;
    world.kill_worker();
    world.set("ADVOWARE_WRITE_PROTECTION", "true");
    world.start_worker();
    world.edit(&id, &json!({ "emailAddress": "crm@example.org" }));
    world.lawyer(number, &json!({ "telGesch": "+4940987654" }));
    let new = world.create(&person("Erika", "Muster"));
    let mark = world.mark();
    for (id, method) in [(&id, "PUT"), (&new, "POST")] {
        let Ended::Done { result, detail } = world.sync(id).await else { panic!("{id} is not done") };
        assert_eq!(result, "withheld");
        assert_eq!(detail.unwrap()["withheld"]["method"], method);
    }
    world.rest().await;
    assert_eq!(world.writes(mark), []);
    let calls = world.sandbox.calls();
    let refused = |call: &&advosync_sandbox::Call| call.system == System::Advoware && call.method != "GET";
    assert_eq!(calls.iter().filter(refused).count(), 1, "only the create before the protection");
    assert_eq!((world.stats().await.dead, world.stats().await.scheduled), (0, 0));
    // The edits are not forgotten.
    world.kill_worker();
    world.set("ADVOWARE_WRITE_PROTECTION", "false");
    world.start_worker();
    for id in [&id, &new] {
        world.done(id).await;
    }
    world.one_to_one(&[id.clone(), new]);
    assert_eq!(world.party(number)["emailGesch"], "crm@example.org");
    assert_eq!(world.record(&id)["phoneNumber"], "+4940987654");
}

/// The content of all files below a folder.
fn contents(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { contents(&path) } else { vec![std::fs::read(path).unwrap()] }).collect()
}

/// Every file of Redis: the append-only one, which has whatever was ever stored, and a snapshot, which has every key of now.
fn files_of(world: &World) -> Vec<Vec<u8>> {
    let redis = &world.redis;
    assert_eq!(redis.cli(&["CONFIG", "SET", "rdbcompression", "no"]), "OK");
    assert_eq!(redis.cli(&["SAVE"]), "OK");
    let files = contents(redis.backup().path());
    assert!(files.len() >= 3, "a snapshot, a manifest, and what was appended");
    files
}

fn holds(files: &[Vec<u8>], text: &str) -> bool {
    files.iter().any(|file| file.windows(text.len()).any(|part| part == text.as_bytes()))
}

#[tokio::test]
async fn the_token_and_the_secrets_are_in_no_file_of_redis() {
    let mut world = World::idle(&[], Options::default()).await;
    world.start_worker();
    world.start_worker();
    let cron = world.start_role("cron");
    let mut tokens = Vec::new();
    for round in 0..2 {
        for n in 0..5 {
            world.create(&person("Max", &format!("Muster{round}{n}")));
        }
        world.deliver().await;
        world.settle_all().await;
        tokens.extend(world.sandbox.advoware_tokens());
        world.sandbox.revoke_tokens();
    }
    assert_eq!(tokens.len(), 2, "one each round");
    let files = files_of(&world);
    let stored = world.redis.cli(&["KEYS", "advoware:token:*"]);
    let sealed = world.redis.cli(&["GET", &stored]);
    assert!(sealed.len() > 60 && holds(&files, &sealed), "a search finds what is there: {stored} {sealed}");
    let options = world.sandbox.options();
    let secrets = [options.advoware.password, options.advoware.api_key, options.espocrm.api_key];
    for secret in tokens.iter().chain(&secrets) {
        assert!(!secret.is_empty());
        for form in [secret.clone(), hex::encode(secret), base64::prelude::BASE64_STANDARD.encode(secret)] {
            assert!(!holds(&files, form.trim_end_matches('=')), "{form}");
        }
    }
    cron.kill();
}

#[tokio::test]
async fn workers_with_different_keys_have_a_token_each_and_leave_each_other_alone() {
    let mut world = World::idle(&[], Options::default()).await;
    // As an older version leaves it.
    world.redis.cli(&["SET", "advoware:token", "0123456789abcdef oldtoken", "EX", "3000"]);
    world.start_worker();
    let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    world.set("ADVOSYNC_ENCRYPTION_KEY", key);
    world.start_worker();
    let mut ids = Vec::new();
    for round in 0..3 {
        ids.extend((0..10).map(|n| world.create(&person("Max", &format!("Muster{round}{n}")))));
        world.deliver().await;
        world.settle_all().await;
    }
    // Whichever worker had nothing to do yet has now.
    world.kill_worker();
    ids.push(world.create(&person("Erika", "Muster")));
    world.deliver().await;
    world.settle_all().await;
    assert_eq!(world.sandbox.count(System::AdvowareSignIn).calls, 2, "one for each key");
    world.one_to_one(&ids);
    assert_eq!(world.redis.cli(&["GET", "advoware:token"]), "0123456789abcdef oldtoken", "it is an older one's");
}

#[tokio::test]
async fn a_token_that_does_not_open_costs_one_sign_in() {
    let mut world = World::start().await;
    let mut ids = vec![world.created(&person("Max", "Muster")).await.0];
    let key = world.redis.cli(&["KEYS", "advoware:token:*"]);
    let sealed = world.redis.cli(&["GET", &key]);
    let other = format!("{}{}", if sealed.starts_with('A') { 'B' } else { 'A' }, &sealed[1..]);
    for (n, broken) in [other.as_str(), "", "0123456789abcdef oldtoken"].into_iter().enumerate() {
        let before = world.sandbox.count(System::AdvowareSignIn).calls;
        world.redis.cli(&["SET", &key, broken, "EX", "3000"]);
        ids.extend((0..3).map(|m| world.create(&person("Erika", &format!("Muster{n}{m}")))));
        world.deliver().await;
        world.settle_all().await;
        assert_eq!(world.sandbox.count(System::AdvowareSignIn).calls, before + 1, "{broken:?}");
    }
    world.one_to_one(&ids);
    let told: usize = world
        .logs()
        .iter()
        .flat_map(|(_, lines)| lines)
        .filter(|line| line["message"] == "the token in redis was not stored by advosync, a new one is fetched")
        .count();
    assert_eq!(told, 1, "once is enough");
    assert_eq!(world.stats().await.dead, 0);
    world.kill_worker();
}
