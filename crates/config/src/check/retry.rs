//! Rules for trying again: contradictions, and what may do harm.

use super::Check;
use crate::{
    diagnostic::code,
    model::{Balance, KeyedBalance, Retry, Service, ServiceProtocol},
    text::{HedgeAfter, RetryOn},
};

/// A budget from here on is none: in an outage it doubles the load on what is left.
const GENEROUS: f64 = 0.5;

pub(super) fn errors(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    for (name, service) in &model.services {
        if let Some(retry) = &service.retry {
            let path = ["services", name.as_str(), "retry"];
            times(check, &path, retry);
            let whole = service.timeout.steps().request;
            if let (Some(per_try), Some(whole)) = (retry.per_try, whole)
                && per_try > whole
            {
                let at = [path[0], path[1], path[2], "per_try"];
                let request = ["services", name.as_str(), "timeout"];
                let diagnostic = check
                    .error(
                        code::CONFLICT,
                        &at,
                        "`per_try` is longer than the time for the whole request",
                    )
                    .at(check.loaded.locate(&at), "never reached")
                    .also(check.loaded.locate(&request), "everything ends here")
                    .help("make `per_try` so short that all `attempts` fit");
                check.push(diagnostic);
            }
        }
    }
    for (name, route) in &model.routes {
        if let Some(retry) = &route.retry {
            times(check, &["routes", name.as_str(), "retry"], retry);
        }
    }
}

fn times(check: &mut Check<'_>, path: &[&str], retry: &Retry) {
    let within = |keys: &[&'static str]| [path, keys].concat();
    if let Some(per_try) = retry.per_try {
        check.positive(&within(&["per_try"]), per_try);
    }
    let base = within(&["backoff", "base"]);
    let written = check.loaded.tree.find(&base).is_some();
    if written && retry.backoff.base > retry.backoff.max {
        let max = within(&["backoff", "max"]);
        let mut diagnostic = check
            .error(code::CONFLICT, &base, "`base` is longer than `max`")
            .at(check.loaded.locate(&base), "cut down to `max`");
        if check.loaded.tree.find(&max).is_some() {
            diagnostic = diagnostic.also(check.loaded.locate(&max), "the longest pause");
        }
        check.push(diagnostic.help("the pause begins with `base` and doubles up to `max`"));
    }
    hedge(check, path, retry);
}

fn hedge(check: &mut Check<'_>, path: &[&str], retry: &Retry) {
    let Some(HedgeAfter::Time(after)) = retry.hedge.as_ref().map(|hedge| hedge.after) else {
        return;
    };
    let at = [path, &["hedge", "after"]].concat();
    check.positive(&at, after);
    if let Some(per_try) = retry.per_try
        && after >= per_try
    {
        let diagnostic = check
            .error(
                code::CONFLICT,
                &at,
                "the first try is over before a second one would join it",
            )
            .at(check.loaded.locate(&at), "never reached")
            .also(
                check.loaded.locate(&[path, &["per_try"]].concat()),
                "no try takes longer",
            )
            .help("make `after` shorter than `per_try`");
        check.push(diagnostic);
    }
}

pub(super) fn warnings(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    for (name, service) in &model.services {
        if let Some(retry) = &service.retry {
            let path = ["services", name.as_str(), "retry"];
            risks(check, &path, retry);
            unrepeatable(check, &path, retry, service.protocol);
            alone(check, &path, service);
        }
    }
    for (name, route) in &model.routes {
        if let Some(retry) = &route.retry {
            risks(check, &["routes", name.as_str(), "retry"], retry);
        }
    }
}

fn risks(check: &mut Check<'_>, path: &[&str], retry: &Retry) {
    for (at, method) in retry.methods.iter().flatten().enumerate() {
        if method.0.is_idempotent() {
            continue;
        }
        let index = at.to_string();
        let place = [path, &["methods", &index]].concat();
        let diagnostic = check
            .warning(
                code::MAY_RUN_TWICE,
                &place,
                format!("`{}` requests may be carried out twice", method.0),
            )
            .at(
                check.loaded.locate(&place),
                "a try without an answer may have been carried out",
            )
            .help("leave it out unless the service recognises a repeated request; one with an `Idempotency-Key` is repeated anyway");
        check.push(diagnostic);
    }
    let budget = retry.budget.budget();
    if budget.share.fraction() >= GENEROUS {
        let place = [path, &["budget"]].concat();
        let diagnostic = check
            .warning(
                code::RETRY_STORM,
                &place,
                format!("a retry budget of {} is next to none", budget.share),
            )
            .at(
                check.loaded.locate(&place),
                "a service in trouble gets so much more to do",
            )
            .help("write `20%`");
        check.push(diagnostic);
    }
}

/// A second try needs an endpoint that it may go to.
fn alone(check: &mut Check<'_>, path: &[&str], service: &Service) {
    let Some(retry) = service.retry.as_ref().filter(|retry| retry.hedge.is_some()) else {
        return;
    };
    let sticky = matches!(service.balance, Balance::Keyed(KeyedBalance::Sticky(_)));
    let single = match service.endpoints.as_slice() {
        [only] => service.discover.is_none() && !only.endpoint().is_name(),
        _ => false,
    };
    let why = match (sticky, single) {
        (true, _) => "sessions stay where they are",
        (_, true) => "there is no other endpoint to go to",
        _ if retry.budget.budget().is_nothing() => "the budget leaves nothing for it",
        _ => return,
    };
    let place = [path, &["hedge"]].concat();
    let diagnostic = check
        .warning(code::NO_EFFECT, &place, "no second try will be made")
        .at(check.loaded.locate(&place), why)
        .help("leave `hedge` out");
    check.push(diagnostic);
}

/// gRPC calls are POST, which is not repeated unless somebody says that it may be.
fn unrepeatable(check: &mut Check<'_>, path: &[&str], retry: &Retry, protocol: ServiceProtocol) {
    let grpc = retry
        .on
        .iter()
        .position(|on| matches!(on, RetryOn::Grpc(_)));
    let Some(at) = grpc.filter(|_| retry.methods.is_none() && protocol == ServiceProtocol::Grpc)
    else {
        return;
    };
    let index = at.to_string();
    let place = [path, &["on", &index]].concat();
    let diagnostic = check
        .warning(
            code::NO_EFFECT,
            &place,
            "gRPC calls are `POST` requests, which are not repeated here",
        )
        .at(
            check.loaded.locate(&place),
            "only calls with an `Idempotency-Key` are tried again on it",
        )
        .help("write `methods: [POST]` if a call may be carried out twice");
    check.push(diagnostic);
}
