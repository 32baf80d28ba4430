//! Responses of GraphQL (GraphQL specification §7.1): an object with `data`, `errors` or both.

use bytes::Bytes;
use serde_json::Value;

use crate::{Reason, value};

/// How much of a service's message is told to the operator, in characters.
const SHOWN: usize = 200;

/// The `data` of a response, which is sound JSON.
///
/// # Errors
/// There is none, or there are errors beside it and it may not be partial.
pub(crate) fn data(text: &Bytes, partial: bool) -> Result<Bytes, (Reason, String)> {
    let (mut data, mut errors) = (None, None);
    for (name, member) in value::members(text) {
        match name {
            b"data" => data = Some(member),
            b"errors" => errors = Some(member),
            _ => {}
        }
    }
    let data = data.filter(|data| *data != value::NULL);
    match (data, errors.and_then(failures)) {
        (Some(data), None) => Ok(text.slice_ref(data)),
        (Some(data), Some(_)) if partial => Ok(text.slice_ref(data)),
        (_, Some(cause)) => Err((Reason::GraphqlErrors, cause)),
        (None, None) => {
            let cause = "the answer has no `data`, and no `errors` either";
            Err((Reason::GraphqlErrors, cause.to_owned()))
        }
    }
}

/// What the list of errors says; none where it lists nothing.
fn failures(errors: &[u8]) -> Option<String> {
    let errors: Value = serde_json::from_slice(errors).ok()?;
    let count = match &errors {
        Value::Null => return None,
        Value::Array(errors) if errors.is_empty() => return None,
        Value::Array(errors) => errors.len(),
        _ => 1,
    };
    let first = errors
        .get(0)
        .and_then(|first| first.get("message")?.as_str());
    let first: String = first
        .unwrap_or("without a message")
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect();
    Some(match count {
        1 => format!("the answer has an error: {first}"),
        count => format!("the answer has {count} errors, the first: {first}"),
    })
}
