//! The handle of a running sandbox.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::effects::{Call, Counts, Effect, System};
use crate::espocrm::actor::Actor;
use crate::faults::{Fault, Gate, Hold, Match, Phase};
use crate::google::push::{self, Notification};
use crate::google::{Google, key};
use crate::options::Options;
use crate::server::{self, Shared};
use crate::webhooks::deliver::{Delivery, Run, Sender};
use crate::webhooks::queue::Hook;
use crate::world::World;

/// A running sandbox. Clones are the same sandbox; the last one to go closes the port and every connection.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    port: Arc<Mutex<Option<OpenPort>>>,
    alive: Arc<DropGuard>,
}

struct OpenPort {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Binds the port and serves all systems on it.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let wanted = options.listen;
        let listener = server::bind(wanted).await.with_context(|| format!("cannot listen on {wanted}"))?;
        let address = listener.local_addr()?;
        let pace = options.deliver_every_ms.map(Duration::from_millis);
        let google = Google::new(&options.google).context("no folder for the service account's key file")?;
        let world = World::new(options, format!("http://{address}"), google);
        let shared = Arc::new(Shared::new(world, Sender::new()?));
        let life = CancellationToken::new();
        let sandbox = Self { shared, address, port: Arc::default(), alive: Arc::new(life.clone().drop_guard()) };
        sandbox.open(listener);
        if let Some(pace) = pace {
            tokio::spawn(deliver_periodically(sandbox.shared.clone(), pace, life));
        }
        Ok(sandbox)
    }

    fn open(&self, listener: TcpListener) {
        let stop = self.life().child_token();
        let task = tokio::spawn(server::serve(listener, self.shared.clone(), stop.clone()));
        *self.port() = Some(OpenPort { stop, task });
    }

    fn life(&self) -> &CancellationToken {
        self.alive.token()
    }

    fn port(&self) -> MutexGuard<'_, Option<OpenPort>> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An outage: connections are cut and new ones refused; what the systems remember stays. Requests whose effect is
    /// under way end it.
    pub async fn stop(&self) {
        let open = self.port().take();
        if let Some(OpenPort { stop, task }) = open {
            stop.cancel();
            // The task only ends by the token; a panic in it has been reported already.
            let _ = task.await;
        }
    }

    /// Ends an outage: the same port, the same memory.
    pub async fn resume(&self) -> anyhow::Result<()> {
        if self.port().is_none() {
            let address = self.address;
            let listener = server::bind(address).await.with_context(|| format!("cannot listen on {address} again"))?;
            self.open(listener);
        }
        Ok(())
    }

    /// The address of the port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Moves the sandbox's clock forward: tokens end, failed webhooks become due, a lockout passes.
    pub fn advance(&self, by: Duration) {
        self.shared.world().clock.advance(TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX));
    }

    /// Changes options while it runs; the address stays.
    pub fn configure(&self, change: impl FnOnce(&mut Options)) {
        change(&mut self.shared.world().options);
    }

    /// The options as they are now.
    #[must_use]
    pub fn options(&self) -> Options {
        self.shared.world().options.clone()
    }

    /// Advoware's tokens that are good, as they were given out.
    #[must_use]
    pub fn advoware_tokens(&self) -> Vec<String> {
        self.shared.world().advoware.tokens.all()
    }

    /// Takes all of Advoware's tokens back.
    pub fn revoke_tokens(&self) {
        self.shared.world().advoware.tokens.revoke_all();
    }

    /// Takes all of Google's tokens back.
    pub fn revoke_google_tokens(&self) {
        self.shared.world().google.tokens.revoke_all();
    }

    /// Lets all of Google's sync tokens end: the next delta is answered with 410 fullSyncRequired.
    pub fn expire_sync_tokens(&self) {
        self.shared.world().google.expire_sync_tokens();
    }

    /// The service account's key file: its text, with this sandbox as `token_uri`.
    #[must_use]
    pub fn service_account_json(&self) -> String {
        let world = self.shared.world();
        key::file_text(&world.options.google, &world.origin)
    }

    /// Sends Google's notifications: the first one of each new channel, then one for each calendar that changed since.
    pub async fn push_google(&self) -> Vec<Notification> {
        push::run(&self.shared).await
    }

    /// Every write that took effect since the start, oldest first.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.effects_since(0)
    }

    /// The effects after a number.
    #[must_use]
    pub fn effects_since(&self, number: u64) -> Vec<Effect> {
        self.shared.world().log.effects_since(number)
    }

    /// The requests since the last [`Sandbox::reset_counts`], oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.world().log.calls()
    }

    /// How often each system was asked since the last reset.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<System, Counts> {
        self.shared.world().log.counts()
    }

    /// How often one system was asked since the last reset.
    #[must_use]
    pub fn count(&self, system: System) -> Counts {
        self.counts().get(&system).copied().unwrap_or_default()
    }

    /// Forgets calls and counts; effects stay.
    pub fn reset_counts(&self) {
        self.shared.world().log.reset();
    }

    /// Adds a rule behind those that stand.
    pub fn fault(&self, fault: Fault) {
        self.shared.world().faults.plant(fault);
    }

    /// Takes all rules away.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }

    /// How many requests were struck by the rules that stand.
    #[must_use]
    pub fn faults_struck(&self) -> u64 {
        self.shared.world().faults.struck()
    }

    /// The rules that stand, and how many requests each has struck.
    #[must_use]
    pub fn faults(&self) -> Vec<(Fault, u64)> {
        self.shared.world().faults.each()
    }

    /// Holds the next matching request.
    #[must_use]
    pub fn gate(&self, target: Match, phase: Phase) -> Gate {
        self.gate_nth(target, phase, 1)
    }

    /// Holds the n-th matching request from now, counted from 1.
    #[must_use]
    pub fn gate_nth(&self, target: Match, phase: Phase, nth: u64) -> Gate {
        let (hold, gate) = Hold::pair(target, phase, nth);
        self.shared.world().faults.hold(hold);
        gate
    }

    /// Registers create, update and delete of an entity as the API user, with `skipOwn`; the urls are
    /// `<base>/create` and so on.
    #[expect(clippy::must_use_candidate, reason = "registering is the point; the hooks can be listed")]
    pub fn register_webhooks(&self, entity: &str, base: &str) -> Vec<Hook> {
        ["create", "update", "delete"]
            .map(|action| {
                let owner = Actor::api(&self.shared.world().options.espocrm).id;
                self.register_webhook(&format!("{entity}.{action}"), &format!("{base}/{action}"), true, Some(owner))
            })
            .to_vec()
    }

    /// Registers one webhook.
    #[expect(clippy::must_use_candidate, reason = "registering is the point; the hooks can be listed")]
    pub fn register_webhook(&self, event: &str, url: &str, skip_own: bool, owner: Option<String>) -> Hook {
        let hook = Hook::new(event, url, skip_own, owner);
        self.shared.world().hooks.add_hook(hook.clone());
        hook
    }

    /// An administrator switches a webhook on or off.
    pub fn switch_webhook(&self, id: &str, active: bool) {
        if let Some(hook) = self.shared.world().hooks.hook_mut(id) {
            hook.active = active;
        }
    }

    /// The registered webhooks.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Hook> {
        self.shared.world().hooks.hooks().to_vec()
    }

    /// Events and items that wait, also those that are not due yet.
    #[must_use]
    pub fn webhooks_waiting(&self) -> usize {
        self.shared.world().hooks.waiting()
    }

    /// Webhook id and data of every item that was given up for ever.
    #[must_use]
    pub fn webhooks_given_up(&self) -> Vec<(String, crate::Fields)> {
        self.shared.world().hooks.given_up.clone()
    }

    /// Loses every webhook that waits.
    pub fn forget_webhooks(&self) {
        self.shared.world().hooks.forget();
    }

    /// One run of the sending job: at most 20 events, at most 50 items a request.
    pub async fn deliver_webhooks(&self) -> Run {
        self.shared.sender.run(&self.shared).await
    }

    /// Runs until nothing is due any more; failed items wait for their time.
    pub async fn deliver_all_webhooks(&self) -> Run {
        self.shared.sender.run_all(&self.shared).await
    }

    /// Sends a request of before again, byte by byte: a duplicate, or what someone recorded.
    pub async fn redeliver(&self, delivery: &Delivery) -> Option<Delivery> {
        let hook = self.webhooks().into_iter().find(|hook| hook.id == delivery.hook_id)?;
        let timeout = self.options().webhooks.timeout_ms;
        self.shared.sender.send(&self.shared, &hook, delivery.body.clone(), timeout).await.into_iter().next()
    }
}

async fn deliver_all(shared: &Arc<Shared>) {
    shared.sender.run(shared).await;
    push::run(shared).await;
}

async fn deliver_periodically(shared: Arc<Shared>, pace: Duration, life: CancellationToken) {
    loop {
        tokio::select! {
            () = life.cancelled() => return,
            () = tokio::time::sleep(pace) => {}
        }
        tokio::select! {
            () = life.cancelled() => return,
            () = deliver_all(&shared) => {}
        }
    }
}
