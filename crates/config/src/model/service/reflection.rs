use lintel_kernel::{Duration, config};

use crate::text::FilePath;

/// How a service is asked what its methods are.
#[config]
#[derive(PartialEq)]
#[serde(default)]
pub struct Reflection {
    /// How often. What it says holds for requests that come afterwards.
    pub refresh: Duration,

    /// A file in which its last answer is kept, so that a gateway that starts while the service is
    /// away knows it. Default: none.
    pub cache: Option<FilePath>,
}

impl Default for Reflection {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(300),
            cache: None,
        }
    }
}
