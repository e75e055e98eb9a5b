//! No secret ever leaves: not in `Debug`, not in faults or warnings, not in what `advosync config` shows.

use proptest::prelude::*;

use super::super::catalogue::{self, Secrecy};
use super::super::{Role, Secret, Source, effective, hide_password};
use super::Settings;

/// Everything that can be printed about these settings.
fn everything(source: &Source) -> String {
    let mut text = format!("{:?}", effective(source));
    for role in [Role::Up, Role::Ingress, Role::Setup] {
        match Settings::load(source, role) {
            Ok(settings) => text.extend([format!("{settings:?}"), settings.redis.server.describe()]),
            Err(error) => text.extend([error.to_string(), format!("{error:?}")]),
        }
    }
    text
}

/// Marks a secret so that it is found wherever it turns up, also in part.
const MARK: &str = "Zq7Xw9";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_secret_is_ever_shown(before in "[ -~äß]{0,6}", after in "[ -~äß]{0,6}", layer in 0..3) {
        let value = format!("{before}{MARK}{after}");
        let quoted = format!("'{}'", value.replace('\'', ""));
        let secrets = catalogue::entries().filter(|entry| entry.secrecy == Secrecy::Secret);
        for entry in secrets {
            let source = match layer {
                0 => Source::default().with_environment([(entry.name, value.clone())]),
                1 => Source::default().with_dotenv(&format!("{}={value}\n{value}", entry.name)),
                // Now and then no TOML at all, which must be told without quoting the line.
                _ => Source::default().with_file("my.toml", &format!("{} = {quoted}\n{} = {value}", entry.name, entry.name)),
            };
            prop_assert!(!everything(&source).contains(MARK), "{}: {}", entry.name, everything(&source));
        }
    }

    #[test]
    fn no_password_of_an_address_is_ever_shown(user in "[a-z]{0,3}", password in "[!-.0-~]{0,4}", scheme in "redis|rediss|redis-sentinel|redis-cluster|http|x") {
        for name in ["REDIS_URL", "ADVOWARE_API_BASE_URL", "ESPOCRM_API_BASE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
            for rest in ["h:6379/1", "h:99999/1", "h1:1,h2:2/service", ""] {
                let url = format!("{scheme}://{user}:{MARK}{password}@{rest}");
                let source = Source::default().with_environment([(name, url)]);
                prop_assert!(!everything(&source).contains(MARK), "{}", everything(&source));
            }
        }
    }
}

#[test]
fn a_secret_prints_stars() {
    let secret = Secret::new("hunter2");
    assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    assert_eq!(secret.expose(), "hunter2");
}

#[test]
fn passwords_in_addresses() {
    let check = |text: &str, expected: &str| assert_eq!(hide_password(text), expected);
    check("redis://h:6379/1", "redis://h:6379/1");
    check("redis://:pw@h:6379/1", "redis://:***@h:6379/1");
    check("redis://user:p@w@h", "redis://user:***@h");
    check("redis://token@h", "redis://***@h");
    check("user:pw@h", "user:***@h");
}
