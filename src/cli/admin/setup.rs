//! `advosync setup espocrm`: creates the sync fields and webhooks that are missing, and changes nothing that is there.
//!
//! Safe to repeat, also after it died on the way: it always looks first. The list for `ESPOCRM_WEBHOOK_SECRET` is the
//! result and goes to stdout, on purpose, or with `--write-env` into a file and nowhere else; what was done goes to
//! stderr. EspoCRM rebuilds by itself after a field was created (its controller `FieldManager`).

mod env_file;
mod plan;

use std::net::SocketAddr;

use anyhow::{Result, anyhow, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::espocrm::hooks::{self, Hook};
use super::espocrm::{definition_key, sign_in};
use super::progress::Progress;
use super::{Report, said};
use crate::cli::EspocrmArgs;
use crate::clients::espocrm::Client;
use crate::roles::Parts;
use crate::secret::Secret;
use crate::settings::{Origin, Source};
use crate::sync::record::mapping::Mapping;
use env_file::EnvFile;
use plan::{NewHook, Plan, Way};

/// Sets EspoCRM up.
pub(super) async fn espocrm(parts: &Parts, source: &Source, args: &EspocrmArgs) -> Result<Report> {
    let Some(settings) = &parts.settings.espocrm_admin else {
        let missing: Vec<String> = parts.settings.missing.iter().map(ToString::to_string).collect();
        bail!("{}", missing.join("; "));
    };
    // Before anything is made whose secret could not be kept.
    let env = args.write_env.as_deref().map(EnvFile::open).transpose().map_err(|text| anyhow!(text))?;
    let progress = Progress::start("looking at EspoCRM");
    let admin = sign_in(settings).await.map_err(|text| anyhow!(text))?;
    let owner = owner(parts).await?;
    let listens = parts.settings.http.ingress;
    let mut setup = Setup { admin, owner, listens, progress, done: Vec::new(), hooks: Vec::new(), failed: false };
    for mapping in &parts.mappings {
        setup.entity(mapping, args).await;
    }
    let secrets = setup.secrets(parts);
    if let Some(env) = &env {
        setup.write(env, &secrets, args, source);
    }
    if args.dry_run {
        let plan = if setup.done.is_empty() { vec!["nothing to do".to_owned()] } else { setup.done };
        return Ok(Report { exit: u8::from(setup.failed), ..said(plan.join("\n")) });
    }
    if env.is_some() || secrets.is_empty() {
        return Ok(Report { exit: u8::from(setup.failed), ..Report::default() });
    }
    setup.progress.remark("set ESPOCRM_WEBHOOK_SECRET to the following for every ingress, and keep it secret:");
    Ok(Report { exit: u8::from(setup.failed), ..said(env_file::listed(&secrets)) })
}

/// The API user, who is to own the webhooks: only then can EspoCRM leave out what this program itself changes.
async fn owner(parts: &Parts) -> Result<Option<String>> {
    match parts.espocrm()? {
        Some(api) => Ok(Some(api.own_user().await?)),
        None => Ok(None),
    }
}

/// What is under way.
struct Setup {
    admin: Client,
    owner: Option<String>,
    /// Where an ingress with these settings listens.
    listens: SocketAddr,
    progress: Progress,
    /// What a dry run would do.
    done: Vec<String>,
    /// All webhooks that are ours by now.
    hooks: Vec<Hook>,
    failed: bool,
}

impl Setup {
    fn fail(&mut self, text: &str) {
        self.failed = true;
        self.progress.remark(&format!("FAILED: {text}"));
    }

    /// Sets one mapping's entity up; what fails does not keep the rest from being done.
    async fn entity(&mut self, mapping: &Mapping, args: &EspocrmArgs) {
        let entity = &mapping.espocrm.entity;
        let definition = match self.admin.metadata(&definition_key(entity)).await {
            Ok(Some(definition)) => definition,
            Ok(None) => {
                return self.fail(&format!(
                    "there is no entity {entity}: create it in EspoCRM's Entity Manager first (type Person; EspoCRM itself \
                     puts the C before the name), or correct `entity` in the mapping file"
                ));
            }
            Err(error) => return self.fail(&error.to_string()),
        };
        let registered = match hooks::list(&self.admin, &[mapping]).await {
            Ok(registered) => registered,
            Err(error) => return self.fail(&error.to_string()),
        };
        let way = Way { said: args.url.as_ref(), listens: self.listens };
        let plan = Plan::new(mapping, &definition["fields"], &registered, &way);
        for remark in &plan.remarks {
            self.progress.remark(remark);
        }
        if args.dry_run {
            let fields = plan.fields.iter().map(|body| format!("would create the field {entity}.{}", name_of(body)));
            let hooks =
                plan.hooks.iter().map(|hook| format!("would create the webhook {} to {}", hook.event, hook.url));
            self.done.extend(fields.chain(hooks));
            self.hooks.extend(plan.kept);
            return;
        }
        self.hooks.extend(plan.kept);
        self.create_fields(entity, &plan.fields).await;
        for hook in &plan.hooks {
            self.create_hook(hook).await;
        }
    }

    async fn create_fields(&mut self, entity: &str, fields: &[Value]) {
        let mut created = Vec::new();
        for body in fields {
            let name = name_of(body);
            self.progress.now(format!("creating the field {entity}.{name}"));
            match self.admin.call(Method::POST, &format!("Admin/fieldManager/{entity}"), Some(body)).await {
                Ok(_) => {
                    self.progress.remark(&format!("created the field {entity}.{name}"));
                    created.push(name);
                }
                Err(error) => self.fail(&format!("the field {entity}.{name}: {error}")),
            }
        }
        if created.is_empty() {
            return;
        }
        // On an entity that EspoCRM ships, it puts a c before the name of a new field.
        match self.admin.metadata(&definition_key(entity)).await {
            Ok(Some(definition)) => {
                let lost: Vec<&str> =
                    created.into_iter().filter(|name| definition["fields"].get(name).is_none()).collect();
                if !lost.is_empty() {
                    self.fail(&format!(
                        "EspoCRM has created {} under another name, as it does on entities that it ships (cAdvowareId for \
                         advowareId): write the names that its Entity Manager shows into the mapping file",
                        lost.join(", ")
                    ));
                }
            }
            Ok(None) => self.fail(&format!("the entity {entity} is gone")),
            Err(error) => self.fail(&error.to_string()),
        }
    }

    async fn create_hook(&mut self, hook: &NewHook) {
        let mut body = json!({"event": hook.event, "url": hook.url, "skipOwn": true});
        if let Some(owner) = &self.owner {
            body["userId"] = json!(owner);
        }
        self.progress.now(format!("creating the webhook {}", hook.event));
        let fields = body.as_object().cloned().unwrap_or_default();
        let made = self.admin.create("Webhook", &fields, false).await;
        match made.map(|record| Hook::read(&record)) {
            Ok(Some(made)) => {
                self.progress.remark(&format!("created the webhook {} to {}", hook.event, hook.url));
                self.hooks.push(made);
            }
            Ok(None) => self.fail(&format!("EspoCRM's answer to creating the webhook {} cannot be read", hook.event)),
            Err(error) if error.effect_unknown() => self.fail(&format!(
                "the webhook {}: {error}. Whether it was created will be seen: run this again, it looks before it creates",
                hook.event
            )),
            Err(error) => self.fail(&format!(
                "the webhook {} to {}: {error} (from 9.3.2 EspoCRM refuses internal hosts that webhookAllowedAddressList in \
                 its data/config-internal.php does not name)",
                hook.event, hook.url
            )),
        }
    }

    /// Id and secret of all webhooks that are ours.
    fn secrets(&mut self, parts: &Parts) -> Vec<(String, Secret)> {
        let known = |hook: &Hook| parts.settings.webhook_secrets.as_ref().and_then(|secrets| secrets.of(&hook.id));
        let mut pairs = Vec::new();
        let mut unknown = Vec::new();
        for hook in &self.hooks {
            match hook.secret.as_ref().or_else(|| known(hook)) {
                Some(secret) => pairs.push((hook.id.clone(), secret.clone())),
                None => unknown.push(hook.id.clone()),
            }
        }
        if !unknown.is_empty() {
            self.fail(&format!(
                "EspoCRM does not show the secret of {}: look under Administration > Webhooks and add id:secret",
                unknown.join(", ")
            ));
        }
        pairs
    }

    /// Writes the secrets into the file, or says that it would.
    fn write(&mut self, env: &EnvFile, secrets: &[(String, Secret)], args: &EspocrmArgs, source: &Source) {
        if self.failed && args.replace {
            return self.fail(&format!("{} was left as it is, because not all secrets are known", env.shown()));
        }
        let text = match env.with(secrets, args.replace) {
            Ok(text) => text,
            Err(text) => return self.fail(&text),
        };
        if args.dry_run {
            let more = self.done.iter().any(|line| line.contains("the webhook"));
            if text.is_some() || more {
                self.done.push(format!("would write {} into {}", env_file::NAME, env.shown()));
            }
            return;
        }
        match text.as_deref().map(|text| env.put(text)) {
            None => self.progress.remark(&format!("{} has the secrets already", env.shown())),
            Some(Ok(())) => {
                self.progress.remark(&format!("wrote {} into {}, for every ingress", env_file::NAME, env.shown()));
            }
            Some(Err(text)) => return self.fail(&text),
        }
        if source.origin_of(env_file::NAME) == Some(Origin::Environment) {
            self.progress
                .remark("ESPOCRM_WEBHOOK_SECRET is set in the environment as well, which counts before the file");
        }
    }
}

fn name_of(body: &Value) -> &str {
    body["name"].as_str().unwrap_or_default()
}
