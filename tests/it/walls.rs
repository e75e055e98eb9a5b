//! The walls between the rooms (docs/architecture.md), held mechanically.

use std::fs;
use std::path::{Path, PathBuf};

/// Rust files below a folder of `src`, with their text; comments are left out, so that prose may name a room.
fn sources(room: &str) -> Vec<(PathBuf, String)> {
    fn walk(path: &Path, out: &mut Vec<(PathBuf, String)>) {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                walk(&entry.unwrap().path(), out);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            out.push((path.to_owned(), code.join("\n")));
        }
    }
    let mut out = Vec::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    walk(&src.join(room), &mut out);
    assert!(!out.is_empty(), "no room {room}");
    out
}

fn check(room: &str, forbidden: &[&str]) {
    for (path, code) in sources(room) {
        for word in forbidden {
            assert!(!code.contains(word), "{} must not say `{word}`", path.display());
        }
    }
}

#[test]
fn the_queue_knows_none_of_the_systems() {
    check("queue", &["crate::sync", "crate::clients", "crate::worker", "crate::ingress", "crate::settings"]);
}

#[test]
fn clients_decide_nothing() {
    check("clients", &["crate::sync", "crate::worker", "crate::ingress", "crate::settings"]);
}

#[test]
fn producers_and_the_console_never_call_upstreams() {
    for room in ["ingress", "cron", "console"] {
        check(room, &["crate::clients", "crate::sync", "crate::worker"]);
    }
}

#[test]
fn the_worker_knows_no_system() {
    check("worker", &["crate::sync", "crate::clients"]);
}

#[test]
fn callers_are_known_in_one_place() {
    let others = ["queue", "clients", "sync", "worker", "ingress", "console", "proxy", "cron", "roles", "settings"];
    check("callers", &others.map(|room| format!("crate::{room}")).each_ref().map(String::as_str));
    for room in ["ingress", "console", "proxy"] {
        for (path, code) in sources(room) {
            let tests = if path.ends_with("tests.rs") { 0 } else { code.find("#[cfg(test)]").unwrap_or(code.len()) };
            assert!(!code[..tests].to_ascii_lowercase().contains("authorization)"), "{} reads a token", path.display());
        }
    }
}

#[test]
fn the_queue_and_the_worker_ask_no_clock_but_redis() {
    for room in ["queue", "worker"] {
        check(room, &["Utc::now", "Local::now", "SystemTime"]);
    }
}

#[test]
fn deciding_is_pure() {
    let thin = ["failure.rs", "handler.rs", "inspect.rs"];
    let thin_folders = ["execute", "ledger", "sweep"];
    for (path, code) in sources("sync") {
        let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
        let in_thin = below.components().any(|part| thin_folders.iter().any(|name| part.as_os_str() == *name));
        let is_test = below.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        if in_thin || is_test || thin.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        for word in ["crate::clients", "redis::", "Utc::now", "Instant::now", "SystemTime", ".await", "tokio::"] {
            let tests = code.find("#[cfg(test)]").unwrap_or(code.len());
            assert!(!code[..tests].contains(word), "{} decides, so it must not say `{word}`", path.display());
        }
    }
}

#[test]
fn only_the_queue_and_the_ledger_spell_redis_keys() {
    for (path, code) in sources("") {
        let file = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
        if file.starts_with("queue") || file.starts_with("sync/ledger") {
            continue;
        }
        let tests = code.find("#[cfg(test)]").unwrap_or(code.len());
        for word in [
            "redis::cmd",
            "redis::pipe",
            "\"jobs:",
            "\"vmh:",
            "\"ledger:",
            "\"sync_lock:",
            "_pending\"",
            "calendar_sync:lock",
            "calendar_sync:termin_lock",
            "\"throttle:",
            "\"cron:",
        ] {
            assert!(!code[..tests].contains(word), "{} must not say `{word}`", path.display());
        }
    }
}

/// What the executor of records may call without a name. Everything else of the ledger, the clients and the queue is a write
/// until it stands here.
const READS: [&str; 11] = [
    "page_of",
    "read",
    "owners",
    "failure",
    "all_trials",
    "import",
    "get",
    "list",
    "own_user",
    "problems",
    "is_buried",
];

/// The calls of this text that write without a boundary.
fn unnamed_writes(code: &str) -> Vec<String> {
    let text: String = code.chars().filter(|it| !it.is_whitespace()).collect();
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    let mut unnamed = Vec::new();
    for place in ["ledger.", "espocrm.", "advoware.", "queue."] {
        for (at, _) in text.match_indices(place) {
            let before = &text[..at];
            let call: String = text[at + place.len()..].chars().take_while(|it| is_word(*it)).collect();
            let is_call = text[at + place.len() + call.len()..].starts_with('(');
            // Such as `mapping.advoware.path`, or a word that only ends like one of these.
            if !is_call || READS.contains(&call.as_str()) || before.ends_with(is_word) {
                continue;
            }
            let receiver = before.trim_end_matches(|it: char| is_word(it) || it == '.');
            let around = receiver.rsplit_once(".at(").map_or("", |(_, around)| around);
            let name = around.split(',').next().unwrap_or_default();
            let is_name =
                name == "boundary" || name.strip_prefix("Boundary::").is_some_and(|it| it.chars().all(is_word));
            let beside = around.ends_with(',') && around.chars().all(|it| is_word(it) || "&:.,".contains(it));
            if !is_name || !beside {
                unnamed.push(format!("{place}{call}"));
            }
        }
    }
    unnamed
}

#[test]
fn every_write_of_a_records_run_has_a_name() {
    let mut named = 0;
    for (path, code) in sources("sync/record/execute") {
        // An import is no run of a record; its crashes are in `tests/it/record/import.rs`.
        if path.ends_with("import.rs") {
            continue;
        }
        assert_eq!(unnamed_writes(&code), [""; 0], "{}: write it as `self.at(Boundary::…, …)`", path.display());
        named += code.matches("Boundary::").count();
    }
    assert!(named > 30, "the wall stands where nothing is: {named}");
    for (code, expected) in [
        ("self.at(Boundary::PartyPut, self.sync.advoware.put(path)).await", 0),
        ("self.at(boundary, id, self\n.ledger\n.pair(x))", 0),
        ("self.ledger.pair(x).await", 1),
        ("self.at(Boundary::PartyPut, self.x()); self.ledger.pair(x)", 1),
        ("self.at(Boundary::PartyPut, f).await; let x = sync.espocrm.update(x)", 1),
        ("self.ledger.a_new_method(x).await", 1),
        ("self.ledger.read(x).await", 0),
        ("self.at(id, self.queue.enqueue(x))", 1),
    ] {
        assert_eq!(unnamed_writes(code).len(), expected, "{code}");
    }
}
