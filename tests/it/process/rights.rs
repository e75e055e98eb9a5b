//! `ops/redis-acl.conf`: the program works with these rights, asks for no more, and nobody can do more with them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use advosync_sandbox::{BETEILIGTE, CBETEILIGTE, Fault, Options, System, TERMINE};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::support::{Home, Process, until};
use crate::support::redis::{Redis, Way};
use crate::support::world::World;

const PASSWORD: &str = "9b1c-langes-kennwort";

fn file() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/redis-acl.conf")).unwrap()
}

/// The words behind a user's name.
fn rights(user: &str) -> BTreeSet<String> {
    let file = file();
    let line = file.lines().find(|line| line.starts_with(&format!("user {user} "))).unwrap();
    line.split(' ').skip(2).map(str::to_owned).collect()
}

/// A Redis with the shipped files, all passwords set to ours as the runbook says, and somebody who may look at everything.
struct Guarded {
    redis: Option<Redis>,
    _folder: tempfile::TempDir,
}

impl Guarded {
    fn start(prefix: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("redis-acl.conf");
        let digest = hex::encode(Sha256::digest(PASSWORD));
        let file = file().replace(" on resetchannels", &format!(" on #{digest} resetchannels"));
        let file = file.replace('~', &format!("~{prefix}"));
        std::fs::write(&path, format!("{file}\nuser root on nopass ~* &* +@all\n")).unwrap();
        let text = str::to_owned;
        let way = Way {
            server: vec![text("--include"), path.to_str().unwrap().to_owned(), text("--port")],
            cli: ["--user", "root", "--pass", "any", "--no-auth-warning"].map(text).to_vec(),
            address: Some(format!("redis://advosync:{PASSWORD}@127.0.0.1")),
            ..Way::default()
        };
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/redis.conf");
        Self { redis: Some(Redis::reached_by(Some(shipped), way)), _folder: folder }
    }
}

/// What redis-cli prints to a user of the file.
fn said_to(redis: &Redis, user: &str, words: &[&str]) -> String {
    let port = redis.port().to_string();
    let mut command = Command::new("redis-cli");
    command.args(["-p", &port, "-n", "1", "--user", user, "--pass", PASSWORD, "--no-auth-warning"]).args(words);
    let out = command.output().unwrap();
    (String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap()).trim().to_owned()
}

/// What was refused since the start, one `user: what` each. Reading settings is not allowed, and the program does without.
fn refused(redis: &Redis) -> BTreeSet<String> {
    let log = redis.cli(&["--json", "ACL", "LOG", "1000"]);
    let log: Vec<serde_json::Value> = serde_json::from_str(&log).unwrap();
    let told = |entry: &serde_json::Value| {
        let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        format!("{}: {} {} ({})", field("username"), field("reason"), field("object"), field("context"))
    };
    log.iter().map(told).filter(|line| !line.contains("command config|get ")).collect()
}

/// Every role and every command, with successes, conflicts, deaths, replays and a worker that is killed.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_works_with_these_rights_and_is_refused_nothing() {
    let mut guarded = Guarded::start("");
    let settings = [("ADVOSYNC_MAX_ATTEMPTS", "1"), ("GOOGLE_MIN_INTERVAL", "0s"), ("ADVOSYNC_LEASE", "1s")];
    let mut world = World::idle_at(guarded.redis.take().unwrap(), &settings, Options::default()).await;
    let people = world.sandbox.people();
    people.lawyer_create("Mitarbeiter", &json!({"kuerzel": "SB", "name": "N", "vorname": "V", "aktiv": true})).unwrap();
    let day = chrono::Utc::now().date_naive() + chrono::Days::new(3);
    let termin = json!({"datum": day, "uhrzeitVon": "14:00:00", "uhrzeitBis": "15:00:00", "text": "T", "anwalt": "SB", "sb": "SB"});
    people.lawyer_create(TERMINE, &termin).unwrap();
    world.start_worker();
    let others = ["cron", "console", "proxy"].map(|role| world.start_role(role));

    let (id, number) = world.created(&json!({"firstName": "Max", "lastName": "Muster"})).await;
    let (gone, _) = world.created(&json!({"firstName": "Max", "lastName": "Weg"})).await;
    world.edit(&id, &json!({"emailAddress": "crm@example.org"}));
    world.lawyer(number, &json!({"emailGesch": "kanzlei@example.org"}));
    world.sandbox.people().crm_delete(CBETEILIGTE, &gone).unwrap();
    let stranger = json!({"name": "Fremd", "vorname": "Eva"});
    world.sandbox.people().lawyer_create(BETEILIGTE, &stranger).unwrap();
    world.rest().await;
    world.sandbox.fault(Fault::on(System::Advoware).put("*/Beteiligte/*").answer(400, "gesperrt"));
    world.edit(&id, &json!({"emailAddress": "neu@example.org"}));
    world.rest().await;
    world.sandbox.clear_faults();
    let letter = world.run(&["dead", "list", "--json"]).await.1;
    let letter = letter.split('"').find(|word| word.split_once('-').is_some_and(|(ms, _)| ms.len() == 13)).unwrap();

    for (words, code) in [
        (&["migrate"][..], 0),
        (&["status"], 0),
        (&["status", "--json"], 0),
        (&["doctor"], 0),
        (&["record", "beteiligte", &id, "--inspect"], 0),
        (&["dead", "show", letter], 0),
        (&["dead", "replay", letter], 0),
        (&["record", "beteiligte", &id, "--wait"], 0),
        (&["record", "beteiligte", "--all"], 0),
        (&["sync", "SB", "--wait"], 0),
        (&["sync", "ALL", "--wait"], 0),
    ] {
        let (ended, said) = world.run(words).await;
        assert!(ended == code || words[0] == "doctor", "{words:?}: {ended} {said}");
        assert!(!said.contains("not allow"), "{words:?}: {said}");
    }
    // A worker dies with jobs in its hands, and another one takes them over.
    let ids: Vec<String> =
        (0..20).map(|n| world.create(&json!({"firstName": "Max", "lastName": format!("M{n}")}))).collect();
    world.deliver().await;
    world.kill_worker();
    world.start_worker();
    world.rest().await;
    for id in ids.iter().chain([&id]) {
        world.party(world.number(id));
    }
    // Redis forgets what it holds, and the program sees to it.
    world.redis.cli(&["FLUSHALL"]);
    world.redis.cli(&["FUNCTION", "FLUSH"]);
    world
        .until("it was set up again", async || !world.redis.cli(&["HGET", "advosync:layout", "lost_how"]).is_empty())
        .await;
    world.rest().await;
    for role in others {
        role.terminate(std::time::Duration::from_secs(30)).await;
    }
    world.take_worker().terminate(std::time::Duration::from_secs(30)).await;
    assert_eq!(refused(&world.redis), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_prefix_the_patterns_begin_with_it() {
    let guarded = Guarded::start("{kanzlei}:");
    let redis = guarded.redis.as_ref().unwrap();
    let sandbox = advosync_sandbox::Sandbox::start(Options::default()).await.unwrap();
    let employee = json!({"kuerzel": "SB", "name": "N", "vorname": "V", "aktiv": true});
    sandbox.people().lawyer_create("Mitarbeiter", &employee).unwrap();
    let record = sandbox.people().crm_create(CBETEILIGTE, &json!({"firstName": "Max", "lastName": "Muster"})).unwrap();
    let home = Home::at(redis).with_all(sandbox.env()).with("ADVOSYNC_KEY_PREFIX", "{kanzlei}:");
    home.run(&["migrate"]).with_code(0);
    let up: Process = home.ready("up");
    home.run(&["record", "beteiligte", &record, "--wait"]).with_code(0);
    home.run(&["sync", "SB", "--wait"]).with_code(0);
    home.run(&["status"]).with_code(0);
    up.stop().with_code(0);
    assert_eq!(refused(redis), BTreeSet::new());
    assert_eq!(redis.cli(&["--scan"]).lines().filter(|key| !key.starts_with("{kanzlei}:")).count(), 0);
    // Without it, it is somebody else's place.
    home.with("ADVOSYNC_KEY_PREFIX", "other:").run(&["status"]).with_code(1).told("other:");
}

#[tokio::test]
async fn whatever_else_is_refused() {
    let guarded = Guarded::start("");
    let redis = guarded.redis.as_ref().unwrap();
    redis.prepared().await;
    redis.cli(&["SET", "foreign", "secret"]);
    redis.cli(&["SET", "advoware:token:x", "sealed"]);
    let nobody = [
        "FLUSHALL",
        "FLUSHDB",
        "CONFIG SET dir /tmp",
        "CONFIG GET requirepass",
        "CONFIG REWRITE",
        "KEYS *",
        "SCAN 0",
        "RANDOMKEY",
        "DBSIZE",
        "DEBUG SLEEP 0",
        "SHUTDOWN NOSAVE",
        "ACL LIST",
        "ACL SETUSER x on",
        "ACL WHOAMI",
        "GET foreign",
        "SET foreign x",
        "DEL foreign",
        "HGETALL foreign",
        "EVAL return(1) 0",
        "SCRIPT FLUSH",
        "FUNCTION FLUSH",
        "FUNCTION DELETE advosync_admin",
        "FUNCTION DUMP",
        "CLIENT LIST",
        "CLIENT KILL TYPE normal",
        "CLIENT PAUSE 1",
        "MONITOR",
        "SAVE",
        "BGSAVE",
        "BGREWRITEAOF",
        "REPLICAOF NO ONE",
        "SUBSCRIBE c",
        "PUBLISH c x",
        "SWAPDB 0 1",
        "MODULE LIST",
        "XTRIM jobs:vmh MAXLEN 0",
        "RENAME jobs:vmh jobs:x",
        "COPY jobs:vmh jobs:x",
        "RESTORE jobs:x 0 x",
        "MIGRATE h 1 jobs:vmh 0 1",
        "SORT jobs:vmh",
        "OBJECT HELP",
        "SLOWLOG GET",
        "LATENCY RESET",
        "XGROUP DESTROY jobs:vmh workers",
        "XGROUP SETID jobs:vmh workers 0",
    ];
    let admin = [
        "GET advoware:token:x",
        "SET sync_lock:beteiligte:1 x",
        "DEL jobs:vmh",
        "HSET ledger:beteiligte:pairs a b",
        "FUNCTION LOAD x",
        "FCALL advosync_2_claim 0",
        "XGROUP CREATE jobs:vmh x 0",
        "XACK jobs:vmh workers 1-1",
        "SET upstream:google x",
    ];
    let watch = [
        "XADD jobs:vmh * a b",
        "XDEL jobs:vmh 1-1",
        "HGETALL jobs:vmh:parked",
        "HLEN ledger:beteiligte:pairs",
        "FCALL advosync_replay 0",
        "FCALL_RO advosync_2_stats 0",
        "GET advoware:token:x",
        "SET jobs:x 1",
    ];
    let tables: [(&str, Vec<&str>); 3] = [
        ("advosync", nobody.to_vec()),
        ("advosync-admin", [&nobody[..], &admin].concat()),
        ("advosync-watch", [&nobody[..], &admin, &watch].concat()),
    ];
    for (user, commands) in tables {
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            let said = said_to(redis, user, &words);
            assert!(said.starts_with("NOPERM"), "{user}: {command}: {said}");
        }
    }
    assert_eq!(redis.cli(&["GET", "foreign"]), "secret");
    // What each is there for.
    assert_eq!(said_to(redis, "advosync-watch", &["FCALL_RO", "advosync_stats", "1", "jobs:vmh"]).lines().count(), 5);
    assert!(said_to(redis, "advosync-watch", &["INFO", "server"]).contains("redis_version"));
    let by_hand = ["XADD", "jobs:vmh", "*", "topic", "vmh.beteiligte.sync_check", "key", "x1"];
    assert!(said_to(redis, "advosync-admin", &by_hand).contains('-'));
    for words in
        [&["advosync_replay", "2", "jobs:vmh:dead", "jobs:vmh"][..], &["advosync_discard", "1", "jobs:vmh:dead"]]
    {
        let dead = ["XADD", "jobs:vmh:dead", "*", "topic", "vmh.beteiligte.update", "key", "x1", "code", "validation"];
        let id = redis.cli(&dead);
        assert_eq!(said_to(redis, "advosync-admin", &[&["FCALL"], words, &[&id]].concat()), "1", "{words:?}");
    }
    let admin_refused: Vec<String> = refused(redis).into_iter().filter(|line| line.contains("(lua)")).collect();
    assert_eq!(admin_refused, [""; 0]);
}

#[tokio::test]
async fn as_shipped_nobody_gets_in() {
    let guarded = Guarded::start("");
    let redis = guarded.redis.as_ref().unwrap();
    assert!(!file().contains(" nopass") && !file().lines().any(|line| line.starts_with("user ") && line.contains('#')));
    for user in ["advosync", "advosync-admin", "advosync-watch"] {
        assert_eq!(redis.cli(&["ACL", "SETUSER", user, "resetpass"]), "OK");
        assert!(said_to(redis, user, &["PING"]).contains("WRONGPASS"));
    }
    assert!(said_to(redis, "default", &["PING"]).contains("WRONGPASS"));
    let port = redis.port().to_string();
    let out = Command::new("redis-cli").args(["-p", &port, "PING"]).output().unwrap();
    assert!(String::from_utf8(out.stdout).unwrap().contains("NOAUTH"));
}

#[tokio::test]
async fn a_right_that_is_missing_is_named() {
    let guarded = Guarded::start("");
    let redis = guarded.redis.as_ref().unwrap();
    let home = Home::at(redis);
    let without = |change: &[&str], command: &[&str], words: &[&str]| {
        assert_eq!(redis.cli(&[&["ACL", "SETUSER", "advosync"], change].concat()), "OK");
        let ended = home.run(command).with_code(1);
        for word in words.iter().chain(&["redis does not allow this", "Rights in Redis"]) {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains(PASSWORD));
    };
    without(&["-function|load"], &["migrate"], &["FUNCTION LOAD"]);
    // A role goes on trying, and has said why.
    redis.cli(&["DEL", "advosync:migrating"]);
    let role = home.start("ingress");
    let told = role.says("redis cannot be used, trying again").to_string();
    assert!(told.contains("FUNCTION LOAD") && told.contains("Rights in Redis"), "{told}");
    redis.cli(&["ACL", "SETUSER", "advosync", "+function|load"]);
    redis.cli(&["DEL", "advosync:migrating"]);
    role.says("redis answers and its layout fits");
    role.stop().with_code(0);
    // One that runs says what it lacks, too; that it may not see settings (CONFIG GET) is nothing to tell.
    let role = home.ready("ingress");
    redis.cli(&["ACL", "SETUSER", "advosync", "-xadd"]);
    assert!(role.http().post("/advoware/calendar/sync", "{\"kuerzel\":\"SB\"}").status >= 500);
    let told = role.says("redis does not allow a command to our user").to_string();
    assert!(told.contains("FCALL advosync_2_enqueue jobs:calendar"), "{told}");
    redis.cli(&["ACL", "SETUSER", "advosync", "+xadd"]);
    role.stop().with_code(0);
    without(&["-hgetall"], &["status"], &["hgetall", "HGETALL"]);
    without(&["+hgetall", "-xadd"], &["sync", "MH"], &["FCALL advosync_2_enqueue", "jobs:calendar"]);
    without(&["+xadd", "resetkeys", "~jobs:*"], &["status"], &["advosync:layout"]);
    without(&["resetpass"], &["status"], &["authentication failed", "password of REDIS_URL"]);
    let nobody = Home::new().with("REDIS_URL", &format!("redis://127.0.0.1:{}/1", redis.port()));
    nobody.run(&["status"]).with_code(1).told("write the user and the password into REDIS_URL");
    until("the log is there", || !refused(redis).is_empty());
}

/// The commands in the code, in both languages.
fn sent() -> BTreeSet<String> {
    fn texts(path: &Path, out: &mut Vec<String>) {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                texts(&entry.unwrap().path(), out);
            }
        } else {
            out.push(std::fs::read_to_string(path).unwrap());
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut rust, mut lua) = (Vec::new(), Vec::new());
    for folder in ["src/queue", "src/sync/ledger", "src/roles"] {
        texts(&root.join(folder), &mut rust);
    }
    texts(&root.join("migrations"), &mut lua);
    // Begin of a command, what goes between it and its part, and the quotation mark.
    let forms = [(&rust, "cmd(\"", "\").arg(\"", '"'), (&lua, "call('", "', '", '\'')];
    let mut sent = BTreeSet::new();
    for (texts, begin, between, end) in forms {
        for rest in texts.iter().flat_map(|text| text.split("#[cfg(test)]").next().unwrap().split(begin).skip(1)) {
            let (name, after) = rest.split_once(end).unwrap();
            let part = after.strip_prefix(&between[1..]).and_then(|after| after.split_once(end)).map(|(part, _)| part);
            let name = name.to_lowercase();
            match part {
                Some(part) if ["xgroup", "xinfo", "function", "config"].contains(&name.as_str()) => {
                    sent.insert(format!("{name}|{}", part.to_lowercase()));
                }
                _ => drop(sent.insert(name)),
            }
        }
    }
    sent
}

#[test]
fn the_programs_user_may_send_what_is_in_the_code_and_nothing_else() {
    // How functions are called, and the database is chosen, by the client's library.
    let by_others = ["fcall", "fcall_ro", "select"].map(str::to_owned);
    // Not allowed: passwords stand among the settings. The other is for the Redis that `up` starts, which has no users.
    let without = ["config|get", "shutdown"];
    let sent: BTreeSet<String> =
        sent().into_iter().chain(by_others).filter(|it| !without.contains(&it.as_str())).collect();
    let may: BTreeSet<String> =
        rights("advosync").iter().filter_map(|word| word.strip_prefix('+')).map(str::to_owned).collect();
    let lacking: Vec<_> = sent.difference(&may).collect();
    let too_many: Vec<_> = may.difference(&sent).collect();
    assert!(
        lacking.is_empty() && too_many.is_empty(),
        "ops/redis-acl.conf lacks {lacking:?}; nobody needs {too_many:?}"
    );
    assert!(sent.len() > 50, "{sent:?}");
}
