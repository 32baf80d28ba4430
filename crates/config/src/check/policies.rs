//! The policies of a route or of the defaults: each is built once for its mistakes alone.

use std::sync::Arc;

use lintel_policies::{Chain, Context, RoutePolicies};
use lintel_state::store::Replicas;

use super::Check;
use crate::model::Route;

/// Checks the policies at `base`, those of a route together with what it inherits; `None` for what
/// routes inherit, which may read any parameter: whether a route has it shows on the route.
pub(super) fn check(
    check: &mut Check<'_>,
    base: &[&str],
    policies: &RoutePolicies,
    route: Option<&Route>,
) {
    let context = Context {
        params: route.map(Route::params),
        dry: true,
        consumers: Arc::clone(&check.consumers),
        stores: Arc::clone(&check.stores),
        replicas: Arc::new(Replicas::fixed(check.loaded.model.replicas.assumed())),
        ..Context::default()
    };
    let loaded = check.loaded;
    let inherited = route.map(|route| loaded.model.inherited(route));
    let faults = Chain::faults(policies, inherited.as_ref(), &context);
    check
        .out
        .extend(faults.iter().map(|fault| loaded.fault(base, fault)));
}
