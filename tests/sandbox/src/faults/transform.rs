//! What an action makes of an answer.

use serde_json::{Value, json};

use super::rule::Action;
use crate::wire::Answer;

/// The answer after an action that follows the effect; others leave it as it is.
pub(crate) fn transform(action: &Action, answer: Answer) -> Answer {
    match action {
        Action::AnswerAfter { status, body, headers } => {
            let text = Answer::text(*status, body);
            headers.iter().fold(text, |answer, (name, value)| answer.with(name, value))
        }
        Action::HtmlAfter => Answer::html(200),
        Action::Array => rewritten(answer, |body| json!([body])),
        Action::Without { fields } => rewritten(answer, |mut body| {
            each_object(&mut body, &|object| object.retain(|name, _| !fields.contains(name)));
            body
        }),
        Action::Replace { fields } => rewritten(answer, |mut body| {
            each_object(&mut body, &|object| {
                object.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
            });
            body
        }),
        _ => answer,
    }
}

/// Changes the object of an answer, or every object of its array.
fn each_object(body: &mut Value, change: &dyn Fn(&mut crate::Fields)) {
    match body {
        Value::Object(object) => change(object),
        Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(change),
        _ => {}
    }
}

fn rewritten(mut answer: Answer, change: impl FnOnce(Value) -> Value) -> Answer {
    if let Some(body) = answer.body_json() {
        answer.body = change(body).to_string().into_bytes();
    }
    answer
}
