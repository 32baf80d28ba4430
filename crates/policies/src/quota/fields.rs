//! What answers tell of quotas.

use http::{HeaderMap, HeaderName, HeaderValue};
use lintel_kernel::Allowance;

use super::runtime::Quota;

/// draft-ietf-httpapi-ratelimit-headers-10 §3: what the quota is.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The same, §4: what is left.
const LEFT: HeaderName = HeaderName::from_static("ratelimit");
/// How much is used up, in per cent, from the first soft threshold on.
const WARNING: HeaderName = HeaderName::from_static("x-quota-warning");

impl Quota {
    /// Adds the fields, where callers are told. They take the place of those of the service.
    pub(super) fn tell(&self, allowance: &Allowance, now: u64, headers: &mut HeaderMap) {
        if !self.headers {
            return;
        }
        let period = self.period(now);
        let (name, count) = (&self.name, self.allotment.count);
        let window = period.end.saturating_sub(period.start);
        let policy = format!("\"{name}\";q={count};w={window}");
        let left = format!("\"{name}\";r={};t={}", allowance.remaining, allowance.reset);
        let used = count.saturating_sub(allowance.remaining);
        let warned = self.soft.iter().any(|soft| used >= soft.from);
        let percent = u128::from(used) * 100 / u128::from(count.max(1));
        let warning = warned.then(|| format!("\"{name}\";used={percent}"));
        let fields = [
            (POLICY, Some(policy)),
            (LEFT, Some(left)),
            (WARNING, warning),
        ];
        for (field, text) in fields {
            // The name is a structured string, see the configuration.
            if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(field, value);
            }
        }
    }
}
