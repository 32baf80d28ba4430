use lintel_kernel::{Duration, config};
use serde::Serialize;

/// How many replicas there are: a number, or where they count themselves.
#[config(untagged)]
#[derive(Serialize)]
pub enum Replicas {
    /// So many.
    Number(#[schemars(range(min = 1))] u32),
    /// As many as there are.
    // Only the default is ever serialised, for the schema.
    #[serde(skip_serializing)]
    Counted(CountedReplicas),
}

/// Replicas that count themselves: each announces itself in a store and is told how many there are.
/// `lintel_replicas` shows it. One that stops says so; one that is gone without a word counts for
/// five heartbeats more. While the store does not answer, the last known number holds.
#[config]
pub struct CountedReplicas {
    /// The name of a store in `stores`. Gateways that share it and do not belong together need a
    /// `prefix` of their own.
    #[schemars(example = &"shared")]
    pub store: String,

    /// How often each announces itself: 100 ms at least, and the same on all replicas.
    #[serde(default = "heartbeat")]
    pub heartbeat: Duration,

    /// How many there are taken to be until the store has answered for the first time.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub assumed: u32,
}

impl Replicas {
    /// How many there are as far as the configuration tells.
    pub const fn assumed(&self) -> u32 {
        match self {
            Self::Number(number) => *number,
            Self::Counted(counted) => counted.assumed,
        }
    }

    /// Where they count themselves.
    pub const fn counted(&self) -> Option<&CountedReplicas> {
        match self {
            Self::Number(_) => None,
            Self::Counted(counted) => Some(counted),
        }
    }
}

impl Default for Replicas {
    fn default() -> Self {
        Self::Number(1)
    }
}

const fn heartbeat() -> Duration {
    Duration::from_secs(1)
}

const fn one() -> u32 {
    1
}
