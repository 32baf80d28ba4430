use lintel_kernel::config;

use crate::text::Endpoint;

/// An endpoint: a URL, or a URL with its weight, priority and zone.
#[config(untagged)]
pub enum Target {
    /// A URL.
    Url(Endpoint),
    /// A URL with more.
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

    /// The priority.
    pub const fn priority(&self) -> u8 {
        match self {
            Self::Url(_) => 0,
            Self::Weighted(weighted) => weighted.priority,
        }
    }

    /// The zone.
    pub fn zone(&self) -> Option<&str> {
        match self {
            Self::Url(_) => None,
            Self::Weighted(weighted) => weighted.zone.as_deref(),
        }
    }
}

/// An endpoint with its part.
#[config]
pub struct WeightedEndpoint {
    /// The URL.
    pub url: Endpoint,
    /// How many requests it gets in proportion to the others; 0 for none.
    #[serde(default = "weight")]
    #[schemars(range(max = 65_535))]
    pub weight: u32,
    /// Endpoints of priority 0 are asked first; those of 1 take over as these fall short, and so
    /// on. See `failover`.
    #[serde(default)]
    #[schemars(range(max = 9))]
    pub priority: u8,
    /// The zone it is in. Endpoints of the gateway's own zone are preferred.
    #[serde(default)]
    #[schemars(length(min = 1), example = &"eu-1a")]
    pub zone: Option<String>,
}

const fn weight() -> u32 {
    1
}
