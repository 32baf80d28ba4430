//! Retries, limits and breakers.

use lintel_upstream::{
    guard::{AdaptiveSpec, BreakerSpec, BudgetSpec, GuardSpec, Slow},
    retry::{After, Backoff, Conditions, Hedge, Methods, Retry},
};

use crate::{
    model,
    text::{HedgeAfter, RetryOn},
};

pub(super) fn limits(breaker: &model::Breaker) -> GuardSpec {
    GuardSpec {
        requests: breaker.requests,
        ..guard(&breaker.watch())
    }
}

/// What holds for services and routes alike.
pub(in crate::build) fn guard(breaker: &model::RouteBreaker) -> GuardSpec {
    let slow = breaker.slow.as_ref().map(|slow| Slow {
        over: slow.over.to_std(),
        share: slow.share.fraction(),
    });
    let opens = breaker.errors.is_some() || slow.is_some();
    GuardSpec {
        requests: None,
        retries: breaker.retries,
        adaptive: breaker.adaptive.as_ref().map(|adaptive| AdaptiveSpec {
            initial: adaptive
                .initial
                .clamp(adaptive.min, adaptive.max.max(adaptive.min)),
            min: adaptive.min,
            max: adaptive.max.max(adaptive.min),
            ..AdaptiveSpec::default()
        }),
        breaker: opens.then(|| BreakerSpec {
            errors: breaker.errors.map(|share| share.fraction()),
            slow,
            window: breaker.window.to_std(),
            min_requests: breaker.min_requests,
            open_for: breaker.open_for.to_std(),
            probes: breaker.probes,
        }),
    }
}

/// Rules for trying again.
pub(in crate::build) fn retry(retry: &model::Retry) -> Retry {
    let budget = retry.budget.budget();
    Retry {
        attempts: retry.attempts,
        on: conditions(&retry.on),
        methods: match &retry.methods {
            None => Methods::Idempotent,
            Some(methods) => Methods::Only(methods.iter().map(|name| name.0.clone()).collect()),
        },
        per_try: retry.per_try.map(|limit| limit.to_std()),
        backoff: Backoff {
            base: retry.backoff.base.to_std(),
            max: retry.backoff.max.to_std(),
        },
        retry_after: retry.retry_after.to_std(),
        body: retry.body.as_u64(),
        budget: BudgetSpec {
            share: budget.share.fraction(),
            min_per_second: budget.min.count as f64 / budget.min.per.as_secs_f64(),
        },
        hedge: retry.hedge.as_ref().map(|hedge| Hedge {
            after: match hedge.after {
                HedgeAfter::Time(time) => After::Time(time.to_std()),
                HedgeAfter::Percentile(share) => After::Quantile(f64::from(share) / 100.0),
            },
            attempts: hedge.attempts,
        }),
    }
}

fn conditions(on: &[RetryOn]) -> Conditions {
    let mut conditions = Conditions::default();
    for condition in on {
        match *condition {
            RetryOn::ConnectFailure => conditions.connect_failure = true,
            RetryOn::Reset => conditions.reset = true,
            RetryOn::RefusedStream => conditions.refused_stream = true,
            RetryOn::Timeout => conditions.timeout = true,
            RetryOn::Status(status) => conditions.add_status(status),
            RetryOn::Class(class) => {
                let first = u16::from(class) * 100;
                (first..first + 100).for_each(|status| conditions.add_status(status));
            }
            RetryOn::Grpc(code) => conditions.add_grpc(code),
        }
    }
    conditions
}
