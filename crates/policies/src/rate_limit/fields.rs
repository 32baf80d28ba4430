//! What answers tell of limits.

use http::{HeaderMap, HeaderName, HeaderValue};
use lintel_kernel::{Allowance, Rate};

use super::limit::Limit;

/// draft-ietf-httpapi-ratelimit-headers-10 §3: what the limit is.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The same, §4: what is left.
const LEFT: HeaderName = HeaderName::from_static("ratelimit");
// What clients know from before the draft.
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

impl Limit {
    /// Adds the fields, where callers are told. They take the place of those of the service.
    pub(super) fn tell(&self, allowance: &Allowance, headers: &mut HeaderMap) {
        let Some(policy) = &self.policy else { return };
        headers.insert(POLICY, policy.clone());
        let (remaining, reset) = (allowance.remaining, allowance.reset);
        // Nothing to wait for where it never suffices.
        let after = match reset {
            u32::MAX => String::new(),
            reset => format!(";t={reset}"),
        };
        let left = format!("\"{}\";r={remaining}{after}", self.name);
        if let Ok(left) = HeaderValue::try_from(left) {
            headers.insert(LEFT, left);
        }
        headers.insert(X_LIMIT, HeaderValue::from(self.rule.most()));
        headers.insert(X_REMAINING, HeaderValue::from(remaining));
        if reset != u32::MAX {
            headers.insert(X_RESET, HeaderValue::from(reset));
        }
    }
}

/// A limit's `RateLimit-Policy`: quota and, in whole seconds, its window. `None` where the name is
/// no structured string (RFC 9651 §3.3.3).
pub(super) fn policy(name: &str, rate: Rate) -> Option<HeaderValue> {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\');
    if !name.bytes().all(plain) {
        return None;
    }
    let window = match rate.per.as_secs() {
        0 => String::new(),
        seconds => format!(";w={seconds}"),
    };
    HeaderValue::try_from(format!("\"{name}\";q={}{window}", rate.count)).ok()
}
