//! What is written in several places and means the same in each: in the defaults, in groups, in
//! routes, in consumers and in plans.

use lintel_kernel::Fault;
use lintel_policies::{ConsumerConfig, Context, RoutePolicies};

use super::Check;
use crate::{
    loaded::Loaded,
    model::{Model, Plan},
};

/// A consumer or a plan that something is written in.
#[derive(Clone, Copy)]
pub(super) enum Caller<'m> {
    Consumer(&'m ConsumerConfig),
    Plan(&'m Plan),
}

/// Builds what consumers and plans have under a key.
///
/// # Errors
/// Every mistake, each with its whole path.
pub(super) fn build<T: Default>(
    loaded: &Loaded,
    key: &str,
    add: impl Fn(&mut T, &str, Caller<'_>) -> Result<(), Vec<Fault>>,
) -> Result<T, Vec<Fault>> {
    let (mut built, mut faults) = (T::default(), Vec::new());
    for (section, name, caller) in all(&loaded.model) {
        if let Err(found) = add(&mut built, name, caller) {
            let found = found.into_iter();
            faults.extend(found.map(|fault| fault.under(key).under(name).under(section)));
        }
    }
    if faults.is_empty() {
        Ok(built)
    } else {
        Err(faults)
    }
}

/// Builds it for its mistakes alone.
pub(super) fn check<T>(
    check: &mut Check<'_>,
    context: &Context,
    build: impl Fn(&Loaded, &Context) -> Result<T, Vec<Fault>>,
) {
    if let Err(faults) = build(check.loaded, context) {
        let loaded = check.loaded;
        let faults = faults.iter().map(|fault| loaded.fault::<&str>(&[], fault));
        check.out.extend(faults);
    }
}

/// Where something is written, and what: `of_route` finds it among the policies of the defaults, of
/// groups and of routes, `of_caller` in consumers and plans.
pub(super) fn places<'m, T>(
    model: &'m Model,
    of_route: impl Fn(&'m RoutePolicies) -> Option<T>,
    of_caller: impl Fn(Caller<'m>) -> Option<T>,
) -> Vec<(Vec<&'m str>, T)> {
    let places = model.policy_places().into_iter();
    let places = places.filter_map(|(place, policies)| Some((place, of_route(policies)?)));
    let callers = all(model).filter_map(|(section, name, caller)| {
        let found = of_caller(caller)?;
        Some((vec![section, name], found))
    });
    places.chain(callers).collect()
}

fn all(model: &Model) -> impl Iterator<Item = (&str, &str, Caller<'_>)> {
    let consumers = model.consumers.iter();
    let consumers =
        consumers.map(|(name, one)| ("consumers", name.as_str(), Caller::Consumer(one)));
    let plans = model.plans.iter();
    consumers.chain(plans.map(|(name, one)| ("plans", name.as_str(), Caller::Plan(one))))
}
