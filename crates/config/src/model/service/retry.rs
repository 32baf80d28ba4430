use lintel_kernel::{ByteSize, Duration, Rate, Share, config};
use serde::Serialize;

use crate::text::{HedgeAfter, MethodName, RetryOn};

/// When a request is tried again, at another endpoint where there is one. Nothing is tried again
/// once a part of an answer was passed on.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Retry {
    /// Tries in all, the first included.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u8,
    /// What is tried again: `connect_failure` (no connection could be made), `reset` (the
    /// connection broke before the head of the answer, or what came is not HTTP), `refused_stream`
    /// (the upstream said that it did not look at the request), `timeout` (no answer within
    /// `per_try` or the service's `first_byte`), a status (`503`) or a class (`5xx`), a gRPC status
    /// (`grpc_unavailable`) that comes without any message.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub on: Vec<RetryOn>,
    /// Methods that may be repeated although the upstream may have acted on the request. Default:
    /// those that may be repeated without harm, `GET`, `HEAD`, `OPTIONS`, `TRACE`, `PUT` and
    /// `DELETE` (RFC 9110 §9.2.2). A request with an `Idempotency-Key` may always be repeated, and
    /// so may one that certainly was not acted on. gRPC calls are `POST`.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<MethodName>>,
    /// How long one try may take until the head of its answer. Default: what is left of the whole
    /// request's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_try: Option<Duration>,
    /// Pauses between tries.
    pub backoff: Backoff,
    /// The longest `Retry-After` that is waited for. An answer that asks for more is passed on.
    pub retry_after: Duration,
    /// The longest body that is kept for another try. A longer one is streamed as ever, and sent
    /// once.
    pub body: ByteSize,
    /// What retries may cost: a share of the service's requests, counted over 10 seconds by each
    /// replica. A try beyond it is not made, and the client gets what there is.
    pub budget: BudgetSetting,
    /// A second try beside the first where that takes long: whichever is answered well first
    /// counts, the other is given up. For requests that may be repeated (see `methods`), with a
    /// body of at most `body`. Default: no try has company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hedge: Option<Hedge>,
}

/// A second try beside the first. It goes to another endpoint, counts into `budget`, and is given
/// up as soon as there is an answer that `on` does not name. Without effect on sticky sessions.
#[config]
#[derive(PartialEq, Serialize)]
pub struct Hedge {
    /// How long the first try is waited for: a time, or what the fastest part of the answers has
    /// taken within the last 10 to 20 seconds, such as `p95` for 95 of 100. That is measured by
    /// each worker, up to an eighth too long and never too short; with fewer than 50 answers there
    /// are no second tries.
    pub after: HedgeAfter,
    /// How many such tries a request may have, each so much after the one before.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 5))]
    pub attempts: u8,
}

const fn one() -> u8 {
    1
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 2,
            on: vec![
                RetryOn::ConnectFailure,
                RetryOn::Reset,
                RetryOn::RefusedStream,
                RetryOn::Status(502),
                RetryOn::Status(503),
                RetryOn::Status(504),
            ],
            methods: None,
            per_try: None,
            backoff: Backoff::default(),
            retry_after: Duration::from_secs(1),
            body: ByteSize::bytes(64 * 1024),
            budget: BudgetSetting::Share(Share::percent(20)),
            hedge: None,
        }
    }
}

/// Pauses between tries: a random time up to `base` before the second, up to twice that before the
/// third and so on, never longer than `max`.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct Backoff {
    /// The longest pause before the second try.
    pub base: Duration,
    /// The longest pause of all.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(25),
            max: Duration::from_millis(250),
        }
    }
}

/// What retries may cost: a share of the requests, or a share and a minimum.
#[config(untagged)]
#[derive(PartialEq, Serialize)]
pub enum BudgetSetting {
    /// A share of the requests.
    Share(Share),
    /// A share and a minimum.
    Budget(RetryBudget),
}

impl BudgetSetting {
    /// Share and minimum, whichever way it was written.
    pub fn budget(&self) -> RetryBudget {
        match self {
            Self::Share(share) => RetryBudget {
                share: *share,
                ..RetryBudget::default()
            },
            Self::Budget(budget) => budget.clone(),
        }
    }
}

/// What retries may cost.
#[config]
#[derive(PartialEq, Serialize)]
#[serde(default)]
pub struct RetryBudget {
    /// Retries as a share of the service's requests.
    pub share: Share,
    /// Retries that are allowed however few requests there are.
    pub min: Rate,
}

impl RetryBudget {
    /// Whether it allows no retry, ever.
    pub fn is_nothing(&self) -> bool {
        self.share.fraction() <= 0.0 && self.min.count == 0
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            share: Share::percent(20),
            min: Rate {
                count: 3,
                per: std::time::Duration::from_secs(1),
            },
        }
    }
}
