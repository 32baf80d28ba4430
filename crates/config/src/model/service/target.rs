use lintel_kernel::config;

use crate::text::Endpoint;

/// An endpoint: a URL, or a URL with a weight.
#[config(untagged)]
pub enum Target {
    /// A URL.
    Url(Endpoint),
    /// A URL with a weight.
    Weighted(WeightedEndpoint),
}

impl Target {
    /// The URL.
    pub const fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Url(endpoint) => endpoint,
            Self::Weighted(weighted) => &weighted.url,
        }
    }

    /// The weight.
    pub const fn weight(&self) -> u32 {
        match self {
            Self::Url(_) => 1,
            Self::Weighted(weighted) => weighted.weight,
        }
    }
}

/// An endpoint with a weight.
#[config]
pub struct WeightedEndpoint {
    /// The URL.
    pub url: Endpoint,
    /// How many requests it gets in proportion to the others; 0 for none.
    #[serde(default = "weight")]
    #[schemars(range(max = 1_000_000))]
    pub weight: u32,
}

const fn weight() -> u32 {
    1
}
