use lintel_kernel::{Duration, config};

use crate::text::FilePath;

/// Consumers and plans that are kept outside the configuration and change while the gateway serves,
/// without a reload: in a file, or in a store that all replicas share. They are like those in `consumers`
/// and `plans`, and beside them: a name that is in both is taken from the configuration alone.
#[config]
#[derive(Default, PartialEq, Eq)]
pub struct Directory {
    /// A file with the sections `consumers` and `plans`, as a configuration has them. While it has a
    /// mistake, what it said before holds.
    #[serde(default)]
    #[schemars(example = &"consumers.yaml")]
    pub file: Option<FilePath>,

    /// The name of a store in `stores` that keeps them, changed through the admin API of any replica
    /// (`PUT /consumers/NAME`). While it does not answer, the last ones hold; one that comes back
    /// without its data is given them again.
    #[serde(default)]
    #[schemars(example = &"shared")]
    pub store: Option<String>,

    /// How often file or store is looked at, at least `100ms`. So long it takes, and one answer of the
    /// store, until a change holds on the other replicas; it holds at once on the one that was told.
    #[serde(default = "poll")]
    pub poll: Duration,

    /// How many consumers and plans there may be, all together. Each takes about a kilobyte in each
    /// replica.
    #[serde(default = "max_entries")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_entries: u32,
}

const fn poll() -> Duration {
    Duration::from_secs(1)
}

const fn max_entries() -> u32 {
    1_000_000
}
