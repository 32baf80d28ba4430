use lintel_kernel::{Duration, config};
use serde::Serialize;

/// How long a service may take: each step, or the whole request.
#[config(untagged)]
#[derive(PartialEq, Serialize)]
pub enum TimeoutSetting {
    /// The whole request.
    Request(Duration),
    /// Each step.
    Steps(ServiceTimeout),
}

impl Default for TimeoutSetting {
    fn default() -> Self {
        Self::Steps(ServiceTimeout::default())
    }
}

impl TimeoutSetting {
    /// The steps, whichever way it was written.
    pub fn steps(&self) -> ServiceTimeout {
        match self {
            Self::Request(request) => ServiceTimeout {
                request: Some(*request),
                ..ServiceTimeout::default()
            },
            Self::Steps(steps) => steps.clone(),
        }
    }
}

/// How long each step may take. A step that takes longer is answered with 504.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct ServiceTimeout {
    /// To connect, TLS not included. Also how long a request waits for a connection where
    /// `breaker.connections` are open.
    pub connect: Duration,
    /// For the TLS handshake.
    pub tls: Duration,
    /// From the last byte of the request to the first byte of the answer. Default: what is left of
    /// the route's `timeout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Duration>,
    /// From the first byte of the request to the last byte of the answer. Default: no limit, so
    /// that streams may be as long as they like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Duration>,
    /// How long a body may stand still, in either direction.
    pub idle: Duration,
}

impl Default for ServiceTimeout {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            tls: Duration::from_secs(5),
            first_byte: None,
            request: None,
            idle: Duration::from_secs(60),
        }
    }
}
