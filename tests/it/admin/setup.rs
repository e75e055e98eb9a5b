//! `setup espocrm`: from a bare installation to one that `doctor` has nothing to say about.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use advosync_sandbox::{CBETEILIGTE, Entity, Fault, Match, Options, Phase, Sandbox, System};

use super::{Person, Ran};
use crate::record::second::entity;
use crate::support::redis::Redis;

/// Of the second entity.
const SYNC_FIELDS: [&str; 6] = ["awNummer", "awRowId", "awStatus", "awAbgleich", "awFehler", "awVersuche"];
const URL: &str = "http://advosync.example:3000";

/// An EspoCRM with the entity of record, but without anything that belongs to the sync.
async fn bare() -> Sandbox {
    let mut options = Options::default();
    let fields = Entity::sync_fields();
    let entity = Entity::beteiligte(CBETEILIGTE).not_required("lastName");
    options.espocrm.entities = vec![fields.iter().fold(entity, |entity, field| entity.without(&field.name))];
    Sandbox::start(options).await.unwrap()
}

fn person(redis: &Redis, sandbox: &Sandbox) -> Person {
    sandbox.env().iter().fold(Person::at(redis), |person, (name, value)| person.with(name, value))
}

#[tokio::test]
async fn a_bare_installation_is_completed_once() {
    let redis = Redis::start();
    redis.prepared().await;
    let sandbox = bare().await;
    let person = person(&redis, &sandbox);

    let dry = person.good(&["setup", "espocrm", "--dry-run"]).await;
    let would: Vec<&str> = dry.stdout.lines().collect();
    assert!(would.len() == 9 && would.iter().all(|line| line.starts_with("would create the ")), "{dry:?}");
    assert!(sandbox.effects().is_empty() && sandbox.webhooks().is_empty());

    let done = person.good(&["setup", "espocrm", "--url", URL]).await;
    let hooks = sandbox.webhooks();
    let expected: Vec<String> =
        hooks.iter().map(|hook| format!("{}:{}", hook.id, hook.secret.as_ref().unwrap())).collect();
    assert_eq!(done.stdout, expected.join(",") + "\n");
    assert!(!done.stderr.contains(hooks[0].secret.as_ref().unwrap()), "{done:?}");
    let owner = sandbox.options().espocrm.api_user_id;
    for (hook, action) in hooks.iter().zip(["create", "update", "delete"]) {
        assert_eq!(hook.event, format!("CBeteiligte.{action}"));
        assert_eq!(hook.url, format!("{URL}/vmh/webhook/beteiligte/{action}"));
        assert!(hook.skip_own && hook.user_id.as_ref() == Some(&owner));
    }
    let effects = sandbox.effects();
    assert_eq!(effects.iter().filter(|effect| effect.system == System::EspoCrm).count(), 9);

    let person = person.with("ESPOCRM_WEBHOOK_SECRET", done.stdout.trim());
    let doctor = person.good(&["doctor"]).await;
    assert!(doctor.stdout.contains("all 14 fields are there"), "{}", doctor.stdout);

    let again = person.good(&["setup", "espocrm"]).await;
    assert_eq!(again.stdout, done.stdout);
    assert_eq!(sandbox.effects().len(), effects.len());
    assert_eq!(person.good(&["setup", "espocrm", "--dry-run"]).await.stdout, "nothing to do\n");
}

#[tokio::test]
async fn what_is_there_is_left_alone() {
    let redis = Redis::start();
    let sandbox = bare().await;
    let old = sandbox.register_webhook("CBeteiligte.update", "http://old/vmh/webhook/beteiligte/update", false, None);
    let ran = person(&redis, &sandbox).good(&["setup", "espocrm", "--url", URL]).await;
    assert!(ran.stderr.contains("http://old/") && ran.stderr.contains("delete"), "{ran:?}");
    let events: Vec<String> = sandbox.webhooks().into_iter().map(|hook| hook.event).collect();
    assert_eq!(events, ["CBeteiligte.update", "CBeteiligte.create", "CBeteiligte.delete"]);
    assert!(ran.stdout.contains(&format!("{}:{}", old.id, old.secret.unwrap())), "{ran:?}");
}

#[tokio::test]
async fn it_says_what_keeps_it_from_working() {
    let redis = Redis::start();
    let sandbox = bare().await;
    let wrong = person(&redis, &sandbox).with("ESPOCRM_ADMIN_PASSWORD", "wrong");
    let ran = wrong.bad(&["setup", "espocrm", "--url", URL]).await;
    assert!(ran.stderr.contains("ESPOCRM_ADMIN_PASSWORD"), "{ran:?}");
    let ran = Person::at(&redis).bad(&["setup", "espocrm", "--dry-run"]).await;
    assert!(ran.stderr.contains("ESPOCRM_ADMIN_USER"), "{ran:?}");
    let words = ["setup", "espocrm", "--url", "advosync.example:3000"];
    assert_eq!(person(&redis, &sandbox).run(&words).await.code, 2);
    sandbox.configure(|options| options.espocrm.entities.clear());
    let ran = person(&redis, &sandbox).bad(&["setup", "espocrm", "--url", URL]).await;
    assert!(ran.stderr.contains("there is no entity CBeteiligte"), "{ran:?}");
    assert!(sandbox.effects().is_empty());
}

/// What a good `ESPOCRM_WEBHOOK_SECRET` is now.
fn secrets(sandbox: &Sandbox) -> String {
    let pairs = sandbox.webhooks().into_iter().map(|hook| format!("{}:{}", hook.id, hook.secret.unwrap()));
    pairs.collect::<Vec<_>>().join(",")
}

fn tells_no_secret(ran: &Ran, sandbox: &Sandbox) {
    for secret in sandbox.webhooks().into_iter().filter_map(|hook| hook.secret) {
        assert!(!ran.stdout.contains(&secret) && !ran.stderr.contains(&secret), "{ran:?}");
    }
}

#[tokio::test]
async fn the_secrets_go_into_a_file_that_keeps_all_the_rest() {
    let redis = Redis::start();
    redis.prepared().await;
    let sandbox = bare().await;
    let person = person(&redis, &sandbox);
    let env = person.folder.path().join(".env");
    let read = || std::fs::read_to_string(&env).unwrap();
    let words = ["setup", "espocrm", "--url", URL, "--write-env"];

    let dry = person.good(&["setup", "espocrm", "--dry-run", "--write-env"]).await;
    assert!(dry.stdout.contains("would write ESPOCRM_WEBHOOK_SECRET into .env") && !env.exists(), "{dry:?}");

    std::fs::write(&env, "# by hand\nADVOSYNC_LEASE=15s # long\nESPOCRM_WEBHOOK_SECRET=\n").unwrap();
    let done = person.good(&words).await;
    let expected = format!("# by hand\nADVOSYNC_LEASE=15s # long\nESPOCRM_WEBHOOK_SECRET={}\n", secrets(&sandbox));
    assert_eq!((done.stdout.as_str(), read()), ("", expected.clone()));
    assert!(done.stderr.contains("wrote ESPOCRM_WEBHOOK_SECRET"), "{done:?}");
    tells_no_secret(&done, &sandbox);
    assert_eq!(std::fs::metadata(&env).unwrap().permissions().mode() & 0o007, 0, "nobody else may read it");
    // What was written is what the ingress goes by.
    let doctor = person.good(&["doctor"]).await;
    assert!(doctor.stdout.contains("espocrm webhook CBeteiligte.create"), "{}", doctor.stdout);

    let before = sandbox.effects().len();
    let again = person.good(&words).await;
    assert!(again.stderr.contains("has the secrets already"), "{again:?}");
    assert_eq!((again.stdout.as_str(), read(), sandbox.effects().len()), ("", expected, before));
    assert_eq!(person.good(&["setup", "espocrm", "--dry-run", "--write-env"]).await.stdout, "nothing to do\n");
    assert_eq!(std::fs::read_dir(person.folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test]
async fn another_secret_in_the_file_stays_unless_it_is_given_up() {
    let redis = Redis::start();
    let sandbox = bare().await;
    let person = person(&redis, &sandbox);
    let env = person.folder.path().join("other.env");
    let path = env.to_str().unwrap();
    let read = || std::fs::read_to_string(&env).unwrap();
    let words = ["setup", "espocrm", "--url", URL, "--write-env", path];
    for old in ["ESPOCRM_WEBHOOK_SECRET=one-for-all\n", "A=1\nthis is no line\n"] {
        std::fs::write(&env, old).unwrap();
        let ran = person.bad(&words).await;
        assert!(ran.stderr.contains("other.env") && !ran.stderr.contains("one-for-all"), "{ran:?}");
        assert_eq!(read(), old);
        tells_no_secret(&ran, &sandbox);
    }
    // Of another installation: it is no business of this one.
    std::fs::write(&env, "ESPOCRM_WEBHOOK_SECRET=foreign:0123\n").unwrap();
    person.good(&words).await;
    assert_eq!(read(), format!("ESPOCRM_WEBHOOK_SECRET=foreign:0123,{}\n", secrets(&sandbox)));
    let id = sandbox.webhooks()[0].id.clone();
    let wrong = format!("ESPOCRM_WEBHOOK_SECRET={id}:0123\nB=2\n");
    std::fs::write(&env, &wrong).unwrap();
    let ran = person.bad(&words).await;
    assert!(ran.stderr.contains(&id) && ran.stderr.contains("--replace"), "{ran:?}");
    assert_eq!(read(), wrong);
    let ran = person.good(&[words.as_slice(), &["--replace"]].concat()).await;
    assert_eq!(read(), format!("ESPOCRM_WEBHOOK_SECRET={}\nB=2\n", secrets(&sandbox)));
    tells_no_secret(&ran, &sandbox);
    let ran = person.with("ESPOCRM_WEBHOOK_SECRET", "one").good(&words).await;
    assert!(ran.stderr.contains("counts before the file"), "{ran:?}");
}

#[tokio::test]
async fn one_that_died_on_the_way_is_completed_by_the_next() {
    let redis = Redis::start();
    let sandbox = bare().await;
    let person = person(&redis, &sandbox).with("ESPOCRM_API_TIMEOUT_SECONDS", "1");
    let words = ["setup", "espocrm", "--url", URL];
    // They took effect, and nobody heard of it.
    let lost = |path: &str| sandbox.fault(Fault::on(System::EspoCrm).post(path).once().lose_answer());
    lost("*/Admin/fieldManager/CBeteiligte");
    lost("*/Webhook");
    let ran = person.run(&words).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("FAILED: the field") && ran.stderr.contains("run this again"), "{ran:?}");
    let made = sandbox.effects().len();
    let ran = person.good(&words).await;
    assert_eq!(ran.stdout, secrets(&sandbox) + "\n", "the secret of the one that nobody heard of too");
    let events: Vec<String> = sandbox.webhooks().into_iter().map(|hook| hook.event).collect();
    assert_eq!(events, ["CBeteiligte.create", "CBeteiligte.update", "CBeteiligte.delete"]);
    assert_eq!((made, sandbox.effects().len()), (9, 9), "each once, and the second run had nothing left to make");
}

#[tokio::test]
async fn one_that_was_killed_is_completed_by_the_next() {
    let redis = Redis::start();
    let sandbox = bare().await;
    let third = Match::on(System::EspoCrm).request("POST", "*/Admin/fieldManager/CBeteiligte");
    let held = sandbox.gate_nth(third, Phase::After, 3);
    let first = person(&redis, &sandbox);
    let run = tokio::spawn(async move { first.run(&["setup", "espocrm", "--url", URL]).await });
    held.arrived().await;
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    assert_eq!(sandbox.effects().len(), 3);
    held.release();
    let done = person(&redis, &sandbox).good(&["setup", "espocrm", "--url", URL]).await;
    assert_eq!(done.stdout, secrets(&sandbox) + "\n");
    assert_eq!((sandbox.webhooks().len(), sandbox.effects().len()), (3, 9), "each was made once");
}

/// The second entity that is shipped as an example, as somebody makes it, without the sync fields.
fn akten() -> Entity {
    SYNC_FIELDS.iter().fold(entity(), |entity, name| entity.without(name))
}

#[tokio::test]
async fn every_mapping_gets_its_own_and_one_that_fails_does_not_hold_up_the_other() {
    let redis = Redis::start();
    redis.prepared().await;
    let sandbox = bare().await;
    let examples: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/beispiele");
    let person = person(&redis, &sandbox).with("ADVOSYNC_MAPPINGS", examples.to_str().unwrap());
    let words = ["setup", "espocrm", "--url", URL];
    let ran = person.run(&words).await;
    assert!(ran.code == 1 && ran.stderr.contains("there is no entity CAkten"), "{ran:?}");
    assert_eq!(ran.stdout, secrets(&sandbox) + "\n", "the other one is complete");
    assert_eq!(sandbox.webhooks().len(), 3);

    sandbox.configure(|options| options.espocrm.entities.push(akten()));
    let ran = person.good(&words).await;
    let urls: Vec<String> = sandbox.webhooks().into_iter().skip(3).map(|hook| hook.url).collect();
    assert_eq!(urls, ["create", "update", "delete"].map(|action| format!("{URL}/vmh/webhook/akten/{action}")));
    for name in SYNC_FIELDS {
        assert!(ran.stderr.contains(&format!("created the field CAkten.{name}\n")), "{name}: {ran:?}");
    }
    assert!(!ran.stderr.contains("CBeteiligte"), "nothing was left to do there: {ran:?}");
    let doctor = person.with("ESPOCRM_WEBHOOK_SECRET", ran.stdout.trim()).run(&["doctor"]).await;
    assert!(doctor.stdout.contains("espocrm webhook CAkten.delete"), "{}", doctor.stdout);
    assert!(!doctor.stdout.lines().any(|line| line.starts_with("FAIL")), "{}", doctor.stdout);
}

#[tokio::test]
async fn one_who_is_no_administrator_is_told_so_and_makes_nothing() {
    let redis = Redis::start();
    let sandbox = bare().await;
    let user = r#"{"user":{"id":"6b023acf000000001","userName":"admin","type":"regular"}}"#;
    sandbox.fault(Fault::on(System::EspoCrm).get("*/App/user").answer(200, user));
    let ran = person(&redis, &sandbox).bad(&["setup", "espocrm", "--url", URL]).await;
    assert!(ran.stderr.contains("no administrator") && ran.stderr.contains("ESPOCRM_ADMIN_USER"), "{ran:?}");
    assert!(sandbox.effects().is_empty());
}
