use lintel_kernel::config;
use lintel_policies::{quota, rate_limit::LimitConfig};

/// What the consumers on it may use.
#[config]
#[derive(Default)]
pub struct Plan {
    /// Limits of each consumer on it, all routes together. They hold beside those of the consumer
    /// itself, of the route and of the defaults.
    #[serde(default)]
    #[schemars(example = serde_json::json!([{ "rate": "1000/s", "burst": 5000 }]))]
    pub rate_limit: Vec<LimitConfig>,

    /// Quotas of each consumer on it, all routes together. They hold beside those of the consumer
    /// itself, of the route and of the defaults.
    #[serde(default)]
    pub quota: Option<quota::Config>,
}
