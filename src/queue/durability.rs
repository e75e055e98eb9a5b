//! What a server's own settings mean for the jobs that it accepts (Q1). Pure; `doctor` shows it, roles log it.

use super::server::Durability;

/// Functions came with 7.0, and the queue is made of them.
const OLDEST: (u32, u32) = (7, 0);

/// How far accepted jobs can be trusted to a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// As it should be.
    Good,
    /// Little can be lost, or it cannot be seen how much.
    Weak,
    /// Accepted jobs will be lost.
    Bad,
}

/// What was found of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What it is about: `version`, `durability` or `eviction`.
    pub about: &'static str,
    /// The setting, as the server names it.
    pub setting: &'static str,
    /// Its value; empty where the server hides it.
    pub value: String,
    /// What that means.
    pub trust: Trust,
    /// The same in words, and what to do; the same text for the same finding.
    pub text: &'static str,
}

impl Durability {
    /// The version, how jobs are kept, and whether they may be thrown away, in this order.
    #[must_use]
    pub fn judge(&self) -> Vec<Judgement> {
        vec![self.judge_version(), self.judge_file(), self.judge_eviction()]
    }

    fn judge_version(&self) -> Judgement {
        let mut numbers = self.version.split('.').map(|part| part.parse::<u32>().ok());
        let (trust, text) = match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(major), Some(minor)) if (major, minor) >= OLDEST => (Trust::Good, "new enough"),
            (Some(_), Some(_)) => (Trust::Bad, "this redis is too old, 7.0 or newer is needed; update it"),
            _ => (Trust::Weak, "the server hides its version; 7.0 or newer is needed"),
        };
        Judgement { about: "version", setting: "redis_version", value: self.version.clone(), trust, text }
    }

    fn judge_file(&self) -> Judgement {
        let (setting, value, trust, text) = match (self.append_only.as_str(), self.fsync.as_str()) {
            ("yes", "always") => {
                ("appendfsync", "always", Trust::Good, "every job is on disk before it is acknowledged")
            }
            ("yes", "everysec") => (
                "appendfsync",
                "everysec",
                Trust::Weak,
                "a crash of redis' machine loses up to two seconds of accepted jobs; set appendfsync always",
            ),
            ("yes", "no") => (
                "appendfsync",
                "no",
                Trust::Bad,
                "a crash of redis' machine loses accepted jobs, often half a minute of them; set appendfsync always",
            ),
            ("yes", _) => (
                "appendfsync",
                "",
                Trust::Weak,
                "redis keeps a file of accepted jobs and hides how soon they are on disk (appendfsync); ask its provider",
            ),
            ("no", _) => (
                "appendonly",
                "no",
                Trust::Bad,
                "a restart of redis loses every job since its last snapshot, if it takes any; set appendonly yes and \
                 appendfsync always",
            ),
            _ => (
                "appendonly",
                "",
                Trust::Weak,
                "redis hides whether accepted jobs survive its restart (appendonly, appendfsync); ask its provider",
            ),
        };
        Judgement { about: "durability", setting, value: value.to_owned(), trust, text }
    }

    fn judge_eviction(&self) -> Judgement {
        let (trust, text) = match self.eviction.as_str() {
            "noeviction" => (Trust::Good, "nothing is thrown away when memory runs out"),
            "" => (Trust::Weak, "redis hides whether it throws jobs away when memory runs out; it must be noeviction"),
            _ => (
                Trust::Bad,
                "redis may throw jobs and locks away when memory runs out; set maxmemory-policy noeviction",
            ),
        };
        Judgement { about: "eviction", setting: "maxmemory-policy", value: self.eviction.clone(), trust, text }
    }
}

#[cfg(test)]
mod tests {
    use super::Trust::{Bad, Good, Weak};
    use super::*;

    #[test]
    fn the_table() {
        let check = |[version, append_only, fsync, eviction]: [&str; 4], expected: [Trust; 3], words: &str| {
            let text = str::to_owned;
            let durability = Durability {
                version: text(version),
                append_only: text(append_only),
                fsync: text(fsync),
                eviction: text(eviction),
            };
            let found = durability.judge();
            assert_eq!(found.iter().map(|it| it.trust).collect::<Vec<_>>(), expected, "{found:?}");
            assert!(found.iter().any(|it| it.text.contains(words)), "{found:?}");
        };
        check(["7.0.15", "yes", "always", "noeviction"], [Good, Good, Good], "on disk before");
        check(["8.2.1", "yes", "everysec", "noeviction"], [Good, Weak, Good], "up to two seconds");
        check(["6.2.14", "yes", "no", "noeviction"], [Bad, Bad, Good], "too old");
        check(["7.2.0", "no", "everysec", "allkeys-lru"], [Good, Bad, Bad], "every job since");
        check(["7.2.0", "no", "", "volatile-ttl"], [Good, Bad, Bad], "throw jobs and locks away");
        check(["7.2.0", "yes", "", "noeviction"], [Good, Weak, Good], "hides how soon");
        check(["", "", "", ""], [Weak, Weak, Weak], "hides whether accepted jobs survive");
    }
}
