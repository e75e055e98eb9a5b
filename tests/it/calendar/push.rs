//! Google's push, end to end: channels that the worker opens, renews and stops, and what the ingress makes of a push.

use advosync::queue::Mode;
use advosync_sandbox::{Change, Effect, Fault, System};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::support::{CALENDAR, Office, SB, event, hour};
use crate::support::process::Process;
use crate::support::redis::free_port;

const TOKEN: &str = "kanal-geheim";
const STATE: &str = "ledger:calendar:SB:state";

/// An office whose calendars are watched, and where its ingress will listen.
struct Watched {
    office: Office,
    listen: String,
    mark: u64,
}

impl Watched {
    async fn start() -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let url = format!("http://{listen}/google/calendar/notify");
        let settings = [("GOOGLE_PUSH_URL", url.as_str()), ("GOOGLE_PUSH_TOKEN", TOKEN)];
        Self { office: Office::with(&settings).await, listen, mark: 0 }
    }

    /// The ingress that Google reaches.
    async fn ingress(&mut self, token: &str) -> Process {
        self.office.world.set("ADVOSYNC_LISTEN", &self.listen);
        self.office.world.set("GOOGLE_PUSH_TOKEN", token);
        let ingress = self.office.world.start_role("ingress");
        let listens = async || tokio::net::TcpStream::connect(&self.listen).await.is_ok();
        self.office.world.until("the ingress listens", listens).await;
        ingress
    }

    /// What became of channels since this was last asked.
    fn channels(&mut self) -> Vec<Effect> {
        let mut effects = self.office.world.sandbox.effects_since(self.mark);
        self.mark = self.office.world.mark();
        effects.retain(|effect| effect.entity == "channels");
        effects
    }

    /// One channel came into being, and nothing else became of any.
    fn opened(&mut self) -> Effect {
        let mut effects = self.channels();
        assert_eq!(effects.len(), 1, "{effects:?}");
        assert_eq!(effects[0].change, Change::Create);
        effects.remove(0)
    }

    fn state(&self) -> Value {
        serde_json::from_str(&self.office.world.redis.cli(&["HGET", STATE, "state"])).unwrap()
    }

    /// As if time had passed: the ledger's channel ends so long from now.
    fn ends_in(&self, left: TimeDelta) {
        let mut state = self.state();
        state["channel"]["expires"] = json!(Utc::now() + left);
        self.office.world.redis.cli(&["HSET", STATE, "state", &state.to_string()]);
    }

    /// The job ends well although one of its calls about channels was in vain.
    async fn in_vain(&mut self, fault: Fault) {
        let before = self.office.world.sandbox.faults_struck();
        self.office.world.sandbox.fault(fault);
        let done = self.office.sync().await;
        assert!(["synced", "unchanged"].contains(&done.result.as_str()), "{done:?}");
        assert_eq!(self.office.world.sandbox.faults_struck(), before + 1, "the fault struck");
    }
}

fn watch_calls(office: &Office) -> usize {
    let calls = office.world.sandbox.calls();
    calls.iter().filter(|call| call.path.ends_with("/watch") || call.path.ends_with("/stop")).count()
}

#[tokio::test]
async fn without_its_settings_there_is_no_push() {
    let office = Office::start().await;
    office.termin(&hour(3, "Termin"));
    office.synced("synced").await;
    office.is_in_step().await;
    assert_eq!(watch_calls(&office), 0);
}

#[tokio::test]
async fn a_calendar_is_watched_once_until_push_is_turned_off() {
    let mut watched = Watched::start().await;
    watched.office.termin(&hour(3, "Termin"));
    watched.office.synced("synced").await;
    let opened = watched.opened();
    let address = format!("http://{}/google/calendar/notify?kuerzel=SB", watched.listen);
    assert_eq!(opened.body["address"], json!(address));
    assert_eq!(opened.body["params"], json!({ "ttl": "604800" }), "as long as Google allows");
    let state = watched.state();
    assert_eq!(state["channel"]["id"], json!(opened.key));
    let expires: DateTime<Utc> = state["channel"]["expires"].as_str().unwrap().parse().unwrap();
    assert!((Utc::now() + TimeDelta::hours(167)..Utc::now() + TimeDelta::hours(169)).contains(&expires), "{expires}");

    watched.office.is_in_step().await;
    assert_eq!(watched.channels(), []);

    // Each calendar has one of its own, and its address is plain ASCII.
    watched.office.hire("MÜ");
    super::support::done(watched.office.run("MÜ", None, None).await);
    let other = watched.opened();
    assert!(other.body["address"].as_str().unwrap().ends_with("?kuerzel=M%C3%9C"), "{other:?}");

    watched.office.restart_with(&[("GOOGLE_PUSH_URL", ""), ("GOOGLE_PUSH_TOKEN", "")]).await;
    watched.office.synced("unchanged").await;
    let stopped = watched.channels();
    assert_eq!(stopped.iter().map(|it| (it.change, &it.key)).collect::<Vec<_>>(), [(Change::Delete, &opened.key)]);
    assert_eq!(watched.state().get("channel"), None);
    watched.office.is_in_step().await;
    assert_eq!(watched.channels(), []);
}

#[tokio::test]
async fn a_push_brings_an_employees_change_over_at_once_and_chooses_no_mode() {
    let mut watched = Watched::start().await;
    watched.office.synced("synced").await;
    let wrong = watched.ingress("falsch").await;
    let sandbox = &watched.office.world.sandbox;
    let refused = sandbox.push_google().await;
    assert_eq!(refused.iter().map(|it| (it.state.as_str(), it.status)).collect::<Vec<_>>(), [("sync", Some(401))]);
    assert_eq!(watched.office.world.redis.cli(&["XLEN", "jobs:calendar"]), "0", "nothing was enqueued");
    wrong.kill();

    let _right = watched.ingress(TOKEN).await;
    let office = &mut watched.office;
    super::support::done(office.run(SB, None, Some(Mode::Full)).await);
    let modes = office.world.redis.cli(&["HGETALL", "calendar_sync:mode"]);
    assert!(modes.contains(SB), "{modes}");
    office.world.take_worker().terminate(std::time::Duration::from_mins(1)).await;
    office.event(&event(4, "Privat"));
    office.event(&event(5, "Auch"));
    for expected in [1, 0] {
        let sent = office.world.sandbox.push_google().await;
        assert_eq!(sent.len(), expected, "{sent:?}");
        assert!(sent.iter().all(|it| it.state == "exists" && it.status == Some(200)), "{sent:?}");
    }
    let job = office.world.redis.cli(&["XRANGE", "jobs:calendar", "-", "+"]);
    let words: Vec<&str> = job.lines().collect();
    let after = |name: &str| words.iter().position(|word| *word == name).map(|at| words[at + 1]);
    assert_eq!(words.iter().filter(|word| **word == "topic").count(), 1, "one job: {job}");
    assert_eq!(
        [after("topic"), after("key"), after("source"), after("mode")],
        [Some("calendar_sync_employee"), Some(SB), Some("google"), None]
    );
    office.world.start_worker();
    office.world.until("the events are Termine", async || office.termine().len() == 2).await;
    office.world.until("the job is done", async || office.world.redis.cli(&["XLEN", "jobs:calendar"]) == "0").await;
    assert_eq!(office.world.redis.cli(&["HGETALL", "calendar_sync:mode"]), modes);
    assert_eq!(office.events().len(), 2, "{CALENDAR} has no copies");
    office.is_in_step().await;
}

#[tokio::test]
async fn a_channel_is_renewed_before_it_ends_and_the_old_one_stopped() {
    let mut watched = Watched::start().await;
    watched.office.synced("synced").await;
    let old = watched.opened().key;
    watched.ends_in(TimeDelta::hours(49));
    watched.office.synced("unchanged").await;
    assert_eq!(watched.channels(), [], "two days and an hour are enough");

    watched.ends_in(TimeDelta::hours(47));
    watched.office.synced("unchanged").await;
    let effects = watched.channels();
    let new = watched.state()["channel"]["id"].as_str().unwrap().to_owned();
    let became: Vec<_> = effects.iter().map(|it| (it.change, it.key.as_str())).collect();
    assert_eq!(became, [(Change::Create, new.as_str()), (Change::Delete, old.as_str())], "never without one");

    // With another token or address it would push in vain.
    watched.office.restart_with(&[("GOOGLE_PUSH_TOKEN", "neu")]).await;
    watched.office.synced("unchanged").await;
    let effects = watched.channels();
    let became: Vec<_> = effects.iter().map(|it| (it.change, &it.key)).collect();
    assert_eq!((became.len(), became[1]), (2, (Change::Delete, &new)));
    let new = effects[0].key.clone();
    watched.office.synced("unchanged").await;
    assert_eq!(watched.channels(), []);

    // One that Google does not stop ends by itself.
    watched.ends_in(TimeDelta::hours(-1));
    watched.in_vain(Fault::on(System::Google).post("*/channels/stop").once().google_error(400, "invalid")).await;
    assert_ne!(watched.opened().key, new);
}

#[tokio::test]
async fn a_refused_channel_never_fails_a_run_and_is_asked_for_again() {
    let mut watched = Watched::start().await;
    watched.office.termin(&hour(3, "Termin"));
    let watch = || Fault::on(System::Google).post("*/events/watch").once();
    watched.in_vain(watch().google_error(400, "push.webhookUrlNotHttps")).await;
    assert_eq!((watched.channels(), watched.office.events().len()), (vec![], 1));
    assert_eq!(watched.state().get("channel"), None);
    watched.office.synced("unchanged").await;
    let first = watched.opened().key;

    // Nor is one that is still good given up for one that is not to be had.
    watched.ends_in(TimeDelta::hours(47));
    watched.in_vain(watch().google_error(403, "forbidden")).await;
    assert_eq!(watched.channels(), []);
    assert_eq!(watched.state()["channel"]["id"], json!(first));
    watched.in_vain(watch().lose_answer()).await;
    assert_eq!(watched.state()["channel"]["id"], json!(first));
}
