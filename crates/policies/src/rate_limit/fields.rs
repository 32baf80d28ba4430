//! What answers tell of limits.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};
use lintel_kernel::{Allowance, Rate};

use super::limit::Limit;
use crate::per::is_plain;

/// draft-ietf-httpapi-ratelimit-headers-10 §3: what the limit is.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The same, §4: what is left.
const LEFT: HeaderName = HeaderName::from_static("ratelimit");
// What clients know from before the draft.
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Room for a number and what stands around it.
const MOST_DIGITS: usize = 24;

impl Limit {
    /// Adds the fields, where callers are told. They take the place of those of the service, or stand
    /// beside those that tell of a quota.
    pub(super) fn tell(&self, allowance: &Allowance, beside: bool, headers: &mut HeaderMap) {
        let Some(policy) = &self.policy else { return };
        if !beside {
            headers.remove(POLICY);
            headers.remove(LEFT);
        }
        headers.append(POLICY, policy.clone());
        let (remaining, reset) = (allowance.remaining, allowance.reset);
        // In every answer: pieces are cheaper to put together than a format is to follow.
        let mut digits = itoa::Buffer::new();
        let mut left = BytesMut::with_capacity(self.name.len() + 2 * MOST_DIGITS);
        left.extend_from_slice(b"\"");
        left.extend_from_slice(self.name.as_bytes());
        left.extend_from_slice(b"\";r=");
        left.extend_from_slice(digits.format(remaining).as_bytes());
        // Nothing to wait for where it never suffices.
        if reset != u32::MAX {
            left.extend_from_slice(b";t=");
            left.extend_from_slice(digits.format(reset).as_bytes());
        }
        if let Ok(left) = HeaderValue::from_maybe_shared(left.freeze()) {
            headers.append(LEFT, left);
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
    if !is_plain(name) {
        return None;
    }
    let window = match rate.per.as_secs() {
        0 => String::new(),
        seconds => format!(";w={seconds}"),
    };
    HeaderValue::try_from(format!("\"{name}\";q={}{window}", rate.count)).ok()
}
