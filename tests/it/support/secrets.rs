//! What no process may tell, looked for in everything that any process of any test writes.

use advosync::settings::catalogue::{self, Secrecy};
use serde_json::Value;

/// Shorter ones stand in ordinary words.
const SHORTEST: usize = 8;
/// How the sandbox's tokens and a service account's signed assertions begin.
const TOKENS: [&str; 3] = ["awt.", "ya29.", "eyJ"];
/// So many letters and digits after that make a token.
const TOKEN_LENGTH: usize = 16;

/// What stands in the parties of tests, and in no log line above debug.
const PARTY: [&str; 4] = ["Muster", "@example.org", "+49", "GmbH"];

/// Fails if a line of a log (JSON) tells of a party's data above debug.
pub fn assert_no_party(who: &str, log: &str) {
    for line in log.lines().filter(|line| party_word(line).is_some()) {
        let level = serde_json::from_str::<Value>(line).map_or(Value::Null, |line| line["level"].clone());
        assert!(level == "DEBUG" || level == "TRACE", "{who} tells a party's data: {line}");
    }
}

/// What of a test's party stands in a text.
pub fn party_word(text: &str) -> Option<&'static str> {
    PARTY.into_iter().find(|word| text.contains(word))
}

/// Fails if `text` holds a secret of these settings, or a token that a sandbox gave out.
pub fn assert_untold<'t>(settings: impl IntoIterator<Item = (&'t str, &'t str)>, who: &str, text: &str) {
    if let Some((name, at)) = told(settings, text) {
        let line = text[at..].lines().next().unwrap_or_default();
        let begins = text[..at].rfind('\n').map_or(0, |end| end + 1);
        panic!("{who} tells {name}: {}{line}", &text[begins..at]);
    }
}

/// The first secret that is found, and where.
fn told<'t>(settings: impl IntoIterator<Item = (&'t str, &'t str)>, text: &str) -> Option<(String, usize)> {
    let found = settings.into_iter().find_map(|(name, value)| {
        let long = secrets(name, value).into_iter().filter(|secret| secret.len() >= SHORTEST);
        long.filter_map(|secret| text.find(&secret)).min().map(|at| (name.to_owned(), at))
    });
    found.or_else(|| TOKENS.iter().find_map(|begin| Some((format!("a token ({begin}…)"), token(begin, text)?))))
}

fn token(begin: &str, text: &str) -> Option<usize> {
    let is_long = |at: &usize| {
        let rest = &text.as_bytes()[at + begin.len()..];
        rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count() >= TOKEN_LENGTH
    };
    text.match_indices(begin).map(|(at, _)| at).find(is_long)
}

/// What of a setting's value is secret, each part by itself.
fn secrets(name: &str, value: &str) -> Vec<String> {
    let secrecy = catalogue::entries().find(|entry| entry.name == name).map(|entry| entry.secrecy);
    match (name, secrecy) {
        // `webhookId:secret,webhookId:secret`
        ("ESPOCRM_WEBHOOK_SECRET", _) => {
            value.split(',').map(|part| part.rsplit(':').next().unwrap_or_default().to_owned()).collect()
        }
        ("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", _) => private_key(value).into_iter().collect(),
        (_, Some(Secrecy::Secret)) => vec![value.to_owned()],
        (_, Some(Secrecy::Url)) => {
            let url = value.parse::<url::Url>().ok();
            url.and_then(|url| url.password().map(str::to_owned)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// A line of a service account's key.
fn private_key(path: &str) -> Option<String> {
    let account: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    account["private_key"].as_str()?.lines().nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_and_ordinary_words_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("account.json");
        std::fs::write(&path, r#"{"private_key":"-----BEGIN\nMIIEvQIBADANBgkq\nMORE\n"}"#).unwrap();
        let settings = [
            ("ADVOWARE_PASSWORD", "geheimes-kennwort"),
            ("ADVOSYNC_API_TOKEN", "kurz"),
            ("ESPOCRM_WEBHOOK_SECRET", "hook-1:0123456789,hook-2:9876543210"),
            ("REDIS_URL", "redis://user:redis-kennwort@127.0.0.1:6379/1"),
            ("ADVOWARE_USER", "mustermann"),
            ("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", path.to_str().unwrap()),
        ];
        let check = |text: &str, expected: Option<&str>| {
            let found = told(settings, &format!("first line\n{text} and more"));
            assert_eq!(found.as_ref().map(|(name, _)| name.as_str()), expected, "{text}");
        };
        check("mustermann, kurz, hook-1, redis://user:***@127.0.0.1", None);
        check("geheimes-kennwort", Some("ADVOWARE_PASSWORD"));
        check("0123456789", Some("ESPOCRM_WEBHOOK_SECRET"));
        check("x9876543210x", Some("ESPOCRM_WEBHOOK_SECRET"));
        check("redis-kennwort", Some("REDIS_URL"));
        check("MIIEvQIBADANBgkq", Some("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH"));
        check("awt.abcdef0123abcdef0123", Some("a token (awt.…)"));
        check("ya29.short", None);
        check("Bearer ya29.abcdef0123abcdef0123", Some("a token (ya29.…)"));
        check("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.x", Some("a token (eyJ…)"));
    }
}
