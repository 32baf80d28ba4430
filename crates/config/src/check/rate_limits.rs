//! Limits of rates: those of consumers and plans, and what replicas make of them.

use std::{collections::HashSet, sync::Arc};

use lintel_kernel::Fault;
use lintel_policies::{
    Context, Setting,
    rate_limit::{Callers, LimitConfig},
};
use lintel_state::store::Replicas;

use super::Check;
use crate::{diagnostic::code, loaded::Loaded, model::Model};

/// Checks the limits of consumers and plans.
pub(super) fn check(check: &mut Check<'_>) {
    let context = Context {
        dry: true,
        stores: Arc::clone(&check.stores),
        replicas: Arc::new(Replicas::fixed(check.loaded.model.replicas.assumed())),
        ..Context::default()
    };
    if let Err(faults) = callers(check.loaded, &context) {
        let loaded = check.loaded;
        let faults = faults.iter().map(|fault| loaded.fault::<&str>(&[], fault));
        check.out.extend(faults);
    }
}

/// The limits of consumers and plans.
///
/// # Errors
/// Every mistake, each with its whole path.
pub(crate) fn callers(loaded: &Loaded, context: &Context) -> Result<Callers, Vec<Fault>> {
    let (mut callers, mut faults) = (Callers::default(), Vec::new());
    let mut under = |section: &str, name: &str, found: Vec<Fault>| {
        let found = found.into_iter();
        faults.extend(found.map(|fault| fault.under("rate_limit").under(name).under(section)));
    };
    for (name, consumer) in &loaded.model.consumers {
        if let Err(found) = callers.add_consumer(name.as_str(), &consumer.rate_limit, context) {
            under("consumers", name.as_str(), found);
        }
    }
    for (name, plan) in &loaded.model.plans {
        if let Err(found) = callers.add_plan(name.as_str(), &plan.rate_limit, context) {
            under("plans", name.as_str(), found);
        }
    }
    if faults.is_empty() {
        Ok(callers)
    } else {
        Err(faults)
    }
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
    let limits = limits.filter_map(|limit| limit.store);
    let replicas = model
        .replicas
        .counted()
        .map(|counted| counted.store.clone());
    limits.chain(replicas).collect()
}

/// All lists of limits, and where the item that each belongs to is written.
fn lists(model: &Model) -> Vec<(Vec<&str>, Vec<LimitConfig>)> {
    let on = |setting: &Option<Setting<Vec<LimitConfig>>>| {
        let on = setting.as_ref().and_then(Setting::on);
        on.cloned().unwrap_or_default()
    };
    let places = model.policy_places().into_iter();
    let places = places.map(|(place, policies)| (place, on(&policies.rate_limit)));
    let mut lists: Vec<(Vec<&str>, Vec<LimitConfig>)> = places.collect();
    for (name, consumer) in &model.consumers {
        let limits = consumer.rate_limit.clone();
        lists.push((vec!["consumers", name.as_str()], limits));
    }
    for (name, plan) in &model.plans {
        lists.push((vec!["plans", name.as_str()], plan.rate_limit.clone()));
    }
    lists
}
