use lintel_kernel::{ByteSize, Duration, Fault, GrpcCode, Share, config};

use super::runtime::{Abort, Delay, Drill};
use crate::{Context, described};

/// Faults that are injected into some requests. Each fault hits its own share of them, independent
/// of the others.
#[config]
#[schemars(rename = "FaultInjection")]
pub struct Config {
    /// Which requests are meant: a condition, such as a header field that testers send. Default:
    /// all.
    #[serde(default)]
    #[schemars(with = "Option<described::Expression>")]
    pub when: Option<String>,
    /// Lets requests wait before anything else is done with them.
    #[serde(default)]
    pub delay: Option<DelayConfig>,
    /// Refuses requests.
    #[serde(default)]
    pub abort: Option<AbortConfig>,
    /// Slows the body of answers down.
    #[serde(default)]
    pub bandwidth: Option<BandwidthConfig>,
    /// Breaks answers off: over HTTP/1 the connection is reset, over HTTP/2 the stream.
    #[serde(default)]
    pub reset: Option<ResetConfig>,
}

/// How long requests wait. The time counts for the timeout of the route.
#[config]
#[schemars(rename = "FaultDelay")]
pub struct DelayConfig {
    /// How long; with `up_to`, at least.
    pub time: Duration,
    /// How long at most; every time in between is as likely. Default: always `time`.
    #[serde(default)]
    pub up_to: Option<Duration>,
    /// How many of the requests.
    #[serde(default = "all")]
    pub share: Share,
}

/// How requests are refused.
#[config]
#[schemars(rename = "FaultAbort")]
pub struct AbortConfig {
    /// The status.
    #[serde(default = "unavailable")]
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// The status for gRPC callers. Default: what `status` maps to.
    #[serde(default)]
    pub grpc: Option<GrpcWord>,
    /// How many of the requests.
    #[serde(default = "all")]
    pub share: Share,
}

/// How fast answers are.
#[config]
#[schemars(rename = "FaultBandwidth")]
pub struct BandwidthConfig {
    /// Bytes of body a second.
    pub rate: ByteSize,
    /// How many of the requests.
    #[serde(default = "all")]
    pub share: Share,
}

/// Where answers are broken off.
#[config]
#[schemars(rename = "FaultReset")]
pub struct ResetConfig {
    /// How many bytes of the body come through, if there are as many.
    #[serde(default)]
    pub after: ByteSize,
    /// How many of the requests.
    #[serde(default = "all")]
    pub share: Share,
}

/// A gRPC status by name.
#[config]
#[derive(Copy, PartialEq, Eq)]
#[schemars(rename = "GrpcStatus")]
pub enum GrpcWord {
    /// The caller gave up.
    Cancelled,
    /// An unknown error.
    Unknown,
    /// An argument is invalid.
    InvalidArgument,
    /// The deadline has passed.
    DeadlineExceeded,
    /// What was asked for does not exist.
    NotFound,
    /// What was to be made exists.
    AlreadyExists,
    /// The caller may not do this.
    PermissionDenied,
    /// A quota or another resource is used up.
    ResourceExhausted,
    /// The system is not in a state for this.
    FailedPrecondition,
    /// A conflict with another call.
    Aborted,
    /// Beyond the valid range.
    OutOfRange,
    /// Not offered.
    Unimplemented,
    /// An internal error.
    Internal,
    /// The service is not available now.
    Unavailable,
    /// Data was lost.
    DataLoss,
    /// The caller is not known.
    Unauthenticated,
}

const fn all() -> Share {
    Share::percent(100)
}

const fn unavailable() -> u16 {
    503
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<Drill, Vec<Fault>> {
        let mut faults = Vec::new();
        let when = self.when.as_deref().and_then(|text| {
            let expr = context.request_expression(text);
            expr.map_err(|fault| faults.push(fault.under("when"))).ok()
        });
        if self.delay.is_none()
            && self.abort.is_none()
            && self.bandwidth.is_none()
            && self.reset.is_none()
        {
            faults.push(
                Fault::new("no fault is given that could be injected")
                    .with_hint("write `delay`, `abort`, `bandwidth` or `reset`, or `fault: off`"),
            );
        }
        if let Some(delay) = &self.delay
            && delay.up_to.is_some_and(|most| most < delay.time)
        {
            faults.push(
                Fault::new("the longest delay is shorter than the shortest")
                    .with_hint("`up_to` is the upper end of a range that begins at `time`")
                    .under("up_to")
                    .under("delay"),
            );
        }
        if let Some(bandwidth) = &self.bandwidth
            && bandwidth.rate.as_u64() == 0
        {
            faults.push(
                Fault::new("an answer without any bandwidth would never come")
                    .with_hint("write for example `10KiB`, or use `reset`")
                    .under("rate")
                    .under("bandwidth"),
            );
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Drill {
            when,
            delay: self.delay.as_ref().map(|delay| Delay {
                least: delay.time.to_std(),
                most: delay.up_to.unwrap_or(delay.time).to_std(),
                share: delay.share.fraction(),
            }),
            abort: self.abort.as_ref().map(AbortConfig::build),
            bandwidth: self
                .bandwidth
                .as_ref()
                .map(|bandwidth| (bandwidth.rate.as_u64(), bandwidth.share.fraction())),
            reset: self
                .reset
                .as_ref()
                .map(|reset| (reset.after.as_u64(), reset.share.fraction())),
        })
    }
}

impl AbortConfig {
    fn build(&self) -> Abort {
        // The schema allows no other status.
        let status = http::StatusCode::from_u16(self.status)
            .unwrap_or(http::StatusCode::SERVICE_UNAVAILABLE);
        Abort {
            status,
            grpc: self
                .grpc
                .map_or(GrpcCode::from_status(status), GrpcWord::code),
            share: self.share.fraction(),
        }
    }
}

impl GrpcWord {
    const fn code(self) -> GrpcCode {
        match self {
            Self::Cancelled => GrpcCode::Cancelled,
            Self::Unknown => GrpcCode::Unknown,
            Self::InvalidArgument => GrpcCode::InvalidArgument,
            Self::DeadlineExceeded => GrpcCode::DeadlineExceeded,
            Self::NotFound => GrpcCode::NotFound,
            Self::AlreadyExists => GrpcCode::AlreadyExists,
            Self::PermissionDenied => GrpcCode::PermissionDenied,
            Self::ResourceExhausted => GrpcCode::ResourceExhausted,
            Self::FailedPrecondition => GrpcCode::FailedPrecondition,
            Self::Aborted => GrpcCode::Aborted,
            Self::OutOfRange => GrpcCode::OutOfRange,
            Self::Unimplemented => GrpcCode::Unimplemented,
            Self::Internal => GrpcCode::Internal,
            Self::Unavailable => GrpcCode::Unavailable,
            Self::DataLoss => GrpcCode::DataLoss,
            Self::Unauthenticated => GrpcCode::Unauthenticated,
        }
    }
}
