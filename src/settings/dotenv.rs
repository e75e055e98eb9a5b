//! `.env` files: `NAME=value` a line, `#` comments, quotes, an optional `export`.
//!
//! Own reader, because dotenvy replaces `$name` inside values (a password `pa$word` would silently become `pa`, where the
//! older system's python-dotenv kept it) and quotes the whole line in its errors, secret included.

/// A line as (number, name, value), or one that cannot be read as (number, what is wrong).
type Line = Result<(usize, String, String), (usize, &'static str)>;

/// The lines of `text` that are neither empty nor comments.
pub(super) fn parse(text: &str) -> Vec<Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (1..)
        .zip(text.lines())
        .filter_map(|(line, content)| {
            let content = content.trim();
            let content = content.strip_prefix("export ").map_or(content, str::trim_start);
            let skip = content.is_empty() || content.starts_with('#');
            (!skip).then(|| entry(content).map(|(name, value)| (line, name, value)).map_err(|what| (line, what)))
        })
        .collect()
}

/// A file's text with another value of `name`: in its line, whose comment stays, or in a new last one. Every other byte
/// stays as it is.
///
/// # Errors
/// What a person has to mend first, without a value in it.
pub(crate) fn with_value(text: &str, name: &str, new: &str) -> Result<String, String> {
    let line = line_of(text, name)?.map(|(line, _)| line);
    let quoted = if new.chars().all(|c| c.is_ascii_alphanumeric() || ":,._-/".contains(c)) {
        new.to_owned()
    } else {
        format!("'{new}'")
    };
    let mut out = String::with_capacity(text.len() + name.len() + new.len() + 2);
    for (number, whole) in (1..).zip(text.split_inclusive('\n')) {
        let content = whole.trim_end_matches(['\r', '\n']);
        if Some(number) != line {
            out.push_str(whole);
            continue;
        }
        let (before, rest) = content.split_once('=').unwrap_or((content, ""));
        let comment = value(rest.trim_start()).map_or("", |(_, comment)| comment);
        let space = if comment.is_empty() { "" } else { " " };
        out.extend([before, "=", &quoted, space, comment, &whole[content.len()..]]);
    }
    if line.is_none() {
        let end = if out.is_empty() || out.ends_with('\n') { "" } else { "\n" };
        out.extend([end, name, "=", &quoted, "\n"]);
    }
    let reads = value_of(&out, name).is_ok_and(|value| value.as_deref() == Some(new));
    if reads { Ok(out) } else { Err(format!("{name} cannot be written there")) }
}

/// The value of `name` in a file's text; an empty one is none.
///
/// # Errors
/// As for [`with_value`].
pub(crate) fn value_of(text: &str, name: &str) -> Result<Option<String>, String> {
    Ok(line_of(text, name)?.map(|(_, value)| value).filter(|value| !value.trim().is_empty()))
}

fn line_of(text: &str, name: &str) -> Result<Option<(usize, String)>, String> {
    let mut found = None;
    for line in parse(text) {
        let (line, known, value) = line.map_err(|(line, what)| format!("line {line} cannot be read: {what}"))?;
        if known != name {
            continue;
        }
        if let Some((first, _)) = found.replace((line, value)) {
            return Err(format!("{name} stands there twice, in line {first} and line {line}: take one out"));
        }
    }
    Ok(found)
}

fn entry(content: &str) -> Result<(String, String), &'static str> {
    let (name, rest) = content.split_once('=').ok_or("it has no `=`")?;
    let name = name.trim_end();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return Err("what stands before `=` is no name");
    }
    Ok((name.to_owned(), value(rest.trim_start())?.0))
}

/// The value, and the comment behind it.
fn value(rest: &str) -> Result<(String, &str), &'static str> {
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        // A `#` inside a word belongs to the value, as in a password; after a space it begins a comment.
        let begins = |at: usize| at == 0 || rest[..at].ends_with([' ', '\t']);
        let end = rest.char_indices().find(|(at, c)| *c == '#' && begins(*at)).map_or(rest.len(), |(at, _)| at);
        return Ok((rest[..end].trim_end().to_owned(), &rest[end..]));
    };
    let mut value = String::new();
    let mut characters = rest[1..].chars();
    loop {
        match characters.next().ok_or("its quote is not closed")? {
            closing if closing == quote => break,
            '\\' if quote == '"' => match characters.next().ok_or("its quote is not closed")? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                escaped @ ('"' | '\\' | '$') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    let after = characters.as_str().trim_start();
    if after.is_empty() || after.starts_with('#') {
        Ok((value, after))
    } else {
        Err("something follows the closing quote")
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, value_of, with_value};

    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text), [Ok((1, "NAME".to_owned(), expected.to_owned()))], "{text}");
    }

    #[test]
    fn values_are_read_as_written() {
        check("NAME=value", "value");
        check("export NAME = value  ", "value");
        check("NAME=PB,AI # only these", "PB,AI");
        check("NAME=pa#ss$word", "pa#ss$word");
        check("NAME='pa\"ss # word'", "pa\"ss # word");
        check(r#"NAME="a \"b\" \\ $HOME" # comment"#, r#"a "b" \ $HOME"#);
        check("NAME=", "");
        check("NAME=# nothing", "");
        check("NAME=two words", "two words");
        check("\u{feff}NAME=x", "x");
    }

    #[test]
    fn comments_are_skipped_and_bad_lines_are_told_by_number_only() {
        assert_eq!(parse("# a\n\n  # b"), []);
        assert_eq!(
            parse("hunter2\nA='open\nB='x' y\n=1"),
            [
                Err((1, "it has no `=`")),
                Err((2, "its quote is not closed")),
                Err((3, "something follows the closing quote")),
                Err((4, "what stands before `=` is no name")),
            ]
        );
    }

    #[test]
    fn one_value_is_changed_and_nothing_else() {
        let changed = |text: &str, new: &str| with_value(text, "NAME", new);
        let check = |text: &str, expected: &str| assert_eq!(changed(text, "a:1,b:2").unwrap(), expected, "{text}");
        check("", "NAME=a:1,b:2\n");
        check("OTHER='x # y'", "OTHER='x # y'\nNAME=a:1,b:2\n");
        check("# NAME=no\nexport NAME = old # mine\r\n\nZ=1\n", "# NAME=no\nexport NAME =a:1,b:2 # mine\r\n\nZ=1\n");
        check("NAME='old'# mine\nB=2", "NAME=a:1,b:2 # mine\nB=2");
        check("\u{feff}NAME=\nB=2", "\u{feff}NAME=a:1,b:2\nB=2");
        assert_eq!(changed("A=1\n", "x y#").unwrap(), "A=1\nNAME='x y#'\n");
        assert!(changed("", "it's").unwrap_err().contains("cannot be written"));
        assert_eq!(changed("A=1\nsecret", "x").unwrap_err(), "line 2 cannot be read: it has no `=`");
        assert!(changed("NAME=secret\nNAME=2\n", "x").unwrap_err().contains("twice, in line 1 and line 2"));
        assert_eq!(value_of("NAME= # nothing\n", "NAME"), Ok(None));
        assert_eq!(value_of("NAME=x", "NAME"), Ok(Some("x".to_owned())));
    }
}
