//! Redis: is it there, does its layout fit, does it keep what it accepts?

use chrono::Utc;

use crate::cli::admin::finding::Finding;
use crate::cli::admin::show::recent_loss;
use crate::queue::{Judgement, QueueError, Trust};
use crate::roles::Parts;

pub(super) async fn check(parts: &Parts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = overheard(parts).into_iter().collect();
    let address = parts.settings.redis.resolve(&parts.settings.data_dir).describe();
    if let Err(error) = parts.queue.ping().await {
        findings.push(Finding::fail("redis", format!("{address}: {error}")));
        return findings;
    }
    findings.push(Finding::ok("redis", format!("{address} answers")));
    findings.push(layout(parts).await);
    match parts.queue.durability().await {
        Ok(found) => findings.extend(found.judge().iter().map(durability)),
        Err(error) => findings.push(Finding::fail("redis durability", error.to_string())),
    }
    findings.extend(loss(parts).await);
    findings
}

/// Passwords and parties' data on a network, readable for whoever is on it.
fn overheard(parts: &Parts) -> Option<Finding> {
    let server = parts.settings.redis.resolve(&parts.settings.data_dir);
    server.can_be_overheard().then(|| {
        Finding::warn(
            "redis encryption",
            "the password and parties' data cross the network as they are; let Redis speak TLS and write rediss:// in \
             REDIS_URL (runbook, Redis on another machine)",
        )
    })
}

async fn layout(parts: &Parts) -> Finding {
    const ABOUT: &str = "redis layout";
    match parts.queue.migrate(true, Utc::now()).await {
        Ok(done) if done.steps.is_empty() => Finding::ok(ABOUT, format!("layout {} is in place", done.to)),
        Ok(done) if done.from.is_none() => {
            Finding::warn(ABOUT, "none yet; it is set up as soon as a role starts, or by `advosync migrate`")
        }
        Ok(done) => Finding::warn(ABOUT, format!("run `advosync migrate`; it would {}", done.steps.join(", "))),
        // A newer layout is no fault where it serves this program, too.
        Err(QueueError::Layout(text)) => match parts.queue.ready().await {
            Ok(()) => Finding::ok(ABOUT, "a newer version's, which serves this one too"),
            Err(_) => Finding::fail(ABOUT, text),
        },
        Err(error) => Finding::fail(ABOUT, error.to_string()),
    }
}

fn durability(judgement: &Judgement) -> Finding {
    let Judgement { about, setting, value, trust, text } = judgement;
    let about = format!("redis {about}");
    let told = if value.is_empty() { (*text).to_owned() } else { format!("{setting} is {value}: {text}") };
    match trust {
        Trust::Good => Finding::ok(about, told),
        Trust::Weak => Finding::warn(about, told),
        Trust::Bad => Finding::fail(about, told),
    }
}

/// A loss that a person may not have heard of yet.
async fn loss(parts: &Parts) -> Option<Finding> {
    const ABOUT: &str = "redis data";
    match parts.queue.last_loss().await {
        Ok(loss) => Some(Finding::warn(ABOUT, recent_loss(loss, Utc::now(), parts.settings.cron.timezone)?)),
        Err(error) => Some(Finding::fail(ABOUT, error.to_string())),
    }
}
