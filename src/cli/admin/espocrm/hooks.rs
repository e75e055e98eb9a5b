//! The webhooks of EspoCRM: which there are, which are ours, which are wanted.

use url::Url;

use crate::clients::espocrm::{Client, Error, Record, Search, Where};
use crate::queue::RecordAction;
use crate::secret::Secret;
use crate::sync::record::mapping::Mapping;

/// What happens to records and is told by webhooks.
const ACTIONS: [RecordAction; 3] = [RecordAction::Create, RecordAction::Update, RecordAction::Delete];

/// One registered webhook.
#[derive(Debug, Clone)]
pub(in crate::cli::admin) struct Hook {
    /// Part of the signature.
    pub(in crate::cli::admin) id: String,
    /// Such as `CBeteiligte.create`.
    pub(in crate::cli::admin) event: String,
    /// Where it goes.
    pub(in crate::cli::admin) url: String,
    /// Whether it is sent at all.
    pub(in crate::cli::admin) active: bool,
    /// The key of its signature, where EspoCRM shows it.
    pub(in crate::cli::admin) secret: Option<Secret>,
}

/// One webhook that a mapping needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::admin) struct Wanted {
    /// Such as `CBeteiligte.create`.
    pub(in crate::cli::admin) event: String,
    name: String,
    action: RecordAction,
}

impl Hook {
    /// Reads what EspoCRM shows; one without id or event is none.
    pub(in crate::cli::admin) fn read(record: &Record) -> Option<Self> {
        let text = |name: &str| record.get(name).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        Some(Self {
            id: text("id")?.to_owned(),
            event: text("event")?.to_owned(),
            url: text("url").unwrap_or_default().to_owned(),
            active: record.get("isActive").and_then(serde_json::Value::as_bool).unwrap_or(true),
            secret: text("secretKey").map(Secret::new),
        })
    }
}

impl Wanted {
    /// The webhooks of a mapping.
    pub(in crate::cli::admin) fn all(mapping: &Mapping) -> Vec<Self> {
        let wanted = |action: RecordAction| Self {
            event: format!("{}.{}", mapping.espocrm.entity, action.name()),
            name: mapping.name.clone(),
            action,
        };
        ACTIONS.map(wanted).to_vec()
    }

    /// Where it goes, below the address at which EspoCRM reaches the ingress.
    pub(in crate::cli::admin) fn url(&self, base: &str) -> String {
        let base = base.trim_end_matches('/');
        format!("{base}/vmh/webhook/{}/{}", self.name, self.action.name())
    }

    /// Whether a webhook tells of this to an ingress of ours, wherever that is.
    pub(in crate::cli::admin) fn is(&self, hook: &Hook) -> bool {
        self.base(hook).is_some()
    }

    /// The address of the ingress that such a webhook tells of this.
    pub(in crate::cli::admin) fn base(&self, hook: &Hook) -> Option<Url> {
        let mut url = Url::parse(&hook.url).ok().filter(|_| hook.event == self.event)?;
        let tail = format!("{}/{}", self.name, self.action.name());
        let path = url.path().trim_end_matches('/');
        let routes = ["/vmh/webhook/", "/webhooks/vmh/"];
        let base = routes.iter().find_map(|route| path.strip_suffix(&format!("{route}{tail}")))?.to_owned();
        url.set_path(&base);
        Some(url)
    }
}

/// The webhooks of these mappings' entities, as an administrator sees them.
pub(in crate::cli::admin) async fn list(admin: &Client, mappings: &[&Mapping]) -> Result<Vec<Hook>, Error> {
    let mut hooks = Vec::new();
    for mapping in mappings {
        let events = Wanted::all(mapping).into_iter().map(|wanted| wanted.event);
        // More than 200 webhooks of one entity would be a fault of their own; the first 200 show it.
        let search = Search { where_: vec![Where::is_in("event", events)], ..Search::default() };
        let page = admin.list("Webhook", &search).await?;
        hooks.extend(page.list.iter().filter_map(Hook::read));
    }
    Ok(hooks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_ours_by_event_and_path_wherever_it_goes() {
        let wanted =
            Wanted { event: "CBeteiligte.create".into(), name: "beteiligte".into(), action: RecordAction::Create };
        let check = |event: &str, url: &str, expected: bool| {
            let (id, event, url) = ("1".to_owned(), event.to_owned(), url.to_owned());
            assert_eq!(wanted.is(&Hook { id, event, url, active: true, secret: None }), expected);
        };
        check("CBeteiligte.create", "http://a:3000/vmh/webhook/beteiligte/create", true);
        check("CBeteiligte.create", "https://b/sync/webhooks/vmh/beteiligte/create/", true);
        check("CBeteiligte.create", "http://a:3000/vmh/webhook/beteiligte/update", false);
        check("CBeteiligte.create", "http://a:3000/vmh/webhook/akte/create", false);
        check("CBeteiligte.update", "http://a:3000/vmh/webhook/beteiligte/create", false);
        check("CBeteiligte.create", "nonsense", false);
        assert_eq!(
            wanted.url("http://advosync.example:3000/sync/"),
            "http://advosync.example:3000/sync/vmh/webhook/beteiligte/create"
        );
    }
}
