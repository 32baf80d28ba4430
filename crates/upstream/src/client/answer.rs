//! Answers, and why there is none.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A whole answer.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub fields: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// The status is not 200, or the body is no JSON of this form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        if self.status != StatusCode::OK {
            return Err(self.refusal());
        }
        serde_json::from_slice(&self.body).map_err(|error| Refusal {
            status: Some(self.status),
            text: format!("the answer can't be read: {error}"),
        })
    }

    /// Its status and the beginning of what was said with it.
    pub fn refusal(&self) -> Refusal {
        Refusal::new(self.status, &self.body)
    }
}

/// Why there is no answer of use.
#[derive(Debug)]
pub struct Refusal {
    /// None if there is no answer at all.
    pub status: Option<StatusCode>,
    /// For people; begins with the status.
    pub text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, body: &[u8]) -> Self {
        Self {
            status: Some(status),
            text: refusal(status, body),
        }
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self { status: None, text }
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        refusal.text
    }
}

/// A status and the beginning of what was said with it.
fn refusal(status: StatusCode, body: &[u8]) -> String {
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
