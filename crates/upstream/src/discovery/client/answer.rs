//! Answers, and why there is none.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A whole answer.
pub(in super::super) struct Answer {
    pub(in super::super) status: StatusCode,
    pub(in super::super) fields: HeaderMap,
    pub(in super::super) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// The status is not 200, or the body is no JSON of this form.
    pub(in super::super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        if self.status != StatusCode::OK {
            return Err(refusal(self.status, &self.body));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("the answer can't be read: {error}"))
    }
}

/// A status and the beginning of what was said with it.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> String {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(body);
    // APIs put their reason into a field; others say it in plain words.
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let field = |key| json.as_ref()?.get(key)?.as_str().map(str::to_owned);
    let said = field("message").or_else(|| field("error"));
    let said: String = said
        .unwrap_or_else(|| text.trim().to_owned())
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN)
        .collect();
    if said.is_empty() {
        format!("status {status}")
    } else {
        format!("status {status}: {said}")
    }
}
