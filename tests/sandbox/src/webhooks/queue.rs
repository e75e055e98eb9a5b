//! Registered webhooks, events that happened, and items that wait to be sent.
//!
//! An event becomes one item for every webhook that wants it, when a run takes it; an item then lives by itself until it
//! is sent or given up (espocrm.md, Queue).

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Fields;
use crate::espocrm::records::new_id;
use crate::options::WebhookOptions;

/// A registered webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its id, part of the signature.
    pub id: String,
    /// Such as `CBeteiligte.create`.
    pub event: String,
    /// Where it goes.
    pub url: String,
    /// The key of the signature; without one no signature is sent.
    pub secret: Option<String>,
    /// Not sent for the owner's own changes, where that is honoured.
    pub skip_own: bool,
    /// The owner, where it is an API user.
    pub user_id: Option<String>,
    /// Whether it is sent at all.
    pub active: bool,
}

impl Hook {
    pub(crate) fn new(event: &str, url: &str, skip_own: bool, user_id: Option<String>) -> Self {
        let secret = Some(Uuid::new_v4().simple().to_string());
        Self { id: new_id(), event: event.into(), url: url.into(), secret, skip_own, user_id, active: true }
    }
}

/// The order in which a run serves the webhooks. Between webhooks the real one has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// update, create, delete: what was seen of the real one.
    Observed,
    /// As they were registered.
    Registered,
    /// The last one registered first.
    Reversed,
    /// By chance, from the options' seed.
    Shuffled,
}

#[derive(Debug, Clone)]
struct Event {
    name: String,
    user_id: String,
    data: Fields,
}

/// One record of a batch.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) number: u64,
    hook_id: String,
    pub(crate) data: Fields,
    attempts: u32,
    due: DateTime<Utc>,
}

/// What one request will carry.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) hook: Hook,
    pub(crate) items: Vec<Item>,
}

/// Everything that waits.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    hooks: Vec<Hook>,
    events: VecDeque<Event>,
    items: Vec<Item>,
    last_item: u64,
    pub(crate) given_up: Vec<(String, Fields)>,
}

impl Queue {
    pub(crate) fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    pub(crate) fn hook_mut(&mut self, id: &str) -> Option<&mut Hook> {
        self.hooks.iter_mut().find(|hook| hook.id == id)
    }

    pub(crate) fn add_hook(&mut self, hook: Hook) {
        self.hooks.push(hook);
    }

    pub(crate) fn remove_hook(&mut self, id: &str) {
        self.hooks.retain(|hook| hook.id != id);
        self.items.retain(|item| item.hook_id != id);
    }

    /// Notes an event; one that no webhook waits for leaves no trace.
    pub(crate) fn happened(&mut self, entity: &str, action: &str, user_id: &str, data: Fields) {
        let name = format!("{entity}.{action}");
        if self.hooks.iter().any(|hook| hook.active && hook.event == name) {
            self.events.push_back(Event { name, user_id: user_id.to_owned(), data });
        }
    }

    /// Events and items that wait, also those that are not due.
    pub(crate) fn waiting(&self) -> usize {
        self.events.len() + self.items.len()
    }

    /// Events that wait and items that are due.
    pub(crate) fn due(&self, now: DateTime<Utc>) -> usize {
        self.events.len() + self.items.iter().filter(|item| item.due <= now).count()
    }

    /// Drops everything that waits, as an outage of the sender's job would.
    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.items.clear();
    }

    /// One run's batches: at most so many events become items, then each webhook's due items are taken, in no
    /// particular order of the webhooks. The items stay in the queue until [`Queue::settle`].
    pub(crate) fn batches(
        &mut self,
        options: &WebhookOptions,
        now: DateTime<Utc>,
        random: &mut dyn FnMut() -> u64,
    ) -> Vec<Batch> {
        for _ in 0..options.events_per_run {
            let Some(event) = self.events.pop_front() else { break };
            let own =
                |hook: &Hook| options.honour_skip_own && hook.skip_own && hook.user_id.as_ref() == Some(&event.user_id);
            for hook in self.hooks.iter().filter(|hook| hook.active && hook.event == event.name && !own(hook)) {
                self.last_item += 1;
                let (number, hook_id, data) = (self.last_item, hook.id.clone(), event.data.clone());
                self.items.push(Item { number, hook_id, data, attempts: 0, due: now });
            }
        }
        let mut hooks: Vec<Hook> = self.hooks.iter().filter(|hook| hook.active).cloned().collect();
        match options.order {
            Order::Registered => {}
            Order::Reversed => hooks.reverse(),
            Order::Observed => hooks.sort_by_key(|hook| observed(&hook.event)),
            Order::Shuffled => hooks.sort_by_cached_key(|_| random()),
        }
        let batches = hooks.into_iter().map(|hook| {
            let mine = self.items.iter().filter(|item| item.hook_id == hook.id && item.due <= now);
            let items = mine.take(options.items_per_request).cloned().collect();
            Batch { hook, items }
        });
        batches.filter(|batch| !batch.items.is_empty()).collect()
    }

    /// Applies the receiver's verdict to a whole batch.
    pub(crate) fn settle(&mut self, batch: &Batch, verdict: Verdict, options: &WebhookOptions, now: DateTime<Utc>) {
        let numbers: Vec<u64> = batch.items.iter().map(|item| item.number).collect();
        let sent = |item: &Item| numbers.contains(&item.number);
        match verdict {
            Verdict::Success => self.items.retain(|item| !sent(item)),
            Verdict::Remove => self.remove_hook(&batch.hook.id),
            Verdict::GiveUp => self.give_up(&batch.hook.id, &sent),
            Verdict::Again => {
                let wait = TimeDelta::milliseconds(i64::try_from(options.retry_after_ms).unwrap_or(i64::MAX));
                for item in self.items.iter_mut().filter(|item| sent(item)) {
                    item.attempts += 1;
                    item.due = now + wait;
                }
                self.give_up(&batch.hook.id, &|item| sent(item) && item.attempts >= options.attempts);
            }
        }
    }

    fn give_up(&mut self, hook_id: &str, which: &dyn Fn(&Item) -> bool) {
        let lost = self.items.iter().filter(|item| which(item)).map(|item| (hook_id.to_owned(), item.data.clone()));
        self.given_up.extend(lost);
        self.items.retain(|item| !which(item));
    }
}

fn observed(event: &str) -> usize {
    ["update", "create", "delete"].iter().position(|action| event.ends_with(action)).unwrap_or(usize::MAX)
}

/// What the receiver's answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    Again,
    GiveUp,
    Remove,
}

/// The table of espocrm.md, "What our answer does"; `None` is no answer.
pub(crate) fn verdict(status: Option<u16>) -> Verdict {
    match status {
        Some(200..=399) => Verdict::Success,
        None | Some(500 | 503 | 401 | 403 | 404 | 405 | 408) => Verdict::Again,
        Some(410) => Verdict::Remove,
        Some(_) => Verdict::GiveUp,
    }
}
