use lintel_kernel::{ByteSize, Duration, Share, config};

use crate::text::{FieldName, HostSuffix, Name};

/// Sends a share of a route's requests to a second service as well. Clients never wait for it, and
/// never see its answers.
#[config]
pub struct Mirror {
    /// The service that gets the copies.
    pub service: Name,

    /// How many of the requests.
    #[serde(default = "all")]
    pub share: Share,

    /// Counts where the two answers differ.
    #[serde(default)]
    pub compare: Option<Compare>,

    /// How long the service may take for the whole of an answer.
    #[serde(default = "ten_seconds")]
    pub timeout: Duration,

    /// How many copies may be on their way at once, for each worker. Requests beyond are not
    /// mirrored.
    #[serde(default = "sixty_four")]
    #[schemars(range(min = 1))]
    pub max_in_flight: u32,

    /// Requests with larger bodies are not mirrored.
    #[serde(default = "max_body")]
    pub max_body: ByteSize,

    /// The header field that marks copies, with the value `true`.
    #[serde(default = "header")]
    pub header: FieldName,

    /// Put behind the first label of `Host`: with `-shadow`, `api.example.com` becomes
    /// `api-shadow.example.com`. Has no effect where the service's `host` says otherwise.
    #[serde(default)]
    pub host_suffix: Option<HostSuffix>,
}

/// What is compared of two answers.
#[config]
pub struct Compare {
    /// Their statuses.
    #[serde(default = "yes")]
    pub status: bool,

    /// Their bodies, byte by byte, where the statuses are the same.
    #[serde(default)]
    pub body: bool,
}

const fn all() -> Share {
    Share::percent(100)
}

const fn yes() -> bool {
    true
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const fn sixty_four() -> u32 {
    64
}

const fn max_body() -> ByteSize {
    ByteSize::bytes(64 * 1024)
}

fn header() -> FieldName {
    FieldName(http::HeaderName::from_static("x-mirror"))
}
