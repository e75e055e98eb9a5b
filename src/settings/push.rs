//! How Google tells that a calendar changed (`events/watch`); off unless both settings are there.

use url::Url;

use super::fault::Problem;
use super::reader::Reader;
use super::{Secret, http, parse};

const URL: &str = "GOOGLE_PUSH_URL";
const TOKEN: &str = "GOOGLE_PUSH_TOKEN";

/// Push channels: a hint that enqueues one employee's job; the schedules stay.
#[derive(Debug, Clone)]
pub struct Push {
    /// Where Google reaches `POST /google/calendar/notify`; HTTPS, but for loopback.
    pub address: Url,
    /// What every push carries.
    pub token: Secret,
}

impl Push {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let address = reader.optional(URL, address);
        let token = reader.optional(TOKEN, http::token);
        let alone = match (reader.is_set(URL), reader.is_set(TOKEN)) {
            (true, false) => Some((URL, TOKEN)),
            (false, true) => Some((TOKEN, URL)),
            _ => None,
        };
        if let Some((there, lacking)) = alone {
            let what = format!("it is not set, although {there} is: a push needs both");
            reader.fault(lacking, Problem::new(what, format!("set it, or leave {there} out to do without push")));
        }
        address.zip(token).map(|(address, token)| Self { address, token })
    }
}

fn address(text: &str) -> Result<Url, Problem> {
    let url = parse::web_url(text)?;
    let loopback = url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
    if url.scheme() == "https" || loopback {
        return Ok(url);
    }
    Err(Problem::new(
        format!("`{text}` is not HTTPS, and Google pushes to nothing else"),
        "write https:// and the public name of the ingress, such as https://sync.example.org/google/calendar/notify",
    ))
}
