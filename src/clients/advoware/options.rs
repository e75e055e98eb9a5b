//! What the client must be told.

use std::time::Duration;

use url::Url;

use crate::clients::Secret;

/// Where Advoware is and who we are there. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Options {
    /// The API's base; `None` asks the discovery address (contract: only where `ADVOWARE_API_BASE_URL` is not set).
    pub base_url: Option<Url>,
    /// Where a token is issued.
    pub auth_url: Url,
    /// Where the base URL is looked up by `kanzlei`.
    pub discovery_url: Url,
    /// The vendor's number of the product.
    pub product_id: i64,
    /// The registered application.
    pub app_id: String,
    /// The application's key, base64.
    pub api_key: Secret,
    /// The law firm's name at the vendor.
    pub kanzlei: String,
    /// The firm's database.
    pub database: String,
    /// The user who is signed in.
    pub user: String,
    /// The user's role number.
    pub role: i64,
    /// The user's password.
    pub password: Secret,
    /// A token is used no longer than this, whatever Advoware says.
    pub token_lifetime: Duration,
    /// One request, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// Refuse everything but GET before it leaves the process.
    pub write_protection: bool,
    /// Calls under way at once in this process.
    pub max_concurrency: usize,
}

impl Options {
    /// The contract's token address.
    pub const DEFAULT_AUTH_URL: &str = "https://security.advo-net.net/api/v1/Token";
    /// The contract's discovery address.
    pub const DEFAULT_DISCOVERY_URL: &str = "https://www2.advo-net.net/AdvonetConfigurator/api/Url";
    /// Calls at once where nothing else is set.
    pub const DEFAULT_MAX_CONCURRENCY: usize = 4;
}
