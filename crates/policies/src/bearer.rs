//! How bearer tokens are refused (RFC 6750). What is wrong with one is for the log alone.

use http::{HeaderValue, StatusCode, header};
use lintel_kernel::Rejection;

use crate::challenge::quoted;

/// The challenges of RFC 6750 §3, made once.
#[derive(Debug)]
pub(crate) struct Challenges {
    /// No token was sent: no error is named (§3.1).
    pub(crate) missing: HeaderValue,
    invalid: HeaderValue,
    by: &'static str,
}

impl Challenges {
    /// Of a policy, for a realm, and the URL of the resource's metadata (RFC 9728 §5.1). `None` where
    /// one of them can't stand in a header field.
    pub(crate) fn new(by: &'static str, realm: &str, metadata: Option<&str>) -> Option<Self> {
        let mut missing = format!("Bearer realm={}", quoted(realm)?);
        if let Some(metadata) = metadata {
            missing.push_str(", resource_metadata=");
            missing.push_str(&quoted(metadata)?);
        }
        let invalid = format!("{missing}, error=\"invalid_token\"");
        Some(Self {
            missing: HeaderValue::from_str(&missing).ok()?,
            invalid: HeaderValue::from_str(&invalid).ok()?,
            by,
        })
    }

    /// The same answer whatever is wrong.
    pub(crate) fn invalid(&self, cause: &'static str) -> Rejection {
        let refusal = Rejection::new(
            self.by,
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "The token is not valid.",
        );
        refusal
            .with_cause(cause)
            .with_header(header::WWW_AUTHENTICATE, self.invalid.clone())
    }
}
