//! Quotas: those of consumers and plans, and where they are counted.

use std::{collections::HashSet, sync::Arc};

use lintel_kernel::Fault;
use lintel_policies::{
    Context, RoutePolicies, Setting,
    quota::{Callers, Config},
};

use super::{
    Check,
    callers::{self, Caller},
};
use crate::{diagnostic::code, loaded::Loaded, model::Model};

/// Checks the quotas of consumers and plans.
pub(super) fn check(check: &mut Check<'_>) {
    let context = Context {
        dry: true,
        stores: Arc::clone(&check.stores),
        ..Context::default()
    };
    callers::check(check, &context, quotas);
}

/// The quotas of consumers and plans.
///
/// # Errors
/// Every mistake, each with its whole path.
pub(crate) fn quotas(loaded: &Loaded, context: &Context) -> Result<Callers, Vec<Fault>> {
    let add = |built: &mut Callers, name: &str, caller: Caller<'_>| match caller {
        Caller::Consumer(consumer) => built.add_consumer(name, consumer.quota.as_ref(), context),
        Caller::Plan(plan) => built.add_plan(name, plan.quota.as_ref(), context),
    };
    callers::build(loaded, "quota", add)
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
    callers::places(
        model,
        |policies| policies.quota.as_ref().and_then(Setting::on),
        |caller| match caller {
            Caller::Consumer(consumer) => consumer.quota.as_ref(),
            Caller::Plan(plan) => plan.quota.as_ref(),
        },
    )
}
