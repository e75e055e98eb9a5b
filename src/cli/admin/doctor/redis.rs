//! Redis: is it there, does its layout fit, does it keep what it accepts?

use chrono::Utc;

use crate::cli::admin::finding::Finding;
use crate::queue::{Durability, QueueError};
use crate::roles::Parts;

/// Functions came with 7.0, and the queue is made of them.
const OLDEST: (u32, u32) = (7, 0);

pub(super) async fn check(parts: &Parts) -> Vec<Finding> {
    let address = parts.settings.redis.resolve(&parts.settings.data_dir).describe();
    if let Err(error) = parts.queue.ping().await {
        return vec![Finding::fail("redis", format!("{address}: {error}"))];
    }
    let mut findings = vec![Finding::ok("redis", format!("{address} answers"))];
    findings.push(layout(parts).await);
    match parts.queue.durability().await {
        Ok(durability) => findings.extend(judge(&durability)),
        Err(error) => findings.push(Finding::fail("redis durability", error.to_string())),
    }
    findings
}

async fn layout(parts: &Parts) -> Finding {
    const ABOUT: &str = "redis layout";
    match parts.queue.migrate(true, Utc::now()).await {
        Ok(done) if done.steps.is_empty() => Finding::ok(ABOUT, format!("layout {} is in place", done.to)),
        Ok(done) if done.from.is_none() => {
            Finding::warn(ABOUT, "none yet; it is set up as soon as a role starts, or by `advosync migrate`")
        }
        Ok(done) => Finding::warn(ABOUT, format!("run `advosync migrate`; it would {}", done.steps.join(", "))),
        // A newer layout is no fault where it serves this program, too.
        Err(QueueError::Layout(text)) => match parts.queue.ready().await {
            Ok(()) => Finding::ok(ABOUT, "a newer version's, which serves this one too"),
            Err(_) => Finding::fail(ABOUT, text),
        },
        Err(error) => Finding::fail(ABOUT, error.to_string()),
    }
}

/// What the server's own settings mean for accepted jobs (promise Q1). Pure.
fn judge(durability: &Durability) -> Vec<Finding> {
    let Durability { version, append_only, fsync, eviction } = durability;
    vec![judge_version(version), judge_file(append_only, fsync), judge_eviction(eviction)]
}

fn judge_version(version: &str) -> Finding {
    const ABOUT: &str = "redis version";
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Finding::ok(ABOUT, version),
        (Some(_), Some(_)) => {
            Finding::fail(ABOUT, format!("{version} is too old, 7.0 or newer is needed: update Redis"))
        }
        _ => Finding::warn(ABOUT, "the server does not tell its version; 7.0 or newer is needed"),
    }
}

fn judge_file(append_only: &str, fsync: &str) -> Finding {
    const ABOUT: &str = "redis durability";
    match (append_only, fsync) {
        ("yes", "always") => Finding::ok(ABOUT, "every job is on disk before it is acknowledged"),
        ("yes", "everysec") => Finding::warn(
            ABOUT,
            "appendfsync is everysec: a crash of its machine loses up to one second of accepted jobs (the sweep finds \
             records again); set it to always",
        ),
        ("yes", "no") => Finding::fail(
            ABOUT,
            "appendfsync is no: a crash of its machine loses accepted jobs, often half a minute of them; set it to always",
        ),
        ("no", _) => Finding::fail(
            ABOUT,
            "appendonly is no: a restart of Redis loses accepted jobs; set appendonly yes and appendfsync always",
        ),
        _ => Finding::warn(
            ABOUT,
            "the server hides appendonly and appendfsync; make sure with its provider that jobs survive a restart",
        ),
    }
}

fn judge_eviction(eviction: &str) -> Finding {
    const ABOUT: &str = "redis eviction";
    match eviction {
        "noeviction" => Finding::ok(ABOUT, "nothing is thrown away when memory runs out"),
        "" => Finding::warn(ABOUT, "the server hides maxmemory-policy; it must be noeviction"),
        other => Finding::fail(
            ABOUT,
            format!("maxmemory-policy is {other}: jobs and locks may be thrown away; set it to noeviction"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::admin::finding::Level::{self, Fail, Ok, Warn};

    #[test]
    fn durability_is_judged() {
        let check = |[version, append_only, fsync, eviction]: [&str; 4], expected: [Level; 3], words: &str| {
            let text = str::to_owned;
            let durability = Durability {
                version: text(version),
                append_only: text(append_only),
                fsync: text(fsync),
                eviction: text(eviction),
            };
            let findings = judge(&durability);
            assert_eq!(findings.iter().map(|it| it.level).collect::<Vec<_>>(), expected, "{findings:?}");
            assert!(findings.iter().any(|it| it.text.contains(words)), "{findings:?}");
        };
        check(["7.0.15", "yes", "always", "noeviction"], [Ok, Ok, Ok], "on disk");
        check(["8.2.1", "yes", "everysec", "noeviction"], [Ok, Warn, Ok], "up to one second");
        check(["6.2.14", "yes", "no", "noeviction"], [Fail, Fail, Ok], "too old");
        check(["7.2.0", "no", "everysec", "allkeys-lru"], [Ok, Fail, Fail], "allkeys-lru");
        check(["", "", "", ""], [Warn, Warn, Warn], "hides");
    }
}
