//! Limits of rates: those of consumers and plans, and what replicas make of them.

use std::{collections::HashSet, sync::Arc};

use lintel_kernel::Fault;
use lintel_policies::{
    Context, Setting,
    rate_limit::{Callers, LimitConfig},
};
use lintel_state::store::Replicas;

use super::{
    Check,
    callers::{self, Caller},
};
use crate::{diagnostic::code, loaded::Loaded, model::Model};

/// Checks the limits of consumers and plans.
pub(super) fn check(check: &mut Check<'_>) {
    let context = Context {
        dry: true,
        stores: Arc::clone(&check.stores),
        replicas: Arc::new(Replicas::fixed(check.loaded.model.replicas.assumed())),
        ..Context::default()
    };
    callers::check(check, &context, limits);
}

/// The limits of consumers and plans.
///
/// # Errors
/// Every mistake, each with its whole path.
pub(crate) fn limits(loaded: &Loaded, context: &Context) -> Result<Callers, Vec<Fault>> {
    let add = |built: &mut Callers, name: &str, caller: Caller<'_>| match caller {
        Caller::Consumer(consumer) => built.add_consumer(name, &consumer.rate_limit, context),
        Caller::Plan(plan) => built.add_plan(name, &plan.rate_limit, context),
    };
    callers::build(loaded, "rate_limit", add)
}

/// Limits that several replicas count each for itself.
pub(super) fn warnings(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    divided_by_nothing(check);
    if model.replicas.assumed() < 2 && model.replicas.counted().is_none() {
        return;
    }
    for (base, limits) in lists(model) {
        for (at, limit) in limits.iter().enumerate() {
            if limit.store.is_some() || limit.across_replicas {
                continue;
            }
            let at = at.to_string();
            let path = [&base[..], &["rate_limit", &at, "rate"]].concat();
            let rate = limit.rate;
            let (replicas, all) = match model.replicas.counted() {
                Some(_) => (
                    "the replicas".to_owned(),
                    "as many times as much".to_owned(),
                ),
                None => {
                    let number = model.replicas.assumed();
                    let all = rate.count.saturating_mul(u64::from(number));
                    (format!("{number} replicas"), format!("up to {all}"))
                }
            };
            let diagnostic = check
                .warning(
                    code::LIMIT_PER_REPLICA,
                    &path,
                    format!("each of {replicas} counts this limit for itself"),
                )
                .at(
                    check.loaded.locate(&path),
                    format!("together they admit {all} where {rate} is written"),
                )
                .help("write `across_replicas: true` to divide it among them, or name a `store` to count together");
            check.push(diagnostic);
        }
    }
}

/// Limits that are divided among replicas of which nothing is said.
fn divided_by_nothing(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    if check.loaded.tree.get("replicas").is_some() {
        return;
    }
    for (base, limits) in lists(model) {
        for (at, _) in limits
            .iter()
            .enumerate()
            .filter(|(_, limit)| limit.across_replicas)
        {
            let at = at.to_string();
            let path = [&base[..], &["rate_limit", &at, "across_replicas"]].concat();
            let message = "the limit is divided among replicas, and `replicas` is not written";
            let diagnostic = check
                .warning(code::LIMIT_PER_REPLICA, &path, message)
                .at(check.loaded.locate(&path), "divided by 1")
                .help("write `replicas: 3` at the top, or `replicas: { store: … }` to count them");
            check.push(diagnostic);
        }
    }
}

/// The stores that something is counted in.
pub(super) fn stores(model: &Model) -> HashSet<String> {
    let limits = lists(model).into_iter().flat_map(|(_, limits)| limits);
    let limits = limits.filter_map(|limit| limit.store.clone());
    let replicas = model
        .replicas
        .counted()
        .map(|counted| counted.store.clone());
    limits.chain(replicas).collect()
}

/// All lists of limits, and where the item that each belongs to is written.
fn lists(model: &Model) -> Vec<(Vec<&str>, &[LimitConfig])> {
    callers::places(
        model,
        |policies| {
            let on = policies.rate_limit.as_ref().and_then(Setting::on);
            on.map(Vec::as_slice)
        },
        |caller| {
            Some(match caller {
                Caller::Consumer(consumer) => consumer.rate_limit.as_slice(),
                Caller::Plan(plan) => plan.rate_limit.as_slice(),
            })
        },
    )
}
