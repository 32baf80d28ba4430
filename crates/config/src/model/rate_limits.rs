use lintel_kernel::config;

/// What holds for all limits of rates together.
#[config]
#[derive(Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// For about how many callers there is room, those left out that have not spent anything lately:
    /// each takes about 50 bytes once it has come. When there are more, those are forgotten first
    /// that have spent least. A reload that changes this number forgets all.
    #[serde(default = "keys")]
    #[schemars(range(min = 1000, max = 1_000_000_000))]
    pub keys: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { keys: keys() }
    }
}

const fn keys() -> u32 {
    250_000
}
