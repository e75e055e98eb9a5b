//! `setup espocrm`: from a bare installation to one that `doctor` has nothing to say about.

use advosync_sandbox::{CBETEILIGTE, Entity, Options, Sandbox, System};

use super::Person;
use crate::support::redis::Redis;

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

    let again = person.good(&["setup", "espocrm", "--url", URL]).await;
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
    for words in [&["setup", "espocrm"][..], &["setup", "espocrm", "--url", "advosync.example:3000"]] {
        assert_eq!(person(&redis, &sandbox).run(words).await.code, 2, "{words:?}");
    }
    sandbox.configure(|options| options.espocrm.entities.clear());
    let ran = person(&redis, &sandbox).bad(&["setup", "espocrm", "--url", URL]).await;
    assert!(ran.stderr.contains("there is no entity CBeteiligte"), "{ran:?}");
    assert!(sandbox.effects().is_empty());
}
