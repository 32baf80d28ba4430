use lintel_kernel::config;

use crate::rate_limit::LimitConfig;

/// Somebody who calls the API: a partner, an application, a service.
#[config]
#[derive(Default)]
#[schemars(rename = "Consumer")]
pub struct ConsumerConfig {
    /// The plan it is on: the name of one in `plans`.
    #[serde(default)]
    #[schemars(example = &"gold")]
    pub plan: Option<String>,

    /// Groups it is in; `authorize` may demand one.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true), example = ["partners"])]
    pub groups: Vec<String>,

    /// Which signed tokens speak for it, where the policy `jwt` names a `consumer_claim`. Without
    /// it, tokens in which that claim is the consumer's own name.
    #[serde(default)]
    pub jwt: Option<TokenConfig>,

    /// Its own limits, all routes together. They hold beside those of its plan, of the route and of
    /// the defaults.
    #[serde(default)]
    pub rate_limit: Vec<LimitConfig>,
}

/// The tokens that speak for a consumer.
#[config]
#[schemars(rename = "ConsumerTokens")]
pub struct TokenConfig {
    /// Values of the claim that names the consumer, one of which the token must have.
    #[schemars(length(min = 1), extend("uniqueItems" = true), example = ["partner-7"])]
    pub subjects: Vec<String>,

    /// The issuer (`iss`) that the tokens must have. Default: any that the policy trusts.
    #[serde(default)]
    #[schemars(example = &"https://auth.example.com/")]
    pub issuer: Option<String>,
}
