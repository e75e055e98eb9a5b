//! When schedules fire.

use chrono::DateTime;
use chrono_tz::Tz;

use super::fault::Problem;
use super::reader::Reader;
use crate::cron::schedule::Schedule;

/// The two schedules.
#[derive(Debug, Clone)]
pub struct Cron {
    /// When all calendars are synced; none: off.
    pub calendar: Option<Schedule>,
    /// When records are swept; none: off.
    pub records: Option<Schedule>,
    /// The zone in which both are read.
    pub timezone: Tz,
}

impl Cron {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let timezone = reader.value("ADVOSYNC_TIMEZONE", timezone);
        Self {
            calendar: reader.value("ADVOSYNC_CRON_CALENDAR", |text| schedule(text, timezone)),
            records: reader.value("ADVOSYNC_CRON_RECORDS", |text| schedule(text, timezone)),
            timezone,
        }
    }
}

fn timezone(text: &str) -> Result<Tz, Problem> {
    text.parse().map_err(|_| {
        Problem::new(format!("`{text}` is no time zone"), "write an IANA name such as Europe/Berlin or UTC")
    })
}

fn schedule(text: &str, timezone: Tz) -> Result<Option<Schedule>, Problem> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let parsed = Schedule::parse(text, timezone).and_then(|schedule| {
        // Whether it ever fires does not depend on when one begins to look.
        schedule.next_after(DateTime::UNIX_EPOCH).map(|_| schedule)
    });
    parsed.map(Some).map_err(|error| Problem::new(error.to_string(), "or `off` to switch it off"))
}
