//! What answers tell of limits.

use bytes::{Bytes, BytesMut};
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

/// What is the same in every answer.
#[derive(Debug)]
pub(super) struct Told {
    /// `RateLimit-Policy`: quota and, in whole seconds, its window.
    policy: HeaderValue,
    /// `X-RateLimit-Limit`.
    most: HeaderValue,
}

/// What is left, as fields of one text: digits are written once, and are parts of it in the other fields.
struct Left {
    text: Bytes,
    remaining: Bytes,
    reset: Option<Bytes>,
}

impl Limit {
    /// Adds the fields, where callers are told. They take the place of those of the service, or stand
    /// beside those that tell of a quota.
    pub(super) fn tell(&self, allowance: &Allowance, beside: bool, headers: &mut HeaderMap) {
        let Some(told) = &self.told else { return };
        let Left {
            text,
            remaining,
            reset,
        } = Left::of(&self.name, allowance);
        let fields = [(POLICY, Some(told.policy.clone())), (LEFT, value(text))];
        for (name, value) in fields {
            let Some(value) = value else { continue };
            if beside {
                headers.append(name, value);
            } else {
                headers.insert(name, value);
            }
        }
        headers.insert(X_LIMIT, told.most.clone());
        for (name, digits) in [(X_REMAINING, Some(remaining)), (X_RESET, reset)] {
            if let Some(value) = digits.and_then(value) {
                headers.insert(name, value);
            }
        }
    }
}

impl Told {
    /// `None` where the name is no structured string (RFC 9651 §3.3.3).
    pub(super) fn new(name: &str, rate: Rate, most: u64) -> Option<Self> {
        if !is_plain(name) {
            return None;
        }
        let window = match rate.per.as_secs() {
            0 => String::new(),
            seconds => format!(";w={seconds}"),
        };
        let policy = format!("\"{name}\";q={}{window}", rate.count);
        Some(Self {
            policy: HeaderValue::try_from(policy).ok()?,
            most: HeaderValue::from(most),
        })
    }
}

impl Left {
    fn of(name: &str, allowance: &Allowance) -> Self {
        // In every answer: pieces are cheaper to put together than a format is to follow.
        let mut digits = itoa::Buffer::new();
        let mut text = BytesMut::with_capacity(name.len() + 2 * MOST_DIGITS);
        text.extend_from_slice(b"\"");
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"\";r=");
        let remaining = text.len();
        text.extend_from_slice(digits.format(allowance.remaining).as_bytes());
        let remaining = remaining..text.len();
        // Nothing to wait for where it never suffices.
        let reset = (allowance.reset != u32::MAX).then(|| {
            text.extend_from_slice(b";t=");
            let from = text.len();
            text.extend_from_slice(digits.format(allowance.reset).as_bytes());
            from..text.len()
        });
        let text = text.freeze();
        Self {
            remaining: text.slice(remaining),
            reset: reset.map(|reset| text.slice(reset)),
            text,
        }
    }
}

fn value(text: Bytes) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared(text).ok()
}
