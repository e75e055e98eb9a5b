//! What is missing at an entity, hence what would be created. Pure.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use url::Url;

use crate::cli::admin::espocrm::fields::{Misfit, sync_fields};
use crate::cli::admin::espocrm::hooks::{Hook, Wanted};
use crate::sync::record::mapping::Mapping;

/// What is to be done for one mapping.
#[derive(Debug)]
pub(super) struct Plan {
    /// Bodies for the field manager.
    pub(super) fields: Vec<Value>,
    /// Webhooks to register.
    pub(super) hooks: Vec<NewHook>,
    /// Webhooks that are there and ours.
    pub(super) kept: Vec<Hook>,
    /// What is there and not as it should be; a person changes it.
    pub(super) remarks: Vec<String>,
}

/// A webhook to register.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NewHook {
    /// Such as `CBeteiligte.create`.
    pub(super) event: String,
    /// Where it is to go.
    pub(super) url: String,
}

/// Where EspoCRM reaches the ingress.
#[derive(Debug)]
pub(super) struct Way<'a> {
    /// As somebody says.
    pub(super) said: Option<&'a Url>,
    /// Where the ingress listens: reached from its own machine, as long as nobody says more.
    pub(super) listens: SocketAddr,
}

impl Way<'_> {
    /// The address for new webhooks, and whether somebody has chosen it: where those go that are there, unless another one is
    /// said.
    fn base(&self, wanted: &[Wanted], registered: &[Hook]) -> (String, bool) {
        let known = || wanted.iter().find_map(|wanted| registered.iter().find_map(|hook| wanted.base(hook)));
        if let Some(url) = self.said.cloned().or_else(known) {
            return (url.into(), true);
        }
        let mut here = self.listens;
        if here.ip().is_unspecified() {
            here.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        (format!("http://{here}"), false)
    }
}

impl Plan {
    /// Compares what is there with what is wanted.
    pub(super) fn new(mapping: &Mapping, fields: &Value, registered: &[Hook], way: &Way<'_>) -> Self {
        let entity = &mapping.espocrm.entity;
        let mut plan = Self { fields: Vec::new(), hooks: Vec::new(), kept: Vec::new(), remarks: Vec::new() };
        for field in sync_fields(mapping) {
            let Some(found) = fields.get(field.name) else {
                plan.fields.push(field.definition());
                continue;
            };
            for misfit in field.misfits(found) {
                let (Misfit::Breaks(text) | Misfit::Odd(text)) = misfit;
                plan.remarks.push(format!("the field {entity}.{} {text}; it was left as it is", field.name));
            }
        }
        let all = Wanted::all(mapping);
        let (base, known) = way.base(&all, registered);
        for wanted in &all {
            let url = wanted.url(&base);
            let ours: Vec<&Hook> = registered.iter().filter(|hook| wanted.is(hook)).collect();
            if ours.is_empty() {
                plan.hooks.push(NewHook { event: wanted.event.clone(), url });
                continue;
            }
            // A second one would tell everything twice.
            let there = |hook: &&&Hook| way.said.is_some() && url != hook.url.trim_end_matches('/');
            plan.remarks.extend(ours.iter().filter(there).map(|hook| {
                format!(
                    "the webhook {} goes to {} already, so none was made for another address; to move it, delete {} in \
                     EspoCRM under Administration > Webhooks and run this again",
                    hook.event, hook.url, hook.id
                )
            }));
            let active = ours.iter().filter(|hook| hook.active).count();
            if active != 1 {
                let told = if active == 0 { "is switched off" } else { "is there more than once and active" };
                let ids: Vec<&str> = ours.iter().map(|hook| hook.id.as_str()).collect();
                plan.remarks.push(format!(
                    "the webhook {} {told} ({}); that was left as it is, see to it in EspoCRM under Administration > Webhooks",
                    wanted.event,
                    ids.join(", ")
                ));
            }
            plan.kept.extend(ours.into_iter().cloned());
        }
        if !known && !plan.hooks.is_empty() {
            plan.remarks.push(format!(
                "without --url the webhooks of {entity} go to {base}, which only an EspoCRM on this machine reaches; \
                 --url says where another one does"
            ));
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sync::record::mapping::Mappings;

    const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 3000);

    #[test]
    fn new_webhooks_go_where_others_go_or_to_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let mappings = Mappings::load(Some(folder.path())).unwrap();
        let check = |registered: &[Hook], expected: &str, told: bool| {
            let way = Way { said: None, listens: HERE };
            let plan = Plan::new(mappings.get("beteiligte").unwrap(), &json!({}), registered, &way);
            let url = format!("{expected}/vmh/webhook/beteiligte/delete");
            assert!(plan.hooks.iter().any(|hook| hook.url == url), "{plan:?}");
            assert_eq!(plan.remarks.iter().any(|it| it.contains("--url")), told, "{plan:?}");
        };
        let there = Hook {
            id: "1".into(),
            event: "CBeteiligte.create".into(),
            url: "https://a.example/sync/webhooks/vmh/beteiligte/create/".into(),
            active: true,
            secret: None,
        };
        check(&[], "http://127.0.0.1:3000", true);
        check(std::slice::from_ref(&there), "https://a.example/sync", false);
        check(&[Hook { event: "Other.create".into(), ..there }], "http://127.0.0.1:3000", true);
    }

    #[test]
    fn only_what_is_missing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let mappings = Mappings::load(Some(folder.path())).unwrap();
        let mapping = mappings.get("beteiligte").unwrap();
        let base: Url = "http://a:3000".parse().unwrap();
        let hook = |id: &str, event: &str, url: &str| Hook {
            id: id.into(),
            event: event.into(),
            url: url.into(),
            active: true,
            secret: None,
        };
        let registered = [
            hook("1", "CBeteiligte.create", "http://a:3000/vmh/webhook/beteiligte/create"),
            hook("2", "CBeteiligte.update", "http://old:3000/vmh/webhook/beteiligte/update"),
            Hook { active: false, ..hook("4", "CBeteiligte.update", "http://a:3000/vmh/webhook/beteiligte/update") },
            hook("3", "CBeteiligte.delete", "http://somebody.else/delete"),
        ];
        let fields = json!({"advowareId": {"type": "int"}, "syncRetryCount": {"type": "float"}});
        let way = Way { said: Some(&base), listens: HERE };
        let plan = Plan::new(mapping, &fields, &registered, &way);
        let names: Vec<&str> = plan.fields.iter().map(|body| body["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["advowareRowId", "syncStatus", "advowareLastSync", "syncErrorMessage"]);
        let event = "CBeteiligte.delete".to_owned();
        assert_eq!(plan.hooks, [NewHook { event, url: "http://a:3000/vmh/webhook/beteiligte/delete".to_owned() }]);
        assert_eq!(plan.kept.iter().map(|hook| hook.id.as_str()).collect::<Vec<_>>(), ["1", "2", "4"]);
        assert!(plan.remarks.len() == 2 && plan.remarks[0].contains("syncRetryCount has the type float"), "{plan:?}");
        assert!(plan.remarks[1].contains("http://old:3000"), "{plan:?}");
    }

    #[test]
    fn a_webhook_that_is_off_or_doubled_is_told_and_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let mappings = Mappings::load(Some(folder.path())).unwrap();
        let check = |active: &[bool], words: Option<&str>| {
            let hooks = (0..).zip(active).map(|(n, &active)| Hook {
                id: format!("h{n}"),
                event: "CBeteiligte.create".into(),
                url: "http://a:3000/vmh/webhook/beteiligte/create".into(),
                active,
                secret: None,
            });
            let hooks: Vec<Hook> = hooks.collect();
            let plan =
                Plan::new(mappings.get("beteiligte").unwrap(), &json!({}), &hooks, &Way { said: None, listens: HERE });
            assert!(plan.hooks.iter().all(|hook| !hook.event.ends_with("create")), "{plan:?}");
            let said = plan.remarks.iter().find(|it| it.contains("CBeteiligte.create"));
            assert_eq!(said.is_some(), words.is_some(), "{plan:?}");
            assert!(words.is_none_or(|words| said.unwrap().contains(words)), "{plan:?}");
        };
        check(&[true], None);
        check(&[true, false], None);
        check(&[false], Some("switched off (h0)"));
        check(&[true, true], Some("more than once and active (h0, h1)"));
    }
}
