//! What all pages have in common.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Console;
use super::access::Visitor;
use crate::queue::QueueError;

const STYLE: &str = "
:root{color-scheme:light dark;--line:#8884;--soft:#888;--bad:#c0392b;--good:#2e8b57;--warn:#b9770e}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:0 auto;padding:0 1rem 3rem}
header{display:flex;gap:1.5rem;align-items:baseline;border-bottom:1px solid var(--line);padding:.8rem 0;margin-bottom:1.5rem}
header form{margin-left:auto}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500}td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
td,pre{overflow-wrap:anywhere}code{font-size:.9em}.bad{color:var(--bad)}.good{color:var(--good)}.warn{color:var(--warn)}.soft{color:var(--soft)}
.note{border-left:3px solid var(--good);padding:.3rem .8rem}form.inline{display:inline-block;margin-right:.8rem}
button,input{font:inherit;padding:.25rem .8rem}details{margin-top:1rem}";

/// A whole page.
pub(super) fn document(title: &str, header: &Markup, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · advosync" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { strong { "advosync" } (header) }
                main { h1 { (title) } (content) }
            }
        }
    }
}

/// A page for somebody who may see it.
pub(super) fn page(console: &Console, visitor: &Visitor, title: &str, content: &Markup) -> Response {
    let header = html! {
        nav { a href="/console" { "Overview" } " · " a href="/console/dead" { "Dead letters" } }
        @if matches!(visitor, Visitor::Session { .. }) {
            form method="post" action="/console/sign-out" {
                (form_key(console, visitor))
                button { "Sign out" }
            }
        }
    };
    let content = html! {
        @if console.options.write_protection {
            p.note.warn { "ADVOWARE_WRITE_PROTECTION is on here: nothing is written to Advoware, jobs report what would be." }
        }
        (content)
    };
    Html(document(title, &header, &content).into_string()).into_response()
}

/// The field without which a form does nothing.
pub(super) fn form_key(console: &Console, visitor: &Visitor) -> Markup {
    html! { input type="hidden" name="form_key" value=(console.access.form_key(visitor)); }
}

/// A page that only says something.
pub(super) fn message(status: StatusCode, title: &str, content: &Markup) -> Response {
    let header = html! { nav { a href="/console" { "Overview" } } };
    (status, Html(document(title, &header, content).into_string())).into_response()
}

/// The page for what is not there.
pub(super) fn not_found(what: &str) -> Response {
    message(StatusCode::NOT_FOUND, "Not found", &html! { p { (what) } })
}

/// The page while Redis is away.
pub(super) fn unavailable(why: &str) -> Response {
    let content = html! {
        p { "Redis cannot be asked right now, so there is nothing to show." }
        p.bad { (why) }
        p { "Accepted jobs are safe in Redis. Reload this page once it is back." }
    };
    message(StatusCode::SERVICE_UNAVAILABLE, "Redis is unavailable", &content)
}

/// What a failed question to the queue looks like.
pub(super) fn failed(error: &QueueError) -> Response {
    match error {
        QueueError::Asked(why) => not_found(why),
        QueueError::Unavailable(_) => unavailable(&error.to_string()),
        QueueError::Refused(_) | QueueError::Forbidden(_) | QueueError::Layout(_) | QueueError::Address(_) => {
            let content = html! { p.bad { (error) } p { "The log of this process says more." } };
            message(StatusCode::SERVICE_UNAVAILABLE, "Redis refused", &content)
        }
    }
}
