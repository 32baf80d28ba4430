//! The policies of a route or of the defaults: each is built once for its mistakes alone.

use std::sync::Arc;

use lintel_policies::{Chain, Context, RoutePolicies};
use lintel_state::store::Replicas;

use super::Check;

/// Checks the policies at `base`; `params` are those of the route's paths, and `None` for the defaults.
pub(super) fn check(
    check: &mut Check<'_>,
    base: &[&str],
    policies: &RoutePolicies,
    params: Option<Vec<String>>,
) {
    let context = Context {
        params,
        dry: true,
        consumers: Arc::clone(&check.consumers),
        stores: Arc::clone(&check.stores),
        replicas: Arc::new(Replicas::fixed(check.loaded.model.replicas.assumed())),
        ..Context::default()
    };
    let loaded = check.loaded;
    let defaults = &loaded.model.defaults.policies;
    let defaults = context.params.is_some().then_some(defaults);
    let faults = Chain::faults(policies, defaults, &context);
    check
        .out
        .extend(faults.iter().map(|fault| loaded.fault(base, fault)));
}
