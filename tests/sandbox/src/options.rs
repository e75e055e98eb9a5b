//! What can be chosen: credentials, the shapes that the contracts leave open, the data model, and the sender's pace.
//!
//! Durations are milliseconds, so that the same options travel as JSON over the control routes.

mod google;

use std::net::SocketAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::CBETEILIGTE;
use crate::advoware::resource::Resource;
use crate::espocrm::entity::Entity;
use crate::webhooks::queue::Order;

pub use self::google::{GoogleOptions, IntervalOne, Normalising, Offsets};

/// Everything that a sandbox is started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Seed of everything random: the faults' probability and the shuffled order of webhooks.
    pub seed: u64,
    /// Deliver webhooks and Google's notifications by itself at this pace, in ms; `None`: only on demand.
    pub deliver_every_ms: Option<u64>,
    /// Advoware's choices.
    pub advoware: AdvowareOptions,
    /// `EspoCRM`'s choices.
    pub espocrm: EspoCrmOptions,
    /// Google Calendar's choices.
    pub google: GoogleOptions,
    /// The webhook sender's choices.
    pub webhooks: WebhookOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            deliver_every_ms: None,
            advoware: AdvowareOptions::default(),
            espocrm: EspoCrmOptions::default(),
            google: GoogleOptions::default(),
            webhooks: WebhookOptions::default(),
        }
    }
}

/// How Advoware answers the GET of one record (advoware.md, Beteiligte).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GetShape {
    /// The record itself.
    Object,
    /// An array of one.
    Array,
}

/// How Advoware answers a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostShape {
    /// The new record.
    Object,
    /// An array of it.
    Array,
    /// Only its number.
    Number,
}

/// How Advoware answers a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutShape {
    /// The record with its new rowId.
    WithRowId,
    /// The record without a rowId.
    WithoutRowId,
    /// 200 without a body.
    Empty,
}

/// How Advoware spells a date in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateShape {
    /// As it was written; no date is null.
    AsWritten,
    /// With midnight; no date is `0001-01-01T00:00:00`.
    DateTime,
}

/// What Advoware's token service complains about, whatever is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The product is not enabled for the firm: a configuration fault.
    NotEnabled,
    /// The firm is not registered: a configuration fault.
    NotRegistered,
    /// Wrong name or password: a configuration fault.
    WrongPassword,
    /// The firm's server is offline for now: transient.
    Offline,
}

/// Advoware: credentials and open choices.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of one imitated system, set by name")]
pub struct AdvowareOptions {
    /// `ADVOWARE_APP_ID`
    pub app_id: String,
    /// `ADVOWARE_API_KEY`, base64.
    pub api_key: String,
    /// `ADVOWARE_KANZLEI`
    pub kanzlei: String,
    /// `ADVOWARE_DATABASE`
    pub database: String,
    /// `ADVOWARE_USER`
    pub user: String,
    /// `ADVOWARE_PASSWORD`
    pub password: String,
    /// `ADVOWARE_PRODUCT_ID`
    pub product: i64,
    /// `ADVOWARE_ROLE`
    pub role: i64,
    /// A token's life in seconds.
    pub token_lifetime_seconds: i64,
    /// Whether the token's answer carries `expires_in`.
    pub tell_expires_in: bool,
    /// The status of a refused sign-in; the contract promises only that it is not 2xx.
    pub sign_in_error_status: u16,
    /// Refuses every sign-in.
    pub trouble: Option<Trouble>,
    /// Answer of a GET of one record.
    pub get_shape: GetShape,
    /// Answer of a POST.
    pub post_shape: PostShape,
    /// Answer of a PUT.
    pub put_shape: PutShape,
    /// Spelling of dates in answers.
    pub date_shape: DateShape,
    /// A search compares beginnings instead of whole values, so it finds more than was meant.
    pub search_by_prefix: bool,
    /// DELETE answers 403: this operation is not offered.
    pub delete_forbidden: bool,
    /// Whether discovery names a connector beside the relay.
    pub discover_connector: bool,
    /// The resources, by data.
    pub resources: Vec<Resource>,
}

impl Default for AdvowareOptions {
    fn default() -> Self {
        Self {
            app_id: "sandbox-app".into(),
            api_key: BASE64_STANDARD.encode("sandbox-advoware-key"),
            kanzlei: "Kanzlei-Sandkasten".into(),
            database: "sandbox".into(),
            user: "advosync".into(),
            password: "sandbox-advoware-password".into(),
            product: 64,
            role: 2,
            token_lifetime_seconds: 55 * 60,
            tell_expires_in: true,
            sign_in_error_status: 400,
            trouble: None,
            get_shape: GetShape::Object,
            post_shape: PostShape::Object,
            put_shape: PutShape::WithRowId,
            date_shape: DateShape::AsWritten,
            search_by_prefix: false,
            delete_forbidden: false,
            discover_connector: false,
            resources: vec![Resource::beteiligte(), Resource::termine(), Resource::mitarbeiter()],
        }
    }
}

/// `EspoCRM`: credentials, rights and data model.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EspoCrmOptions {
    /// `ESPOCRM_API_KEY`
    pub api_key: String,
    /// `ESPOCRM_API_SECRET`; set: the API user signs in by HMAC and by nothing else.
    pub api_secret: Option<String>,
    /// The API user's id: what `modifiedById` holds after the product's writes.
    pub api_user_id: String,
    /// The API user's name.
    pub api_user_name: String,
    /// The person's id.
    pub person_id: String,
    /// The person's user name: an admin, who signs in by Basic.
    pub person_name: String,
    /// The person's password.
    pub person_password: String,
    /// Rights that the API user lacks, such as `CBeteiligte.read`, `.create`, `.edit`, `.delete`.
    pub denied: Vec<String>,
    /// Whether the API user may address users directly (role: messagePermission).
    pub message_permission: bool,
    /// The data model.
    pub entities: Vec<Entity>,
}

impl Default for EspoCrmOptions {
    fn default() -> Self {
        Self {
            api_key: "0123456789abcdef0123456789abcdef".into(),
            api_secret: None,
            api_user_id: "6b023acf648f054ad".into(),
            api_user_name: "advosync".into(),
            person_id: "6b023acf000000001".into(),
            person_name: "admin".into(),
            person_password: "sandbox-espocrm-password".into(),
            denied: Vec::new(),
            message_permission: true,
            entities: vec![Entity::beteiligte(CBETEILIGTE)],
        }
    }
}

/// The webhook sender's rules (espocrm.md, Queue and "What our answer does").
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookOptions {
    /// 9.2 honours `skipOwn`; 9.1 ignores it.
    pub honour_skip_own: bool,
    /// The wait of a failed item, in ms; 10 minutes at the real one.
    pub retry_after_ms: u64,
    /// Attempts before a failing item is given up.
    pub attempts: u32,
    /// How long an answer may take, in ms.
    pub timeout_ms: u64,
    /// Events that one run takes.
    pub events_per_run: usize,
    /// Items that one request holds at most.
    pub items_per_request: usize,
    /// The order of the webhooks within a run.
    pub order: Order,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            honour_skip_own: true,
            retry_after_ms: 10 * 60 * 1000,
            attempts: 4,
            timeout_ms: 10_000,
            events_per_run: 20,
            items_per_request: 50,
            order: Order::Observed,
        }
    }
}
