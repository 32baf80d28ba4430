//! What a watch says.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::{self, Instant};

use super::{
    Ended, State,
    slices::{Slice, Slices},
};
use crate::client::Lines;

/// An endpoint that moves from one slice to another is two events, and gone between them.
const SETTLE: Duration = Duration::from_millis(100);

/// Takes in what a watch says until it ends, and tells of each new state.
///
/// # Errors
///
/// The server says something that can't be read, or that something is wrong.
pub(super) async fn news(
    mut lines: Lines,
    state: &mut State,
    end: Instant,
    told: impl Fn(&Slices),
) -> Result<Ended, String> {
    let mut settled: Option<Instant> = None;
    let ended = loop {
        if settled.is_some_and(|at| at <= Instant::now()) {
            settled = None;
            told(&state.slices);
        }
        let line = match time::timeout_at(settled.unwrap_or(end), lines.next()).await {
            Err(_) if settled.is_some() => continue,
            Err(_) => break Ended::Broken,
            Ok(Ok(None)) => break Ended::Over,
            Ok(Ok(Some(line))) => line,
            Ok(Err(error)) => {
                tracing::debug!(error, "a watch of Kubernetes broke off");
                break Ended::Broken;
            }
        };
        match take(&line, state)? {
            Taken::Changed => {
                settled.get_or_insert_with(|| Instant::now() + SETTLE);
            }
            Taken::Nothing => {}
            Taken::Expired => break Ended::Expired,
        }
    };
    if settled.is_some() {
        told(&state.slices);
    }
    Ok(ended)
}

/// What an event leads to.
enum Taken {
    Changed,
    Nothing,
    Expired,
}

fn take(line: &[u8], state: &mut State) -> Result<Taken, String> {
    let event: Event = serde_json::from_slice(line).map_err(unreadable)?;
    match event.kind.as_str() {
        "ADDED" | "MODIFIED" | "DELETED" => {
            let slice: Slice = serde_json::from_value(event.object).map_err(unreadable)?;
            state.version = slice.version().to_owned();
            if event.kind == "DELETED" {
                state.slices.remove(&slice);
            } else {
                state.slices.put(slice);
            }
            Ok(Taken::Changed)
        }
        "BOOKMARK" => {
            let version = event.object.pointer("/metadata/resourceVersion");
            if let Some(version) = version.and_then(Value::as_str) {
                version.clone_into(&mut state.version);
            }
            Ok(Taken::Nothing)
        }
        "ERROR" => {
            let field = |key: &str| event.object.get(key);
            if field("code").and_then(Value::as_u64) == Some(410) {
                return Ok(Taken::Expired);
            }
            let message = field("message").and_then(Value::as_str);
            Err(format!(
                "the watch ends with an error: {}",
                message.unwrap_or("without a message")
            ))
        }
        other => Err(format!("the watch says `{other}`; is this Kubernetes?")),
    }
}

fn unreadable(error: serde_json::Error) -> String {
    format!("the watch can't be read: {error}")
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    object: Value,
}
