//! Workers whose places are taken by new ones whenever they die, as a service manager does it.

use std::time::Duration;

use super::{Setup, Site, Worker};

/// How often the dead are looked for.
const LOOK: Duration = Duration::from_millis(20);

/// So many workers, whatever happens to them.
pub struct Crew {
    setup: Setup,
    workers: Vec<Worker>,
    hired: usize,
    /// How many have died without being told to.
    pub deaths: usize,
}

impl Crew {
    /// Starts them, with these changes to what a worker is told.
    pub async fn start(site: &Site, size: usize, change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = site.setup("");
        change(&mut setup);
        let mut crew = Self { setup, workers: Vec::new(), hired: 0, deaths: 0 };
        crew.workers = (0..size).map(|_| crew.hire()).collect();
        site.until("the crew is there", async || {
            let flows = crew.setup.flows.iter();
            flows.map(|flow| site.redis.cli(&["ZCARD", &format!("jobs:{flow}:workers")])).all(|n| n == size.to_string())
        })
        .await;
        crew
    }

    /// One of them.
    pub fn at(&self, place: usize) -> &Worker {
        &self.workers[place]
    }

    /// The place of the one with this name among the workers.
    pub fn place_of(&self, name: &str) -> Option<usize> {
        self.workers.iter().position(|worker| worker.name() == name)
    }

    /// SIGKILL, and another one in its place.
    pub fn kill(&mut self, place: usize) {
        let new = self.hire();
        std::mem::replace(&mut self.workers[place], new).kill();
    }

    /// Stops one in order, and puts another in its place.
    pub async fn stop(&mut self, place: usize) {
        let new = self.hire();
        std::mem::replace(&mut self.workers[place], new).stop().await;
    }

    /// Waits for something that will be so, replacing who dies; as [`Site::until`].
    pub async fn until(&mut self, site: &Site, what: &str, so: impl AsyncFn() -> bool) {
        let watch = async {
            loop {
                self.replace_the_dead();
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            never = watch => never,
            () = site.until(what, so) => {}
        }
    }

    fn replace_the_dead(&mut self) {
        for place in 0..self.workers.len() {
            if self.workers[place].is_gone() {
                self.workers[place] = self.hire();
                self.deaths += 1;
            }
        }
    }

    fn hire(&mut self) -> Worker {
        let name = format!("w{}", self.hired);
        self.hired += 1;
        Worker::start(Setup { label: name.clone(), consumer: name, ..self.setup.clone() })
    }
}
