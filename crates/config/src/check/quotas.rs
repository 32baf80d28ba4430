//! Quotas: those of consumers and plans, and where they are counted.

use std::{collections::HashSet, sync::Arc};

use lintel_kernel::Fault;
use lintel_policies::{
    Context, RoutePolicies, Setting,
    quota::{Callers, Config},
};

use super::Check;
use crate::{diagnostic::code, loaded::Loaded, model::Model};

/// Checks the quotas of consumers and plans.
pub(super) fn check(check: &mut Check<'_>) {
    let context = Context {
        dry: true,
        stores: Arc::clone(&check.stores),
        ..Context::default()
    };
    if let Err(faults) = quotas(check.loaded, &context) {
        let loaded = check.loaded;
        let faults = faults.iter().map(|fault| loaded.fault::<&str>(&[], fault));
        check.out.extend(faults);
    }
}

/// The quotas of consumers and plans.
///
/// # Errors
/// Every mistake, each with its whole path.
pub(crate) fn quotas(loaded: &Loaded, context: &Context) -> Result<Callers, Vec<Fault>> {
    let (mut callers, mut faults) = (Callers::default(), Vec::new());
    let mut under = |section: &str, name: &str, found: Vec<Fault>| {
        let found = found.into_iter();
        faults.extend(found.map(|fault| fault.under("quota").under(name).under(section)));
    };
    for (name, consumer) in &loaded.model.consumers {
        let quota = consumer.quota.as_ref();
        if let Err(found) = callers.add_consumer(name.as_str(), quota, context) {
            under("consumers", name.as_str(), found);
        }
    }
    for (name, plan) in &loaded.model.plans {
        if let Err(found) = callers.add_plan(name.as_str(), plan.quota.as_ref(), context) {
            under("plans", name.as_str(), found);
        }
    }
    if faults.is_empty() {
        Ok(callers)
    } else {
        Err(faults)
    }
}

/// Quotas, and what is metered, that a restart forgets.
pub(super) fn warnings(check: &mut Check<'_>) {
    let model = &check.loaded.model;
    if model.state.folder.is_some() {
        return;
    }
    let metered = |policies: &RoutePolicies| {
        let metering = policies.metering.as_ref().and_then(Setting::on);
        metering.is_some()
    };
    let places = model.policy_places().into_iter();
    for (base, _) in places.filter(|(_, policies)| metered(policies)) {
        let path = [&base[..], &["metering"]].concat();
        let diagnostic = check
            .warning(
                code::FORGETS,
                &path,
                "a restart of the gateway forgets what was metered",
            )
            .help("add `state: { folder: /var/lib/lintel }`");
        check.push(diagnostic);
    }
    for (base, config) in lists(model) {
        if config.quotas().all(|quota| quota.store.is_some()) {
            continue;
        }
        let path = [&base[..], &["quota"]].concat();
        let diagnostic = check
            .warning(
                code::FORGETS,
                &path,
                "a restart of the gateway forgets how much of this quota is used",
            )
            .help("add `state: { folder: /var/lib/lintel }`, or name a `store`");
        check.push(diagnostic);
    }
}

/// The stores that some quota is counted in.
pub(super) fn stores(model: &Model) -> HashSet<String> {
    let lists = lists(model).into_iter();
    let quotas = lists.flat_map(|(_, config)| config.quotas().collect::<Vec<_>>());
    quotas.filter_map(|quota| quota.store).collect()
}

/// All lists of quotas, and where the item that each belongs to is written.
fn lists(model: &Model) -> Vec<(Vec<&str>, &Config)> {
    let places = model.policy_places().into_iter();
    let places = places.filter_map(|(place, policies)| {
        let quota = policies.quota.as_ref().and_then(Setting::on)?;
        Some((place, quota))
    });
    let mut lists: Vec<(Vec<&str>, &Config)> = places.collect();
    for (name, consumer) in &model.consumers {
        let quota = consumer.quota.as_ref();
        lists.extend(quota.map(|quota| (vec!["consumers", name.as_str()], quota)));
    }
    for (name, plan) in &model.plans {
        let quota = plan.quota.as_ref();
        lists.extend(quota.map(|quota| (vec!["plans", name.as_str()], quota)));
    }
    lists
}
