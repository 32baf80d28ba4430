//! What happened to an endpoint, for people. Written by the control side alone.

use std::{collections::VecDeque, fmt, sync::Arc, time::SystemTime};

/// Changes that are remembered.
const REMEMBERED: usize = 20;

/// A change of an endpoint's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: SystemTime,
    /// What changed.
    pub turn: Turn,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its first check has passed, or checks pass again.
    Healthy,
    /// Checks fail: why.
    Unhealthy(Arc<str>),
    /// It gets no requests for a while.
    Ejected {
        /// Why.
        reason: Reason,
        /// For how many seconds.
        seconds: u64,
    },
    /// It is over, and the endpoint on trial.
    OnTrial,
    /// The trial went well.
    Trusted,
    /// The operator gave it another weight; 0 drains it.
    Weight(u32),
    /// The operator took that back.
    ConfiguredWeight(u32),
}

/// Why an endpoint was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// So many tries in a row without an answer.
    Failures(u32),
    /// So many in a row without an answer or with 502, 503 or 504.
    GatewayErrors(u32),
    /// So many in a row without an answer or with 5xx.
    ServerErrors(u32),
    /// The bodies of so many answers in a row broke off.
    Broken(u32),
    /// It failed while on trial.
    Trial,
    /// Its share of good answers, in tenths of a per cent, is far below the others'.
    SuccessRate(u32),
    /// Its mean latency, in milliseconds, is far above the others'.
    Latency(u32),
}

impl Reason {
    /// Every label.
    pub const LABELS: [&str; 6] = [
        "consecutive_failures",
        "consecutive_gateway_errors",
        "consecutive_5xx",
        "trial",
        "success_rate",
        "latency",
    ];

    /// The label in metrics: the key of the rule.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Failures(_) | Self::Broken(_) => "consecutive_failures",
            Self::GatewayErrors(_) => "consecutive_gateway_errors",
            Self::ServerErrors(_) => "consecutive_5xx",
            Self::Trial => "trial",
            Self::SuccessRate(_) => "success_rate",
            Self::Latency(_) => "latency",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failures(count) => write!(f, "{count} tries in a row without an answer"),
            Self::GatewayErrors(count) => {
                write!(
                    f,
                    "{count} tries in a row without an answer or with 502, 503 or 504"
                )
            }
            Self::ServerErrors(count) => {
                write!(f, "{count} tries in a row without an answer or with 5xx")
            }
            Self::Broken(count) => {
                write!(f, "{count} answers in a row that broke off")
            }
            Self::Trial => f.write_str("failed on trial"),
            Self::SuccessRate(tenths) => write!(
                f,
                "{}.{}% good answers, far fewer than the others",
                tenths / 10,
                tenths % 10
            ),
            Self::Latency(millis) => {
                write!(f, "{millis} ms on average, far slower than the others")
            }
        }
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => f.write_str("healthy"),
            Self::Unhealthy(why) => write!(f, "unhealthy: {why}"),
            Self::Ejected { reason, seconds } => write!(f, "ejected for {seconds} s: {reason}"),
            Self::OnTrial => f.write_str("on trial after its ejection"),
            Self::Trusted => f.write_str("trusted again after its trial"),
            Self::Weight(0) => f.write_str("drained by the operator"),
            Self::Weight(weight) => write!(f, "weight {weight} set by the operator"),
            Self::ConfiguredWeight(weight) => {
                write!(f, "weight {weight} of the configuration again")
            }
        }
    }
}

/// The last changes, oldest first.
#[derive(Default)]
pub(super) struct Story(VecDeque<Transition>);

impl Story {
    pub(super) fn add(&mut self, at: SystemTime, turn: Turn) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(Transition { at, turn });
    }

    pub(super) fn read(&self) -> Vec<Transition> {
        self.0.iter().cloned().collect()
    }
}
