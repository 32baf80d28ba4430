use lintel_kernel::{ByteSize, Duration, Share, config};

/// When the gateway itself is short of something, it refuses requests with 503 and `Retry-After`,
/// those of the least important routes first. Pressure is the largest of four shares: how late a
/// worker is of `queue_delay`, and how much is used of `memory`, `files` and `connections`.
#[config]
pub struct Overload {
    /// Whether anything is refused.
    #[serde(default = "yes")]
    pub enabled: bool,

    /// The pressure from which requests of routes with `priority: best_effort` are refused.
    #[serde(default = "eighty")]
    pub best_effort: Share,

    /// The pressure from which requests of routes without a `priority` are refused as well.
    #[serde(default = "ninety")]
    pub default: Share,

    /// The pressure from which all requests are refused.
    #[serde(default = "hundred")]
    pub critical: Share,

    /// How far the pressure must fall below these for a second until requests are served again.
    #[serde(default = "five")]
    pub recover: Share,

    /// How late a worker may be with what is ready to be done: this long is a pressure of 100%.
    /// The least of 300 ms counts.
    #[serde(default = "one_second")]
    pub queue_delay: Duration,

    /// How much memory the process may use. Default: what its control group allows, or the
    /// machine's.
    #[serde(default)]
    pub memory: Option<ByteSize>,

    /// How many file descriptors it may have open. Default: its limit (`ulimit -n`).
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub files: Option<u32>,

    /// How many client connections may be open, over all listeners. Default: they do not count.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub connections: Option<u32>,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            enabled: true,
            best_effort: eighty(),
            default: ninety(),
            critical: hundred(),
            recover: five(),
            queue_delay: one_second(),
            memory: None,
            files: None,
            connections: None,
        }
    }
}

/// How important the requests of a route are when the gateway is overloaded.
#[config]
#[derive(Copy, Default, PartialEq, Eq)]
pub enum Priority {
    /// Refused last.
    Critical,
    /// In between.
    #[default]
    Default,
    /// Refused first.
    BestEffort,
}

const fn yes() -> bool {
    true
}

const fn eighty() -> Share {
    Share::percent(80)
}

const fn ninety() -> Share {
    Share::percent(90)
}

const fn hundred() -> Share {
    Share::percent(100)
}

const fn five() -> Share {
    Share::percent(5)
}

const fn one_second() -> Duration {
    Duration::from_secs(1)
}
