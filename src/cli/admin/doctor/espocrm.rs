//! EspoCRM: the sign-in, each mapping's entity and fields, and the webhooks.

use super::upstreams::missing;
use super::{attributes, webhooks};
use crate::cli::admin::espocrm::{definition_key, hooks, sign_in};
use crate::cli::admin::finding::Finding;
use crate::clients::espocrm::{Client, Error, Search};
use crate::roles::Parts;
use crate::settings::Upstream;
use crate::sync::record::mapping::Mapping;

const ABOUT: &str = "espocrm";

pub(super) async fn check(parts: &Parts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let api = match api(parts).await {
        Ok(client) => {
            findings.push(Finding::ok(ABOUT, "signed in as the API user"));
            findings.extend(messages(&client).await);
            Some(client)
        }
        Err(finding) => {
            findings.push(finding);
            None
        }
    };
    let admin = match &parts.settings.espocrm_admin {
        None => None,
        Some(it) => match sign_in(it).await {
            Ok(client) => Some(client),
            Err(text) => {
                findings.push(Finding::fail("espocrm admin", text));
                None
            }
        },
    };
    for mapping in &parts.mappings {
        let about = format!("espocrm {}", mapping.espocrm.entity);
        findings.extend(entity(&about, mapping, api.as_ref(), admin.as_ref()).await);
    }
    findings.extend(hooks_of(parts, admin.as_ref()).await);
    findings
}

/// The API user's client, signed in once: a wrong key must not be tried again and again, or EspoCRM locks us out.
pub(in crate::cli::admin) async fn api(parts: &Parts) -> Result<Client, Finding> {
    if let Some(missing) = missing(parts, Upstream::EspoCrm) {
        return Err(Finding::fail(ABOUT, format!("{missing}; until then nothing is synced")));
    }
    let client = parts.espocrm().map_err(|error| Finding::fail(ABOUT, format!("{error:#}")))?;
    let client = client.ok_or_else(|| Finding::fail(ABOUT, "not configured; docs/settings.md lists its settings"))?;
    client.own_user().await.map_err(|error| Finding::fail(ABOUT, error.to_string()))?;
    Ok(client)
}

/// Whether whoever a record is assigned to can be told of conflicts and failures.
async fn messages(api: &Client) -> Option<Finding> {
    match api.message_permission().await {
        Ok(Some(level)) if level == "no" => Some(Finding::warn(
            ABOUT,
            "the users to whom records are assigned are not told of conflicts and failures, which stand on the records' \
             streams only: set Message Permission to all in the API user's role, in EspoCRM under Administration > Roles",
        )),
        Ok(_) => None,
        Err(error) => Some(Finding::fail(ABOUT, error.to_string())),
    }
}

/// An entity as the API user sees it.
pub(in crate::cli::admin) async fn entity_of_api(about: &str, mapping: &Mapping, api: &Client) -> Vec<Finding> {
    entity(about, mapping, Some(api), None).await
}

/// An entity as the API user sees it; an administrator can tell what is missing from what is hidden.
async fn entity(about: &str, mapping: &Mapping, api: Option<&Client>, admin: Option<&Client>) -> Vec<Finding> {
    let Some(client) = api.or(admin) else {
        return vec![Finding::note(about, "not checked: nobody could sign in")];
    };
    let entity = mapping.espocrm.entity.as_str();
    let key = definition_key(entity);
    match client.metadata(&key).await {
        Ok(Some(definition)) => {
            let mut findings = attributes::check(about, mapping, &definition["fields"]);
            if let Some(api) = api {
                findings.extend(readable(about, entity, api).await);
            }
            findings
        }
        Ok(None) => vec![Finding::fail(about, absent(entity, &key, api.and(admin)).await)],
        Err(error) => vec![Finding::fail(about, error.to_string())],
    }
}

async fn absent(entity: &str, key: &str, admin: Option<&Client>) -> String {
    let hidden = "give the API user's role the right to read and edit it, in EspoCRM under Administration > Roles";
    let missing = "create it in EspoCRM's Entity Manager (type Person; EspoCRM itself puts the C before the name), or \
                   correct `entity` in the mapping file";
    match admin {
        Some(admin) => match admin.metadata(key).await {
            Ok(Some(_)) => format!("the API user may not see the entity {entity}: {hidden}"),
            Ok(None) => format!("there is no entity {entity}: {missing}"),
            Err(error) => format!("the entity {entity} is not shown ({error})"),
        },
        None => format!("there is no entity {entity} for the API user: {missing}; or {hidden}"),
    }
}

/// Metadata show the fields also to one who may read no record.
async fn readable(about: &str, entity: &str, api: &Client) -> Option<Finding> {
    let search = Search { select: vec!["id".to_owned()], max_size: 1, no_total: true, ..Search::default() };
    let error = api.list(entity, &search).await.err()?;
    Some(Finding::fail(about, error.to_string()))
}

async fn hooks_of(parts: &Parts, admin: Option<&Client>) -> Vec<Finding> {
    let mappings: Vec<&Mapping> = parts.mappings.iter().map(AsRef::as_ref).collect();
    let Some(admin) = admin else {
        return vec![Finding::note(
            "espocrm webhooks",
            "not checked: that needs an administrator, ESPOCRM_ADMIN_USER and ESPOCRM_ADMIN_PASSWORD",
        )];
    };
    let listed: Result<_, Error> = hooks::list(admin, &mappings).await;
    match listed {
        Ok(hooks) => webhooks::check(&mappings, &hooks, parts.settings.webhook_secrets.as_ref()),
        Err(error) => vec![Finding::fail("espocrm webhooks", error.to_string())],
    }
}
