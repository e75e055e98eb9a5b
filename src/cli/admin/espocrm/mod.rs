//! EspoCRM as an admin sees it: what `setup` makes and `doctor` looks for.
//!
//! `fields` are the sync fields, `hooks` the webhooks. Source of the wire details: EspoCRM's source of 9.x (controllers
//! `Metadata`, `FieldManager`, `Webhook`) and the contract page on EspoCRM.

pub(super) mod fields;
pub(super) mod hooks;

use reqwest::Method;

use crate::clients::espocrm::{Client, Credentials, Error, Options};
use crate::settings::EspoCrmAdmin;

/// A client that is signed in as an administrator.
///
/// # Errors
/// In words, with the settings to look at.
pub(super) async fn sign_in(admin: &EspoCrmAdmin) -> Result<Client, String> {
    let credentials = Credentials::Basic { user: admin.user.clone(), password: admin.password.clone() };
    let options = Options { base_url: admin.base_url.clone(), credentials, timeout: admin.timeout };
    let client = Client::new(options).map_err(|error| error.to_string())?;
    let answer = client.call(Method::GET, "App/user", None).await.map_err(|error| told(&error))?;
    // Asked for first, because EspoCRM gives others no reason for refusing them later.
    match answer["user"]["type"].as_str() {
        Some("admin" | "super-admin") => Ok(client),
        _ => Err(format!(
            "the EspoCRM user {} is no administrator; set ESPOCRM_ADMIN_USER and ESPOCRM_ADMIN_PASSWORD of one who is",
            admin.user
        )),
    }
}

/// An admin's error; the client's own words name the API user's settings.
fn told(error: &Error) -> String {
    match error {
        Error::BadCredentials { .. } => {
            "EspoCRM refused the administrator's sign-in: check ESPOCRM_ADMIN_USER and ESPOCRM_ADMIN_PASSWORD (a user \
             with two-factor sign-in cannot be used)"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// The key of an entity's definition in the metadata.
pub(super) fn definition_key(entity: &str) -> String {
    format!("entityDefs.{entity}")
}
