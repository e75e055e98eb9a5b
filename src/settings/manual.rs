//! The text of `docs/settings.md`, made from the catalogue, so that the two cannot differ.

use std::fmt::Write;

use super::catalogue::{self, Fallback, Secrecy};

const HEAD: &str = "\
# Settings

<!-- Made from src/settings/catalogue.rs. After a change there: UPDATE_DOCS=1 cargo nextest run -E 'test(manual)' -->

Settings come from the environment, which beats `.env` in the working folder, which beats the file of `--config FILE`. An
empty value counts as not set. `advosync config` shows what is in effect and where it came from.

- `.env` has one `NAME=value` a line; single quotes keep spaces, quotes and `#`; nothing is replaced inside values.
- The file of `--config` is TOML with the same names as top-level keys: `ADVOSYNC_WORKER_CONCURRENCY = 16`.
- A duration is a whole number and a unit: `200ms`, `15s`, `1m`, `1h`, `90d`. Names that end in `_SECONDS` or `_MINUTES` take a
  bare number instead.
- Bad settings: every fault is listed at once, nothing is started, exit code 78. A name that begins with `ADVOSYNC_`, `ADVOWARE_`,
  `ESPOCRM_` or `CALENDAR_SYNC_` and is not listed here gives a warning.
- Advoware's, EspoCRM's and Google's settings are looked at only by commands that call them (`up`, `worker`, `proxy`, `doctor`,
  `setup`). A worker that lacks some of a flow's leaves that flow's jobs waiting and runs the other one.
- Secrets are shown as `***` everywhere, and no command takes one as an argument.
- Every **secret** `X` (and `REDIS_URL`) may be in a file: `X_FILE` names it, where `X` may stand. Line breaks at its end are cut off; a file that
  cannot be read or is empty is a fault, and so are `X` and `X_FILE` in one place (such as both in `.env`).
- Secrets that are set nowhere are taken from systemd's credentials: `LoadCredential=ADVOWARE_PASSWORD:/etc/advosync/secrets/advoware` in the unit
  makes a file of that name in `$CREDENTIALS_DIRECTORY`. `advosync config` says of each secret where it came from.
";

/// The whole page.
#[must_use]
pub fn manual() -> String {
    let mut page = HEAD.to_owned();
    for group in catalogue::GROUPS {
        let heading =
            format!("\n## {}\n\n| name | default | value | what it does |\n| --- | --- | --- | --- |\n", group.title);
        page.push_str(&heading);
        for entry in group.entries {
            let default = match entry.fallback {
                Fallback::Value(value) => format!("`{value}`"),
                Fallback::Told(text) => format!("({text})"),
            };
            let hidden = if entry.secrecy == Secrecy::Secret { " **Secret.**" } else { "" };
            let older = match entry.aliases {
                [] => String::new(),
                names => format!(" Older name, read with a warning: `{}`.", names.join("`, `")),
            };
            // Writing to a string cannot fail.
            let _ =
                writeln!(page, "| `{}` | {default} | {} | {}.{hidden}{older} |", entry.name, entry.kind, entry.about);
        }
    }
    page.push_str("\n## Not used any more\n\nAccepted, with a warning:\n\n");
    for (name, why) in catalogue::IGNORED {
        let _ = writeln!(page, "- `{name}`: {why}.");
    }
    page
}
