//! The addresses, and the settings that a product needs to use this sandbox (advosync.md, Settings).

use crate::espocrm::API;
use crate::sandbox::Sandbox;
use crate::world::World;
use crate::{advoware, advoware::token, google};

impl Sandbox {
    /// `http://127.0.0.1:P`
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Advoware's API base, ends in a slash; `api/v1/advonet/…` follows.
    #[must_use]
    pub fn advoware_base_url(&self) -> String {
        self.origin() + advoware::BASE
    }

    /// Advoware's token service.
    #[must_use]
    pub fn advoware_auth_url(&self) -> String {
        self.origin() + token::TOKEN
    }

    /// Advoware's discovery, without its query.
    #[must_use]
    pub fn advoware_discovery_url(&self) -> String {
        self.origin() + token::DISCOVERY
    }

    /// `EspoCRM`'s API base, without a slash at its end.
    #[must_use]
    pub fn espocrm_base_url(&self) -> String {
        self.origin() + API
    }

    /// Google Calendar's API base, without a slash at its end.
    #[must_use]
    pub fn google_base_url(&self) -> String {
        self.origin() + google::API
    }

    /// Google's token service, the `token_uri` of the key file.
    #[must_use]
    pub fn google_token_url(&self) -> String {
        self.origin() + google::token::TOKEN
    }

    /// Every registered webhook's secret as `id:secret,id:secret`; `None` without webhooks.
    #[must_use]
    pub fn webhook_secrets(&self) -> Option<String> {
        webhook_secrets(&self.shared.world())
    }

    /// The `ADVOWARE_*`, `ESPOCRM_*` and `GOOGLE_*` settings. Writes the service account's key file, which goes with the
    /// sandbox where the options name no place for it.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        settings(&self.shared.world())
    }

    /// [`Sandbox::env`] as a file that a shell and a dotenv reader understand alike.
    #[must_use]
    pub fn env_file(&self) -> String {
        file(&self.shared.world())
    }
}

fn webhook_secrets(world: &World) -> Option<String> {
    let hooks = world.hooks.hooks().iter();
    let pairs: Vec<String> = hooks.filter_map(|hook| Some(format!("{}:{}", hook.id, hook.secret.as_ref()?))).collect();
    (!pairs.is_empty()).then(|| pairs.join(","))
}

fn settings(world: &World) -> Vec<(String, String)> {
    let (advoware, espocrm) = (world.options.advoware.clone(), world.options.espocrm.clone());
    let origin = &world.origin;
    let mut settings = vec![
        ("ADVOWARE_API_BASE_URL", format!("{origin}{}", advoware::BASE)),
        ("ADVOWARE_AUTH_URL", format!("{origin}{}", token::TOKEN)),
        ("ADVOWARE_PRODUCT_ID", advoware.product.to_string()),
        ("ADVOWARE_APP_ID", advoware.app_id),
        ("ADVOWARE_API_KEY", advoware.api_key),
        ("ADVOWARE_KANZLEI", advoware.kanzlei),
        ("ADVOWARE_DATABASE", advoware.database),
        ("ADVOWARE_USER", advoware.user),
        ("ADVOWARE_ROLE", advoware.role.to_string()),
        ("ADVOWARE_PASSWORD", advoware.password),
        ("ESPOCRM_API_BASE_URL", format!("{origin}{API}")),
        ("ESPOCRM_API_KEY", espocrm.api_key),
        ("ESPOCRM_ADMIN_USER", espocrm.person_name),
        ("ESPOCRM_ADMIN_PASSWORD", espocrm.person_password),
    ];
    let account = google::key::file_text(&world.options.google, origin);
    let path = world.google.key_file.written(&account).display().to_string();
    settings.extend([
        ("GOOGLE_CALENDAR_SERVICE_ACCOUNT_PATH", path),
        ("GOOGLE_CALENDAR_API_BASE_URL", format!("{origin}{}", google::API)),
        ("GOOGLE_CALENDAR_OWNER", world.options.google.owner.clone()),
    ]);
    settings.extend(espocrm.api_secret.map(|secret| ("ESPOCRM_API_SECRET", secret)));
    settings.extend(webhook_secrets(world).map(|secrets| ("ESPOCRM_WEBHOOK_SECRET", secrets)));
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The settings as `NAME='value'` lines.
pub(crate) fn file(world: &World) -> String {
    let quoted = |value: &str| format!("'{}'", value.replace('\'', ""));
    settings(world).iter().fold(String::new(), |text, (name, value)| text + name + "=" + &quoted(value) + "\n")
}
