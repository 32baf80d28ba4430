//! What is refused first where not everything can be served.

/// How important the requests of a route are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Refused first.
    BestEffort,
    /// Refused if that is not enough.
    #[default]
    Default,
    /// Refused last.
    Critical,
}

impl Priority {
    /// All of them, in the order they are refused.
    pub const ALL: [Self; 3] = [Self::BestEffort, Self::Default, Self::Critical];

    /// The name in configuration, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BestEffort => "best_effort",
            Self::Default => "default",
            Self::Critical => "critical",
        }
    }
}
