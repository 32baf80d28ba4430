//! How tokens are refused. What is wrong with one is for the log alone.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use lintel_jose::Refusal;
use lintel_kernel::Rejection;

const NAME: &str = "jwt";

const INVALID: Rejection = Rejection::new(
    NAME,
    StatusCode::UNAUTHORIZED,
    "invalid_token",
    "The token is not valid.",
);

/// Not the caller's fault: its token may be good.
pub(super) const NO_KEYS: Rejection = Rejection::new(
    NAME,
    StatusCode::SERVICE_UNAVAILABLE,
    "keys_unavailable",
    "The token can't be checked at the moment.",
)
.with_retry_after(Duration::from_secs(5))
.with_cause("issuer_keys_unavailable");

/// The challenges of RFC 6750 §3, made once.
#[derive(Debug)]
pub(super) struct Challenges {
    /// No token was sent: no error is named (§3.1).
    pub(super) missing: HeaderValue,
    invalid: HeaderValue,
}

impl Challenges {
    /// For a realm, and the URL of the resource's metadata (RFC 9728 §5.1). `None` where one of
    /// them can't stand in a header field.
    pub(super) fn new(realm: &str, metadata: Option<&str>) -> Option<Self> {
        let quotable = |text: &str| {
            text.bytes()
                .all(|byte| (0x20..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\'))
        };
        if !quotable(realm) || !metadata.is_none_or(quotable) {
            return None;
        }
        let mut missing = format!("Bearer realm=\"{realm}\"");
        if let Some(metadata) = metadata {
            missing.push_str(", resource_metadata=\"");
            missing.push_str(metadata);
            missing.push('"');
        }
        let invalid = format!("{missing}, error=\"invalid_token\"");
        Some(Self {
            missing: HeaderValue::from_str(&missing).ok()?,
            invalid: HeaderValue::from_str(&invalid).ok()?,
        })
    }

    /// The same answer whatever is wrong.
    pub(super) fn invalid(&self, cause: &'static str) -> Rejection {
        INVALID
            .with_cause(cause)
            .with_header(header::WWW_AUTHENTICATE, self.invalid.clone())
    }

    pub(super) fn refused(&self, refusal: &Refusal) -> Rejection {
        self.invalid(refusal.code())
    }
}
