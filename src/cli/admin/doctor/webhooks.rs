//! Whether each mapping's webhooks are there, once, switched on, and their signatures known. Pure.

use crate::cli::admin::espocrm::hooks::{Hook, Wanted};
use crate::cli::admin::finding::Finding;
use crate::settings::WebhookSecrets;
use crate::sync::record::mapping::Mapping;

pub(super) fn check(mappings: &[&Mapping], hooks: &[Hook], secrets: Option<&WebhookSecrets>) -> Vec<Finding> {
    let wanted = mappings.iter().flat_map(|mapping| Wanted::all(mapping));
    wanted.flat_map(|wanted| check_one(&wanted, hooks, secrets)).collect()
}

fn check_one(wanted: &Wanted, hooks: &[Hook], secrets: Option<&WebhookSecrets>) -> Vec<Finding> {
    let about = format!("espocrm webhook {}", wanted.event);
    let ours: Vec<&Hook> = hooks.iter().filter(|hook| wanted.is(hook)).collect();
    let active: Vec<&Hook> = ours.iter().copied().filter(|hook| hook.active).collect();
    if ours.is_empty() {
        let elsewhere: Vec<&str> =
            hooks.iter().filter(|hook| hook.event == wanted.event).map(|hook| hook.url.as_str()).collect();
        let others = match elsewhere.as_slice() {
            [] => String::new(),
            urls => format!(" ({} is no address of advosync for this event)", urls.join(", ")),
        };
        let text = format!("missing{others}: `advosync setup espocrm --url http://HOST:3000` creates it");
        return vec![Finding::fail(about, text)];
    }
    if active.is_empty() {
        let text = "switched off, as EspoCRM does after an answer 410: switch it on under Administration > Webhooks";
        return vec![Finding::fail(about, text)];
    }
    let mut findings = Vec::new();
    if active.len() > 1 {
        let list: Vec<String> = active.iter().map(|hook| format!("{} to {}", hook.id, hook.url)).collect();
        let text = format!(
            "there are {}, so everything is told more than once: delete all but one of {}",
            active.len(),
            list.join(", ")
        );
        findings.push(Finding::warn(&about, text));
    }
    findings.extend(active.iter().filter_map(|hook| signature(hook, secrets)).map(|text| Finding::fail(&about, text)));
    if findings.is_empty() {
        findings.push(Finding::ok(about, format!("goes to {}", active[0].url)));
    }
    findings
}

/// Why the ingress would refuse what this webhook sends.
fn signature(hook: &Hook, secrets: Option<&WebhookSecrets>) -> Option<String> {
    let secrets = secrets?;
    let id = &hook.id;
    let Some(known) = secrets.of(id) else {
        return Some(format!(
            "its id {id} is not in ESPOCRM_WEBHOOK_SECRET, so what it sends is refused with 401: add {id}:SECRET (`advosync \
             setup espocrm` prints the whole list)"
        ));
    };
    match &hook.secret {
        Some(secret) if !known.matches(secret.expose().as_bytes()) => Some(format!(
            "ESPOCRM_WEBHOOK_SECRET has another secret than {id}, so what it sends is refused with 401: `advosync setup \
             espocrm` prints the right list"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::cli::admin::finding::Level;
    use crate::secret::Secret;
    use crate::sync::record::mapping::Mappings;

    fn hook(id: &str, event: &str, active: bool) -> Hook {
        let action = event.rsplit('.').next().unwrap();
        let url = format!("http://a:3000/vmh/webhook/beteiligte/{action}");
        Hook { id: id.into(), event: event.into(), url, active, secret: Some(Secret::new(format!("secret-{id}"))) }
    }

    /// Three webhooks, the first as given; what is found about the first event.
    fn check_with(first: &[Hook], secrets: Option<&str>, level: Level, words: &str) {
        let folder = tempfile::tempdir().unwrap();
        let mappings = Mappings::load(Some(folder.path())).unwrap();
        let hooks: Vec<Hook> = first
            .iter()
            .cloned()
            .chain([hook("u", "CBeteiligte.update", true), hook("d", "CBeteiligte.delete", true)])
            .collect();
        let pairs = |list: &str| {
            let pair = |part: &str| part.split_once(':').map(|(id, secret)| (id.to_owned(), Secret::new(secret)));
            WebhookSecrets::ByWebhook(list.split(',').filter_map(pair).collect())
        };
        let secrets = secrets.map(pairs);
        let findings = check(&[mappings.get("beteiligte").unwrap()], &hooks, secrets.as_ref());
        let (found, others): (Vec<&Finding>, Vec<&Finding>) =
            findings.iter().partition(|it| it.about.ends_with("create"));
        assert!(others.iter().all(|it| it.level == Level::Ok), "{findings:?}");
        assert!(found.len() == 1 && found[0].level == level && found[0].text.contains(words), "{findings:?}");
    }

    #[test]
    fn each_webhook_is_there_once_switched_on_and_known() {
        const EVENT: &str = "CBeteiligte.create";
        let all = "c:secret-c,u:secret-u,d:secret-d";
        let good = hook("c", EVENT, true);
        check_with(from_ref(&good), Some(all), Level::Ok, "goes to http://a:3000/");
        check_with(from_ref(&good), None, Level::Ok, "goes to");
        check_with(&[], Some(all), Level::Fail, "missing: `advosync setup espocrm");
        let elsewhere = Hook { url: "http://b/hook".into(), ..good.clone() };
        check_with(&[elsewhere], Some(all), Level::Fail, "http://b/hook is no address of advosync");
        check_with(&[hook("c", EVENT, false)], Some(all), Level::Fail, "switched off");
        check_with(&[good.clone(), hook("x", EVENT, false)], Some(all), Level::Ok, "goes to");
        let doubled = format!("{all},c2:secret-c2");
        check_with(&[good.clone(), hook("c2", EVENT, true)], Some(&doubled), Level::Warn, "more than once");
        check_with(from_ref(&good), Some("u:secret-u,d:secret-d"), Level::Fail, "its id c is not in");
        check_with(&[good], Some("c:other,u:secret-u,d:secret-d"), Level::Fail, "another secret");
    }
}
