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

fn entry(content: &str) -> Result<(String, String), &'static str> {
    let (name, rest) = content.split_once('=').ok_or("it has no `=`")?;
    let name = name.trim_end();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return Err("what stands before `=` is no name");
    }
    Ok((name.to_owned(), value(rest.trim_start())?))
}

fn value(rest: &str) -> Result<String, &'static str> {
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        // A `#` inside a word belongs to the value, as in a password; after a space it begins a comment.
        let end = rest.char_indices().find(|(at, c)| *c == '#' && rest[..*at].ends_with([' ', '\t']));
        let bare = if rest.starts_with('#') { "" } else { end.map_or(rest, |(at, _)| &rest[..at]) };
        return Ok(bare.trim_end().to_owned());
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
    if after.is_empty() || after.starts_with('#') { Ok(value) } else { Err("something follows the closing quote") }
}

#[cfg(test)]
mod tests {
    use super::parse;

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
}
