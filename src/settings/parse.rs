//! From text to values. Each parser says what is wrong and what to write instead; none of them shows what may be secret.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use url::Url;

use super::fault::Problem;
use super::secret::{Secret, hide_password};

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A whole number with a unit: `200ms`, `15s`, `1m`, `1h`, `90d`.
pub(crate) fn duration(text: &str) -> Result<Duration, Problem> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim_start());
    if unit.is_empty() && !number.is_empty() {
        return Err(Problem::new(
            format!("`{text}` has no unit"),
            format!("write {number}s for seconds (ms, s, m, h, d)"),
        ));
    }
    let scale = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let millis = number.parse::<u64>().ok().zip(scale).and_then(|(number, scale)| number.checked_mul(scale));
    millis.map(Duration::from_millis).ok_or_else(|| {
        Problem::new(
            format!("`{text}` is no duration"),
            "write a whole number and a unit, such as 200ms, 15s, 1m, 1h or 90d",
        )
    })
}

/// A duration within a range.
pub(super) fn duration_in(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, Problem> {
    move |text| {
        let value = duration(text)?;
        if range.contains(&value) {
            return Ok(value);
        }
        let (least, most) = (show(*range.start()), show(*range.end()));
        Err(Problem::new(format!("`{text}` is out of range"), format!("write a duration from {least} to {most}")))
    }
}

/// A duration in the largest unit that divides it: `90s`, `2m`, `1h`.
pub(crate) fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    let fitting = UNITS.iter().rev().find(|(_, scale)| millis != 0 && millis.is_multiple_of(u128::from(*scale)));
    fitting.map_or_else(|| "0s".to_owned(), |(unit, scale)| format!("{}{unit}", millis / u128::from(*scale)))
}

/// Several durations by commas, at least one, none of them zero.
pub(super) fn durations(text: &str) -> Result<Vec<Duration>, Problem> {
    let longest = Duration::from_hours(720);
    text.split(',').map(|part| duration_in(Duration::from_millis(1)..=longest)(part.trim())).collect()
}

/// A bare number of `unit` (whose length is given), decimals allowed: the names end in `_SECONDS` or `_MINUTES`.
pub(super) fn bare(
    unit: &'static str,
    length: Duration,
    range: RangeInclusive<f64>,
) -> impl Fn(&str) -> Result<Duration, Problem> {
    move |text| {
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Ok(length.mul_f64(number));
        }
        let what = match number {
            Some(_) => format!("`{text}` is out of range"),
            None if duration(text).is_ok() => format!("`{text}` has a unit, and the name already says {unit}"),
            None => format!("`{text}` is no number"),
        };
        Err(Problem::new(what, format!("write a bare number of {unit} from {} to {}", range.start(), range.end())))
    }
}

/// A whole number within a range.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, Problem>
where
    T: FromStr + PartialOrd + Display,
{
    move |text| {
        let number = text.parse::<T>().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let what = format!("`{text}` is no whole number from {} to {}", range.start(), range.end());
            Problem::new(what, "write such a number")
        })
    }
}

/// Yes or no.
pub(super) fn flag(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(Problem::new(format!("`{text}` is neither true nor false"), "write true or false")),
    }
}

/// A key of 32 bytes, as hex or base64; answered as hex.
pub(super) fn key_of_32_bytes(text: &str) -> Result<Secret, Problem> {
    let text = text.trim();
    let bytes = hex::decode(text).ok().or_else(|| BASE64.decode(text).ok());
    match bytes {
        Some(bytes) if bytes.len() == 32 => Ok(Secret::new(hex::encode(bytes))),
        _ => Err(Problem::new("it is not 32 bytes in hex or base64", "write one made by `openssl rand -hex 32`")),
    }
}

/// An address with a port; `localhost` is `127.0.0.1`.
pub(super) fn address(text: &str) -> Result<SocketAddr, Problem> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| {
        Problem::new(
            format!("`{text}` is no address with a port"),
            "write 127.0.0.1:3000, [::1]:3000, or 0.0.0.0:3000 for all interfaces",
        )
    })
}

/// An http or https URL without query and fragment.
pub(super) fn web_url(text: &str) -> Result<Url, Problem> {
    let shown = hide_password(text);
    let refused = |what: String| Problem::new(what, "write it whole, such as https://host.example/path");
    let url = Url::parse(text).map_err(|error| refused(format!("`{shown}` is no URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused(format!("`{shown}` begins neither with http:// nor with https://")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(format!("`{shown}` holds a user or a password, which are settings of their own")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(format!("`{shown}` has a query or a fragment")));
    }
    Ok(url)
}

/// A URL as the base of paths: its own path ends in `/`, so that joining never swallows its last segment.
pub(super) fn base_url(text: &str) -> Result<Url, Problem> {
    let mut url = web_url(text)?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// An e-mail address, as far as that can be told from outside.
pub(super) fn email(text: &str) -> Result<String, Problem> {
    match text.split_once('@') {
        Some((user, host)) if !user.is_empty() && host.contains('.') && !text.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        _ => Err(Problem::new(format!("`{text}` is no e-mail address"), "write it whole, such as kanzlei@example.org")),
    }
}

/// Employees' abbreviations by commas: 1 to 20 letters (Umlauts too), digits, `_` or `-` each.
pub(super) fn kuerzel_list(text: &str) -> Result<Vec<String>, Problem> {
    let valid = |part: &str| {
        (1..=20).contains(&part.chars().count()) && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    };
    let parts: Vec<String> =
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    match parts.iter().find(|part| !valid(part)) {
        None if !parts.is_empty() => Ok(parts),
        wrong => {
            let shown = wrong.map_or(text, String::as_str);
            Err(Problem::new(format!("`{shown}` is no Kürzel"), "write Kürzel separated by commas, such as PB,AI"))
        }
    }
}
