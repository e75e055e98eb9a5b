//! What Google makes of the HTML in a description.

/// Tags that stay.
const KNOWN: [&str; 15] =
    ["a", "b", "i", "u", "s", "em", "strong", "br", "p", "ul", "ol", "li", "span", "div", "html-blob"];

/// Tags in their plain form, unknown ones dropped, a bare `&` spelled out. Twice is the same as once.
pub(super) fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        clean.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = if rest.starts_with('&') { ampersand(rest, &mut clean) } else { tag(rest, &mut clean) };
        rest = &rest[taken..];
    }
    clean + rest
}

/// An entity stays; returns the bytes that were read.
fn ampersand(rest: &str, clean: &mut String) -> usize {
    let name = rest[1..].split_once(';').map(|(name, _)| name).filter(|name| {
        let letters = name.strip_prefix('#').unwrap_or(name);
        (1..=10).contains(&name.len()) && letters.chars().all(|c| c.is_ascii_alphanumeric()) && !letters.is_empty()
    });
    clean.push_str(if name.is_some() { "&" } else { "&amp;" });
    1
}

/// A `<` that begins no tag stays; returns the bytes that were read.
fn tag(rest: &str, clean: &mut String) -> usize {
    let inside = &rest[1..];
    let name_begins = inside.trim_start_matches('/').chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let (true, Some((body, _))) = (name_begins, inside.split_once('>')) else {
        clean.push('<');
        return 1;
    };
    let plain = body.trim_end_matches('/').trim_end();
    let name = plain.trim_start_matches('/').split(char::is_whitespace).next().unwrap_or_default();
    if KNOWN.contains(&name.to_ascii_lowercase().as_str()) {
        clean.push('<');
        clean.push_str(plain);
        clean.push('>');
    }
    body.len() + 2
}

#[cfg(test)]
mod tests {
    use super::cleaned;

    #[test]
    fn descriptions() {
        fn check(text: &str, expected: &str) {
            assert_eq!(cleaned(text), expected, "{text}");
            assert_eq!(cleaned(expected), expected, "twice is the same as once");
        }
        check("plain", "plain");
        check("Akte<br/>Raum 3<br />", "Akte<br>Raum 3<br>");
        check("Müller & Söhne &amp; Co &#39;", "Müller &amp; Söhne &amp; Co &#39;");
        check("<blink>auf</blink> <b>ab</b>", "auf <b>ab</b>");
        check("3 < 4 > 2 <", "3 < 4 > 2 <");
        check("<a href=\"https://example.com/?a=1\">Link</a>", "<a href=\"https://example.com/?a=1\">Link</a>");
        check("🏛️ <p>ä</p>", "🏛️ <p>ä</p>");
    }
}
