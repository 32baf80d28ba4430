//! What is known of a service's endpoints, and which endpoints that makes.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
};

use super::{
    endpoint::{Endpoint, Placement, Target},
    spec::{EndpointHost, EndpointSpec},
};
use crate::{
    discovery::{Found, Watcher},
    health::Health,
};

/// What is known of names, and from the source.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub(super) names: HashMap<Arc<str>, Name>,
    /// The endpoints of the source that are in use.
    pub(super) found: Option<Arc<[Found]>>,
    /// Newer ones, whose names are still looked up: until then the old ones stay in use, so that
    /// no request falls into a gap.
    pub(super) coming: Option<Arc<[Found]>>,
    /// The source has answered, well or badly.
    pub(super) answered: bool,
    /// The source's last answer was empty and is not believed.
    pub(super) refused: bool,
    pub(super) watcher: Weak<Watcher>,
}

/// What is known of a name.
#[derive(Clone, Default)]
pub(super) struct Name {
    pub(super) addresses: Vec<IpAddr>,
    /// Addresses that it had before, which stay in use until one of those that it has now is known
    /// to be healthy.
    pub(super) leaving: Vec<IpAddr>,
    /// Why the last look-up gave no address.
    pub(super) error: Option<Arc<str>>,
    /// There was an answer, good or bad.
    pub(super) answered: bool,
}

impl Name {
    /// Takes what a look-up gave, sorted. Where endpoints are `checked`, the addresses before do not
    /// leave yet: whoever answers for the name may be wrong.
    pub(super) fn take(&mut self, addresses: Vec<IpAddr>, checked: bool) {
        if checked {
            let before = std::mem::take(&mut self.addresses);
            self.leaving.extend(before);
            self.leaving.sort_unstable();
            self.leaving.dedup();
            self.leaving.retain(|address| !addresses.contains(address));
        }
        self.addresses = addresses;
        self.error = None;
    }

    /// Lets those leave that were kept, if all that the name has now have been checked and one is
    /// healthy.
    fn part(&mut self, name: &str, endpoints: &[Arc<Endpoint>]) {
        if self.leaving.is_empty() {
            return;
        }
        let own = |endpoint: &&Arc<Endpoint>| {
            let address = endpoint.address().map(|address| address.ip());
            matches!(&endpoint.spec().host, EndpointHost::Name(host) if **host == *name)
                && address.is_some_and(|address| self.addresses.contains(&address))
        };
        let mut health = endpoints.iter().filter(own).map(|one| &one.health);
        let healthy = health.clone().any(Health::is_available);
        let unknown = |health: &Health| health.is_unchecked() && !health.is_failing();
        if healthy && !health.any(unknown) {
            self.leaving.clear();
        }
    }
}

impl Known {
    /// Lets addresses leave that names no longer have, as far as they can be done without.
    pub(super) fn part(&mut self, endpoints: &[Arc<Endpoint>]) {
        for (name, known) in &mut self.names {
            known.part(name, endpoints);
        }
    }

    /// Whether addresses are in use that names no longer have.
    pub(super) fn is_parting(&self) -> bool {
        self.names.values().any(|name| !name.leaving.is_empty())
    }

    /// The endpoints in use: those of the configuration, then those of the source.
    pub(super) fn specs<'a>(
        &'a self,
        fixed: &'a [EndpointSpec],
    ) -> impl Iterator<Item = &'a EndpointSpec> {
        let found = self.found.as_deref().unwrap_or_default();
        fixed.iter().chain(found.iter().map(|found| &found.spec))
    }

    /// Takes newer endpoints into use if all their names had an answer and one can be reached, or
    /// if there is nothing to lose.
    pub(super) fn switch(&mut self, fixed: &[EndpointSpec]) {
        self.keep_wanted_names(fixed);
        let Some(coming) = &self.coming else { return };
        let state = |found: &Found| match name_of(&found.spec) {
            None => (true, true),
            Some(name) => self.names.get(name).map_or((false, false), |name| {
                (name.answered, !name.addresses.is_empty())
            }),
        };
        let answered = coming.iter().all(|found| state(found).0);
        let reached = coming.is_empty() || coming.iter().any(|found| state(found).1);
        let in_use = self.found.as_deref().unwrap_or_default();
        let idle = !in_use.iter().any(|found| state(found).1);
        if answered && reached || idle {
            self.found = self.coming.take();
            self.keep_wanted_names(fixed);
        }
    }

    /// Forgets names that nobody asks for, and notes new ones.
    pub(super) fn keep_wanted_names(&mut self, fixed: &[EndpointSpec]) {
        let sources = [&self.found, &self.coming].into_iter().flatten();
        let found = sources.flat_map(|found| found.iter().map(|found| &found.spec));
        let wanted: HashSet<Arc<str>> = fixed
            .iter()
            .chain(found)
            .filter_map(name_of)
            .cloned()
            .collect();
        self.names.retain(|name, _| wanted.contains(name));
        for name in wanted {
            self.names.entry(name).or_default();
        }
    }
}

/// The name that has to be looked up.
fn name_of(spec: &EndpointSpec) -> Option<&Arc<str>> {
    match &spec.host {
        EndpointHost::Name(name) if Target::known(spec).is_none() => Some(name),
        _ => None,
    }
}

/// The endpoints of a configuration, each with its part. Endpoints of `old` that are still the
/// same are used again.
pub(super) fn assemble(
    fixed: &[EndpointSpec],
    known: &Known,
    old: &[Arc<Endpoint>],
    unchecked: bool,
) -> Vec<(Arc<Endpoint>, Placement)> {
    let targets: Vec<Vec<Target>> = known
        .specs(fixed)
        .map(|spec| targets(spec, &known.names))
        .collect();
    let unit = common_unit(targets.iter().map(Vec::len));
    let mut taken = HashSet::new();
    let mut members: Vec<(Arc<Endpoint>, Placement)> = Vec::new();
    for (spec, targets) in known.specs(fixed).zip(targets) {
        let parts = u64::try_from(targets.len()).unwrap_or(u64::MAX).max(1);
        let part = |weight: u32| {
            let part = (u64::from(weight) * unit).div_ceil(parts);
            u32::try_from(part).unwrap_or(u32::MAX)
        };
        for target in targets {
            let kept = old
                .iter()
                .find(|endpoint| endpoint.is(spec, &target) && taken.insert(endpoint.slot()))
                .cloned();
            let endpoint = kept.unwrap_or_else(|| Endpoint::new(spec, target, unchecked));
            let place = Placement {
                weight: part(endpoint.ordered(spec.weight).unwrap_or(spec.weight)),
                configured: spec.weight,
                priority: spec.priority,
                zone: spec.zone.clone(),
            };
            members.push((endpoint, place));
        }
    }
    members
}

fn targets(spec: &EndpointSpec, names: &HashMap<Arc<str>, Name>) -> Vec<Target> {
    match (Target::known(spec), &spec.host) {
        (Some(target), _) => vec![target],
        (None, EndpointHost::Name(name)) => {
            let known = names.get(name).into_iter();
            known
                .flat_map(|name| name.addresses.iter().chain(&name.leaving))
                .map(|ip| Target::tcp([SocketAddr::new(*ip, spec.port)]))
                .collect()
        }
        (None, _) => Vec::new(),
    }
}

/// The smallest factor by which weights can be multiplied so that every name's weight divides
/// evenly among its addresses; 5,040, which nearly does, where that would be larger.
fn common_unit(parts: impl Iterator<Item = usize>) -> u64 {
    const LARGEST: u64 = 5_040;
    let mut unit = 1;
    for part in parts
        .filter_map(|part| u64::try_from(part).ok())
        .filter(|part| *part > 1)
    {
        unit = unit / greatest_common_divisor(unit, part) * part;
        if unit > LARGEST {
            return LARGEST;
        }
    }
    unit
}

pub(crate) const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
