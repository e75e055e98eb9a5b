//! Who may call: `ADVOSYNC_API_TOKEN`, and a file of callers with tokens of their own.
//!
//! ```toml
//! [[caller]]
//! name = "n8n"
//! scopes = ["trigger"]
//! hash = "sha256:…"      # as `advosync token new` prints it
//! ```
//!
//! The file is read once, at the start: whoever takes a caller out starts the roles anew.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Problem};
use super::file::Lines;
use super::reader::Reader;
use super::secret::Secret;
use crate::callers::{Digest, Scope, Token, is_name};

const FILE: &str = "ADVOSYNC_CALLERS_FILE";
const EXAMPLE: &str =
    "write [[caller]] with name, scopes and hash, as `advosync token new NAME --scope SCOPE` prints it";

/// The tokens of the file; none where it is not set.
pub(super) fn read(reader: &mut Reader<'_>, api_token: Option<&Secret>) -> Vec<Token> {
    let Some(file) = reader.text(FILE) else { return Vec::new() };
    let text = match text(Path::new(&file)) {
        Ok(text) => text,
        Err(problem) => {
            reader.fault(FILE, problem);
            return Vec::new();
        }
    };
    let (tokens, faults) = parse(&file, &text);
    let known = api_token.map(Token::of_setting);
    if let Some(same) = tokens.iter().find(|token| known.as_ref().is_some_and(|known| known.digest == token.digest)) {
        let what = format!("the token of `{}` is also that of ADVOSYNC_API_TOKEN", same.name);
        reader.fault(FILE, Problem::new(what, "make a new one with `advosync token new`"));
    }
    reader.faults.extend(faults);
    tokens
}

fn text(path: &Path) -> Result<String, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::new(format!("`{}` cannot be read: {error}", path.display()), "check its path and permissions")
    };
    // Whoever can write it can let themselves in. Reading it helps nobody: a digest opens nothing.
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o002 != 0 {
        let what = format!("everybody on this machine can write to `{}`", path.display());
        return Err(Problem::new(what, format!("chmod o-w {}", path.display())));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// The tokens of a file that people know as `file`, and everything that is wrong with it.
fn parse(file: &str, text: &str) -> (Vec<Token>, Vec<Fault>) {
    let lines = Lines::of(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<Fault> =
        errors.iter().map(|error| lines.syntax(error, "write it as docs/callers.md shows")).collect();
    let mut tokens: Vec<Token> = Vec::new();
    for (key, value) in table.get_ref() {
        let at = key.span().start;
        let DeValue::Array(callers) = value.get_ref() else {
            faults.push(lines.fault(key.get_ref(), at, Problem::new("there is no such setting", EXAMPLE)));
            continue;
        };
        if key.get_ref() != "caller" {
            faults.push(lines.fault(key.get_ref(), at, Problem::new("there is no such list", EXAMPLE)));
            continue;
        }
        for caller in callers {
            let mut entry = Entry { lines: &lines, at: caller.span().start, faults: &mut faults };
            let Some(token) = entry.token(caller) else { continue };
            if tokens.iter().any(|other| other.name == token.name) {
                entry.fault(
                    "name",
                    "a caller of this name stands there already",
                    "take another name, or one of them out",
                );
            }
            if tokens.iter().any(|other| other.digest == token.digest) {
                entry.fault("hash", "another caller has this token", "make one for each with `advosync token new`");
            }
            tokens.push(token);
        }
    }
    if tokens.is_empty() && faults.is_empty() {
        faults.push(lines.fault("caller", 0, Problem::new("the file names nobody", EXAMPLE)));
    }
    (tokens, faults)
}

/// One `[[caller]]` that is being read.
struct Entry<'a> {
    lines: &'a Lines<'a>,
    at: usize,
    faults: &'a mut Vec<Fault>,
}

impl Entry<'_> {
    fn fault(&mut self, key: &str, what: impl Into<String>, instead: &str) {
        self.faults.push(self.lines.fault(key, self.at, Problem::new(what, instead)));
    }

    fn token(&mut self, caller: &Spanned<DeValue<'_>>) -> Option<Token> {
        let DeValue::Table(table) = caller.get_ref() else {
            self.fault("caller", "this is no table", EXAMPLE);
            return None;
        };
        let (mut name, mut scopes, mut digest) = (None, None, None);
        for (key, value) in table {
            self.at = key.span().start;
            match key.get_ref().as_ref() {
                "name" => name = self.name(value.get_ref()),
                "scopes" => scopes = self.scopes(value.get_ref()),
                "hash" => digest = self.hash(value.get_ref()),
                other => self.fault(other, "there is no such key", EXAMPLE),
            }
        }
        self.at = caller.span().start;
        for key in ["name", "scopes", "hash"] {
            if !table.keys().any(|there| there.get_ref() == key) {
                self.fault(key, "it is missing", EXAMPLE);
            }
        }
        Some(Token { name: name?, scopes: scopes?, digest: digest? })
    }

    fn name(&mut self, value: &DeValue<'_>) -> Option<String> {
        let name = value.as_str().filter(|text| is_name(text)).map(str::to_owned);
        if name.is_none() {
            self.fault("name", "this is no name", "write 1 to 64 letters (a to z), digits, `.`, `_` or `-` in quotes");
        }
        name
    }

    fn scopes(&mut self, value: &DeValue<'_>) -> Option<Vec<Scope>> {
        let texts = value.as_array().into_iter().flat_map(|all| all.iter());
        let scopes: Option<BTreeSet<Scope>> = texts.map(|one| one.get_ref().as_str().and_then(Scope::parse)).collect();
        let scopes = scopes.filter(|scopes| !scopes.is_empty());
        if scopes.is_none() {
            let known = Scope::ALL.map(Scope::name).join("\", \"");
            self.fault("scopes", "these are no scopes", &format!("write some of [\"{known}\"]"));
        }
        scopes.map(|scopes| scopes.into_iter().collect())
    }

    /// What is written is not told: somebody may have put the token itself there.
    fn hash(&mut self, value: &DeValue<'_>) -> Option<Digest> {
        let digest = value.as_str().and_then(Digest::parse);
        if digest.is_none() {
            self.fault(
                "hash",
                "this is no hash",
                "write sha256: and 64 hexadecimal digits, as `advosync token new` prints it",
            );
        }
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, scopes: &str, token: &str) -> String {
        let hash = Digest::of(token.as_bytes()).written();
        format!("[[caller]]\nname = \"{name}\"\nscopes = [{scopes}]\nhash = \"{hash}\"\n")
    }

    #[test]
    fn callers_are_read() {
        let text = entry("n8n", "\"trigger\"", "a") + &entry("anna", "\"admin\", \"read\", \"read\"", "b");
        let (tokens, faults) = parse("callers.toml", &text);
        assert_eq!(faults, []);
        let told: Vec<_> = tokens.iter().map(|it| (it.name.as_str(), it.scopes.clone())).collect();
        assert_eq!(told, [("n8n", vec![Scope::Trigger]), ("anna", vec![Scope::Read, Scope::Admin])]);
        assert_eq!(tokens[1].digest, Digest::of(b"b"));
    }

    #[test]
    fn every_fault_is_told_with_its_line_and_never_a_token() {
        let check = |text: &str, expected: &[&str]| {
            let (_, faults) = parse("f", text);
            let told: Vec<String> =
                faults.iter().map(|it| it.to_string().split(';').next().unwrap().to_owned()).collect();
            assert_eq!(told, expected, "{text}");
        };
        check("", &["caller (f line 1): the file names nobody"]);
        check("callers = 1", &["callers (f line 1): there is no such setting"]);
        check("[[user]]\nname='x'", &["user (f line 1): there is no such list"]);
        check("caller = [1]", &["caller (f line 1): this is no table"]);
        check(
            "\n[[caller]]",
            &["name (f line 2): it is missing", "scopes (f line 2): it is missing", "hash (f line 2): it is missing"],
        );
        let good = entry("a", "\"read\"", "a");
        check(&good.replace("\"a\"", "\"a b\""), &["name (f line 2): this is no name"]);
        check(&good.replace("\"a\"", "\"ADVOSYNC_API_TOKEN\""), &["name (f line 2): this is no name"]);
        check(&good.replace("\"read\"", ""), &["scopes (f line 3): these are no scopes"]);
        check(&good.replace("\"read\"", "\"read\", \"write\""), &["scopes (f line 3): these are no scopes"]);
        check(&good.replace("[\"read\"]", "\"read\""), &["scopes (f line 3): these are no scopes"]);
        check(&good.replace("sha256:", "advosync_geheim"), &["hash (f line 4): this is no hash"]);
        check(&(good.clone() + "note = 1"), &["note (f line 5): there is no such key"]);
        check(
            &(good.clone() + &entry("a", "\"read\"", "b")),
            &["name (f line 5): a caller of this name stands there already"],
        );
        check(&(good.clone() + &entry("b", "\"read\"", "a")), &["hash (f line 5): another caller has this token"]);
        let all = good.replace("\"a\"", "\"a b\"").replace("\"read\"", "1") + &good.replace("sha256", "md5");
        check(
            &all,
            &[
                "name (f line 2): this is no name",
                "scopes (f line 3): these are no scopes",
                "hash (f line 8): this is no hash",
            ],
        );
        let (_, faults) = parse("f", "[[caller]]\nhash = advosync_geheim");
        assert!(!faults.is_empty() && !format!("{faults:?}").contains("geheim"), "{faults:?}");
    }
}
