//! `--keep`: what a person can try while everything goes on running.

use std::time::Duration;

use crate::product::TOKEN;
use crate::stage::Stage;

/// How often `EspoCRM`'s stand-in sends what waits; the real one does every 2 minutes.
const DELIVER_EVERY: Duration = Duration::from_millis(500);

/// Prints what can be tried, and delivers webhooks until Ctrl-C or SIGTERM.
pub(crate) async fn run(stage: &Stage) -> anyhow::Result<()> {
    print_help(stage);
    let delivering = async {
        let mut pace = tokio::time::interval(DELIVER_EVERY);
        loop {
            pace.tick().await;
            stage.sandbox.deliver_webhooks().await;
        }
    };
    tokio::select! {
        result = crate::interruption() => Ok(result?),
        () = delivering => Ok(()),
    }
}

fn print_help(stage: &Stage) {
    let (url, sandbox) = (&stage.product.url, stage.sandbox.origin());
    let (folder, binary) = (stage.product.folder().display(), stage.product.binary().display());
    stage.account.line(&format!(
        "
It goes on running until Ctrl-C. Webhooks are delivered twice a second.
   product   {url}  (console: {url}/console/, token {TOKEN})
   sandbox   {sandbox}/sandbox/
   log       {folder}/advosync.log

Try:
   # a party in EspoCRM's stand-in, and in Advoware's a second later
   curl -X POST {sandbox}/sandbox/crm/CBeteiligte -H 'Content-Type: application/json' \\
     -d '{{\"firstName\":\"Ada\",\"lastName\":\"Probe\"}}'
   curl {sandbox}/sandbox/advoware/Beteiligte
   # trigger a calendar
   curl -X POST {url}/advoware/calendar/sync -H 'Authorization: Bearer {TOKEN}' \\
     -H 'Content-Type: application/json' -d '{{\"kuerzel\":\"SB\",\"full_content\":true}}'
   curl {url}/metrics
   # what waits, runs and failed
   ADVOSYNC_DATA_DIR={folder}/data {binary} status
   redis-cli -u \"$(cat {folder}/data/redis.url)\" XINFO GROUPS jobs:vmh"
    ));
}
