//! Write protection: whoever looks at the product is told that it is on. That nothing is written is in `pages.rs` for the proxy and with
//! the tests of both flows for the workers.

use advosync_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use super::support::Home;
use crate::support::redis::Redis;

const LINE: &str = "ADVOWARE_WRITE_PROTECTION is on: nothing is written to advoware, jobs report what would be";

#[tokio::test(flavor = "multi_thread")]
async fn that_it_is_on_is_said_everywhere() {
    let redis = Redis::start();
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    for (on, value) in [(true, "true"), (false, "false")] {
        let home = Home::at(&redis).with_all(sandbox.env()).with("ADVOWARE_WRITE_PROTECTION", value);
        for role in ["up", "worker", "proxy", "console", "ingress", "cron"] {
            let process = home.ready(role);
            process.says("started");
            if matches!(role, "up" | "console") {
                for path in ["/console", "/console/dead"] {
                    let page = process.http().get(path);
                    assert_eq!(
                        (page.status, page.body.contains("ADVOWARE_WRITE_PROTECTION is on here")),
                        (200, on),
                        "{role} {path}"
                    );
                }
            }
            let told = process.stop().with_code(0).stderr.matches(LINE).count();
            let calls = matches!(role, "up" | "worker" | "proxy");
            assert_eq!(told, usize::from(on && calls), "{role}");
        }
        let status: Value = serde_json::from_str(&home.run(&["status", "--json"]).with_code(0).stdout).unwrap();
        assert_eq!(status["write_protection"], json!(on));
        assert_eq!(status["remarks"].to_string().contains("ADVOWARE_WRITE_PROTECTION is on"), on, "{status}");
        let doctor = home.run(&["doctor"]).stdout;
        assert_eq!(doctor.contains("ADVOWARE_WRITE_PROTECTION is on"), on, "{doctor}");
    }
    // A worker of the calendars alone says it, too.
    let home =
        Home::at(&redis).with_all(sandbox.env()).with("ADVOWARE_WRITE_PROTECTION", "true").without("ESPOCRM_API_KEY");
    home.start("worker").says(LINE);
}
