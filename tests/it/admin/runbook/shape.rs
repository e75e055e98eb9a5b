//! Whether an answer is the one that the runbook shows, but for what is different each time.

use std::collections::HashMap;

/// What a word that is different each time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An entry of a stream, a record or a process: wherever the runbook shows the same one, it is to be the same.
    Name(Named),
    /// A time, an age, a trace, a random number: any will do.
    Whatever,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Entry,
    Record,
    Process,
}

struct Token {
    text: String,
    kind: Option<Kind>,
    is_word: bool,
}

/// The names in the runbook and what they stand for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    real: HashMap<String, String>,
    shown: HashMap<String, String>,
}

impl Names {
    fn bind(&mut self, shown: &str, real: &str) -> bool {
        let is = self.real.entry(shown.to_owned()).or_insert_with(|| real.to_owned()) == real;
        is && self.shown.entry(real.to_owned()).or_insert_with(|| shown.to_owned()) == shown
    }

    /// A command with the real names in it.
    ///
    /// # Errors
    /// A name that no answer has shown before.
    pub fn in_command(&self, command: &str) -> Result<String, String> {
        let mut real = command.to_owned();
        for token in tokens(command, false).iter().filter(|token| matches!(token.kind, Some(Kind::Name(_)))) {
            let name = self.real.get(&token.text).ok_or_else(|| format!("no answer above shows {}", token.text))?;
            real = real.replace(&token.text, name);
        }
        Ok(real)
    }

    /// Fails where the answer is another one.
    ///
    /// # Errors
    /// The first line that differs.
    pub fn check(&mut self, shown: &[String], real: &str) -> Result<(), String> {
        let mut rest = real.lines().map(str::trim_end).peekable();
        let mut before = "";
        for (at, line) in shown.iter().enumerate() {
            if line.trim() == "…" {
                match shown.get(at + 1) {
                    None => return Ok(()),
                    Some(next) => while rest.next_if(|real| !self.clone().is(next, real, "")).is_some() {},
                }
            } else {
                let real = rest.next().ok_or_else(|| format!("the answer ends before: {line}"))?;
                if !self.is(line, real, before) {
                    return Err(format!("  shown: {line}\n  real:  {real}"));
                }
            }
            before = line;
        }
        rest.next().map_or(Ok(()), |more| Err(format!("the answer goes on: {more}")))
    }

    /// Whether a line is the one that is shown; `before` is the one shown above it.
    fn is(&mut self, shown: &str, real: &str, before: &str) -> bool {
        let any_number = before.ends_with("\"idle\"");
        let (shown, is_cut) = shown.trim_end().strip_suffix('…').map_or((shown, false), |shown| (shown, true));
        let (shown, real) = (tokens(shown, any_number), tokens(real, any_number));
        let last = shown.len().saturating_sub(1);
        if shown.len() > real.len() || !is_cut && shown.len() < real.len() {
            return false;
        }
        shown.iter().zip(&real).enumerate().all(|(at, (shown, real))| match (shown.kind, real.kind) {
            (Some(Kind::Name(one)), Some(Kind::Name(other))) => one == other && self.bind(&shown.text, &real.text),
            (Some(Kind::Whatever), Some(Kind::Whatever)) => true,
            _ if is_cut && at == last => real.text.starts_with(&shown.text),
            _ => shown.text == real.text,
        })
    }
}

/// The words of a line and what stands between them but blanks, which only align.
fn tokens(line: &str, any_number: bool) -> Vec<Token> {
    let in_word = |c: char| c.is_ascii_alphanumeric() || "_.:+-".contains(c);
    let mut out: Vec<Token> = Vec::new();
    let mut put = |text: &str, is_word: bool| {
        if !text.is_empty() {
            out.push(Token { text: text.to_owned(), kind: is_word.then(|| kind(text)).flatten(), is_word });
        }
    };
    let mut rest = line.trim();
    while !rest.is_empty() {
        let between = rest.find(in_word).unwrap_or(rest.len());
        put(&rest[..between].split_whitespace().collect::<Vec<_>>().join(" "), false);
        rest = &rest[between..];
        let word = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word);
        let edges: &[char] = &['.', ':', '+', '-'];
        let bare = word.trim_matches(edges);
        let start = word.find(bare).unwrap_or(0);
        put(&word[..start], false);
        put(bare, true);
        put(&word[start + bare.len()..], false);
        rest = after;
    }
    let words: Vec<usize> = (0..out.len()).filter(|at| out[*at].is_word).collect();
    for (n, at) in words.iter().enumerate() {
        let is_number = |at: usize| out[at].text.bytes().all(|byte| byte.is_ascii_digit());
        let unit =
            words.get(n + 1).copied().filter(|next| matches!(out[*next].text.as_str(), "ms" | "s" | "min" | "h" | "d"));
        if is_number(*at) && any_number {
            out[*at].kind = Some(Kind::Whatever);
        } else if let Some(unit) = unit.filter(|unit| *unit == at + 1 && is_number(*at)) {
            out[*at].kind = Some(Kind::Whatever);
            out[unit].kind = Some(Kind::Whatever);
        }
    }
    out
}

fn kind(word: &str) -> Option<Kind> {
    let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let parts: Vec<&str> = word.split('-').collect();
    Some(match parts[..] {
        [ms, count] if digits(ms, 13) && digits(count, count.len()) => Kind::Name(Named::Entry),
        ["00", trace, span, "01"] if hex(trace, 32) && hex(span, 16) => Kind::Whatever,
        [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day.get(..2)?, 2) => Kind::Whatever,
        [first, .., last] if parts.len() == 5 && hex(first, 8) && hex(last, 12) => Kind::Whatever,
        [.., pid, random] if parts.len() > 2 && digits(pid, pid.len()) && hex(random, 6) => Kind::Name(Named::Process),
        [id] if hex(id, 17) => Kind::Name(Named::Record),
        [ms] if digits(ms, 13) => Kind::Whatever,
        [hash] if hex(hash, 64) => Kind::Whatever,
        [clock] if clock.len() == 8 && clock.split(':').all(|part| digits(part, 2)) => Kind::Whatever,
        ["CET" | "CEST"] => Kind::Whatever,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shown: &str, real: &str, same: bool) {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        let found = Names::default().check(&shown, real);
        assert_eq!(found.is_ok(), same, "{shown:?} {real:?}: {found:?}");
    }

    #[test]
    fn what_differs_each_time_may_differ_and_nothing_else() {
        check("(integer) 1", "(integer) 1\n", true);
        check("(integer) 1", "(integer) 0\n", false);
        check("1) \"1795325937176-0\"", "1) \"1800000000000-12\"", true);
        check("1) \"1795325937176-0\"", "1) \"nothing\"", false);
        check("1) \"1795325937176-0\"", "1) \"33517267749c4e239\"", false);
        check(
            " 8) \"{\\\"at\\\":1795325937176,\\\"n\\\":\\\"2\\\"}\"",
            "8)   \"{\\\"at\\\":1800000000000,\\\"n\\\":\\\"2\\\"}\"",
            true,
        );
        check("at 2026-03-28 10:00:00 CET", "at 2027-08-01 09:59:59 CEST", true);
        check("\"2026-11-22T05:38:56.812518327Z\"", "\"2027-11-22T05:38:56Z\"", true);
        check("abc  3 h  2", "abc 200 ms   2", true);
        check("abc  3 h  2", "abc 200 ms   3", false);
        check("vm-26955-73af8b", "runner-x-1-abcdef", true);
        check("\"idle\"\n(integer) 661", "\"idle\"\n(integer) 0", true);
        check("\"pending\"\n(integer) 661", "\"pending\"\n(integer) 0", false);
        check("one\ntwo", "one", false);
        check("one", "one\ntwo", false);
        check("", "two", false);
    }

    #[test]
    fn dots_stand_for_lines_and_for_the_rest_of_one() {
        check("one\n…", "one\ntwo\nthree", true);
        check("one\n…\nthree", "one\ntwo\ntwo\nthree", true);
        check("one\n…\nthree", "one\ntwo\ntwo", false);
        check("one\n…\nthree", "one\nthree\nfour", false);
        check("one tw…", "one two three", true);
        check("one tx…", "one two three", false);
        check("one two…", "one", false);
    }

    #[test]
    fn a_name_is_the_same_everywhere() {
        let (one, other) = ("1795325937176-0", "1795325937176-1");
        let twice = format!("{one}\n{one}");
        check(&twice, "1800000000000-0\n1800000000000-0", true);
        check(&twice, "1800000000000-0\n1800000000000-1", false);
        check(&format!("{one}\n{other}"), "1800000000000-0\n1800000000000-0", false);
        let mut names = Names::default();
        assert!(names.in_command(&format!("redis-cli X {one}")).is_err());
        names.check(&[one.to_owned()], "1800000000000-7").unwrap();
        assert_eq!(
            names.in_command(&format!("redis-cli X '({one}' 1-1")).unwrap(),
            "redis-cli X '(1800000000000-7' 1-1"
        );
    }
}
