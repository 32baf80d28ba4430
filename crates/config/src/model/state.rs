use lintel_kernel::{Duration, config};

/// What is kept over a restart: the counts of quotas and of what is metered. Rates and what is under
/// way are not: they matter for a moment.
#[config]
#[derive(PartialEq, Eq)]
pub struct State {
    /// The folder that it is kept in, made where it is not there. It is written about once a second;
    /// a crash loses what was counted since. Each gateway has its own. Without it, counts are lost
    /// with a restart.
    #[serde(default)]
    #[schemars(length(min = 1), example = &"/var/lib/lintel")]
    pub folder: Option<String>,

    /// For how many callers of quotas, and for how many combinations of what is metered, there is
    /// room: each takes about 200 bytes once it has come, until the gateway is restarted. Further ones
    /// are counted together, as one.
    #[serde(default = "keys")]
    #[schemars(range(min = 100, max = 10_000_000))]
    pub keys: u32,

    /// How long the hours are kept that were metered.
    #[serde(default = "keep_usage")]
    pub keep_usage: Duration,
}

impl Default for State {
    fn default() -> Self {
        Self {
            folder: None,
            keys: keys(),
            keep_usage: keep_usage(),
        }
    }
}

const fn keep_usage() -> Duration {
    Duration::from_secs(400 * 86_400)
}

const fn keys() -> u32 {
    100_000
}
