//! How to reach Google Calendar.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::missing::Missing;
use super::parse;
use super::reader::Reader;
use super::role::Upstream;

/// Google Calendar's address, account and limits.
#[derive(Debug, Clone)]
pub struct Google {
    /// The service account's key file; it exists.
    pub service_account: PathBuf,
    /// The API's base, which ends in `/`.
    pub base_url: Url,
    /// The firm's main account, made an owner of every calendar.
    pub owner: Option<String>,
    /// The user to act as.
    pub subject: Option<String>,
    /// Least time between two calls, over all workers.
    pub min_interval: Duration,
    /// Most calls a second, over all workers.
    pub max_rate: u32,
}

impl Google {
    pub(super) fn read(reader: &mut Reader<'_>, missing: &mut Vec<Missing>) -> Option<Self> {
        const PATH: &str = "GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH";
        let google = Self {
            service_account: reader.value(PATH, |text| Ok(PathBuf::from(text))),
            base_url: reader.value("GOOGLE_CALENDAR_API_BASE_URL", parse::base_url),
            owner: reader.optional("GOOGLE_CALENDAR_OWNER", parse::email),
            subject: reader.optional("GOOGLE_CALENDAR_SUBJECT", parse::email),
            min_interval: reader
                .value("GOOGLE_MIN_INTERVAL", parse::duration_in(Duration::ZERO..=Duration::from_mins(1))),
            max_rate: reader.value("GOOGLE_MAX_RATE", parse::number(1..=1000)),
        };
        if google.service_account.is_file() {
            return Some(google);
        }
        let detail = format!("there is no file {}", google.service_account.display());
        missing.push(Missing { upstream: Upstream::Google, names: vec![PATH], detail: Some(detail) });
        None
    }
}
