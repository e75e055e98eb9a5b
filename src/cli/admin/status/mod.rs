//! `advosync status`: what waits, runs and failed, whether the upstreams answer, and what a person should do about it.
//!
//! `picture` is what was read, `remarks` decides what deserves a word (pure), `render` shows it.

mod picture;
mod remarks;
mod render;

use anyhow::Result;
use chrono::Utc;

use super::{Report, said};
use crate::roles::Parts;
use crate::settings::Source;
use picture::Picture;
pub(super) use remarks::down;

/// The state of everything, as a table or as JSON.
pub(super) async fn run(parts: &Parts, source: &Source, json: bool) -> Result<Report> {
    let now = Utc::now();
    parts.queue.prepare(now).await?;
    let picture = Picture::take(parts, source, now).await?;
    let remarks = remarks::remarks(&picture);
    if json {
        return Ok(said(format!("{:#}", render::json(&picture, &remarks))));
    }
    Ok(said(render::text(&picture, &remarks)))
}
