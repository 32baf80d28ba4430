//! What a token endpoint answers (RFC 6749 §5).

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use lintel_upstream::client::Answer;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The longest answer that is read, in bytes: room for several tokens that no header could hold.
pub(super) const MAX: usize = 256 << 10;
/// Characters of a provider's explanation that are logged.
const SHOWN: usize = 200;

/// What came of a question.
pub(crate) type Outcome = Result<Arc<Granted>, Failure>;

/// Tokens (§5.1, OpenID Connect Core §3.1.3.3, RFC 8693 §2.2.1). Never printed.
#[derive(Deserialize)]
pub(crate) struct Granted {
    pub(crate) access_token: Option<String>,
    token_type: Option<String>,
    /// Seconds.
    #[serde(default, deserialize_with = "seconds")]
    pub(crate) expires_in: Option<u64>,
    pub(crate) refresh_token: Option<String>,
    pub(crate) id_token: Option<String>,
    pub(crate) scope: Option<String>,
    /// When they came, in seconds since 1970.
    #[serde(skip, default = "now")]
    pub(crate) received: u64,
}

/// Why there are no tokens. For the log: it may hold what the provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The endpoint refused, by a code of §5.2.
    Refused {
        /// `invalid_grant`, for one.
        code: Box<str>,
        /// In the provider's words.
        detail: Box<str>,
    },
    /// There is no answer, or none of use.
    Unavailable(Box<str>),
}

#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Reads an answer.
pub(crate) fn read(answer: &Answer) -> Result<Granted, Failure> {
    if answer.status == http::StatusCode::OK {
        let granted: Granted = serde_json::from_slice(&answer.body).map_err(|error| {
            Failure::Unavailable(format!("the answer can't be read: {error}").into())
        })?;
        return match &granted.token_type {
            // A token of another type can't be used by whoever just holds it (§7.1). `N_A` is for
            // tokens that are no access tokens (RFC 8693 §2.2.1).
            Some(kind) if !["bearer", "n_a"].contains(&&*kind.to_ascii_lowercase()) => Err(
                Failure::Unavailable(format!("tokens of the type `{}`", shown(kind)).into()),
            ),
            _ => Ok(granted),
        };
    }
    // What the endpoint says of itself being unwell says nothing of the grant.
    let refused = serde_json::from_slice::<Refused>(&answer.body).ok();
    match refused.filter(|_| answer.status.is_client_error() && answer.status != 429) {
        Some(refused) => Err(Failure::Refused {
            code: shown(&refused.error).into(),
            detail: shown(&refused.error_description).into(),
        }),
        None => Err(Failure::Unavailable(answer.refusal().text.into())),
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// The beginning of a text from outside, fit for a log.
pub(crate) fn shown(text: &str) -> String {
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(SHOWN).collect()
}

/// A number of seconds; some providers write it as a text.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, detail } if detail.is_empty() => f.write_str(code),
            Self::Refused { code, detail } => write!(f, "{code}: {detail}"),
            Self::Unavailable(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Granted {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}
