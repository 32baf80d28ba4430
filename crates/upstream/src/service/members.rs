//! Which endpoints a service has right now: those of its configuration, with names replaced by the
//! addresses that they resolve to.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, futures::Notified};

use super::{
    endpoint::{Endpoint, EndpointSet, Placement, Target},
    lookup::SetRule,
    spec::{EndpointHost, EndpointSpec},
    status::{EndpointState, EndpointStatus},
};
use crate::{balance::Plan, health::News, resolver::Task};

/// The changing part of a service. Shared by all versions of the service's configuration in which
/// the endpoints are written the same.
pub(crate) struct Members {
    specs: Vec<EndpointSpec>,
    rule: SetRule,
    set: ArcSwap<EndpointSet>,
    /// Counts changes of the sets and of the health of what is in them, so that workers see them
    /// without touching more. Shared by all generations of the service: an endpoint may be in the
    /// sets of several.
    version: Arc<AtomicU64>,
    /// Takes what workers have to tell of endpoints to whoever cares for them now. Shared likewise.
    pub(crate) news: Arc<News>,
    names: Mutex<HashMap<Arc<str>, Name>>,
    changed: Notify,
    /// Tasks that look names up: one, or two for a moment while one takes over from another.
    resolvers: AtomicUsize,
    pub(crate) task: Mutex<Weak<Task>>,
}

/// What is known of a name.
#[derive(Clone, Default)]
struct Name {
    addresses: Vec<IpAddr>,
    /// Why the last look-up gave no address.
    error: Option<Arc<str>>,
    /// There was an answer, good or bad.
    answered: bool,
}

impl Members {
    /// Takes over what is known of names, and every endpoint that stays the same.
    pub(crate) fn new(specs: &[EndpointSpec], rule: SetRule, previous: Option<&Self>) -> Arc<Self> {
        let known = previous
            .map(|previous| previous.names().clone())
            .unwrap_or_default();
        let names: HashMap<_, _> = specs
            .iter()
            .filter(|spec| Target::known(spec).is_none())
            .filter_map(|spec| match &spec.host {
                EndpointHost::Name(name) => Some(Arc::clone(name)),
                _ => None,
            })
            .map(|name| {
                (
                    Arc::clone(&name),
                    known.get(&name).cloned().unwrap_or_default(),
                )
            })
            .collect();
        let old = previous.map(|previous| previous.set.load_full());
        let set = assemble(
            specs,
            &names,
            old.as_deref().map_or(&[], EndpointSet::endpoints),
            rule.unchecked,
        );
        Arc::new(Self {
            specs: specs.to_vec(),
            set: ArcSwap::from_pointee(EndpointSet::new(set, &rule.lookup)),
            rule,
            version: previous
                .map(|previous| Arc::clone(&previous.version))
                .unwrap_or_default(),
            news: previous
                .map(|previous| Arc::clone(&previous.news))
                .unwrap_or_default(),
            names: Mutex::new(names),
            changed: Notify::new(),
            resolvers: AtomicUsize::new(0),
            task: Mutex::new(Weak::new()),
        })
    }

    pub(crate) fn specs(&self) -> &[EndpointSpec] {
        &self.specs
    }

    pub(crate) const fn rule(&self) -> &SetRule {
        &self.rule
    }

    /// Changes whenever [`set`](Self::set) does, or the health of something in it.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The health of an endpoint has changed: workers shall look again.
    pub(crate) fn touch(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn set(&self) -> Arc<EndpointSet> {
        self.set.load_full()
    }

    /// Makes the set anew, for something that it is made of has changed.
    pub(crate) fn renew(&self) {
        self.publish(&self.names());
    }

    /// Ready when the set may have changed.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Names that have to be looked up.
    pub(crate) fn to_resolve(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.names().keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The result of a look-up. A failed or empty one leaves the last good addresses in use.
    pub(crate) fn resolved(&self, name: &str, result: Result<Vec<IpAddr>, Arc<str>>) {
        let mut names = self.names();
        let Some(known) = names.get_mut(name) else {
            return;
        };
        known.answered = true;
        match result {
            Ok(mut addresses) => {
                // Servers rotate their answers; an unchanged set must not look changed.
                addresses.sort_unstable();
                addresses.dedup();
                known.addresses = addresses;
                known.error = None;
            }
            Err(error) => known.error = Some(error),
        }
        self.publish(&names);
        drop(names);
        self.changed.notify_waiters();
    }

    fn publish(&self, names: &HashMap<Arc<str>, Name>) {
        let old = self.set.load_full();
        let members = assemble(&self.specs, names, old.endpoints(), self.rule.unchecked);
        let new = EndpointSet::new(members, &self.rule.lookup);
        let same = old.placements() == new.placements()
            && old.endpoints().len() == new.endpoints().len()
            && old
                .endpoints()
                .iter()
                .zip(new.endpoints())
                .all(|(old, new)| Arc::ptr_eq(old, new));
        if !same {
            self.set.store(Arc::new(new));
            self.touch();
            self.changed.notify_waiters();
        }
    }

    /// Somebody looks names up from now on.
    pub(crate) fn resolver_started(&self) {
        self.resolvers.fetch_add(1, Ordering::AcqRel);
    }

    /// Whoever did so has stopped.
    pub(crate) fn resolver_stopped(&self) {
        self.resolvers.fetch_sub(1, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    fn is_resolving(&self) -> bool {
        self.resolvers.load(Ordering::Acquire) > 0
    }

    /// Whether a name is being looked up that never had an answer.
    pub(crate) fn is_settling(&self) -> bool {
        self.is_resolving() && self.names().values().any(|name| !name.answered)
    }

    /// Ready once every name had an answer, good or bad, or nobody looks them up any more.
    pub(crate) async fn settled(&self) {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if !self.is_settling() {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn status(&self, set: &EndpointSet, plan: &Plan) -> Vec<EndpointStatus> {
        let members = (0..).zip(set.endpoints()).zip(set.placements());
        let ready =
            members.map(|((index, endpoint), place)| endpoint.status(place, plan.share(index)));
        let resolving = self.is_resolving();
        let names = self.names();
        let unresolved = self.specs.iter().filter_map(|spec| {
            let EndpointHost::Name(name) = &spec.host else {
                return None;
            };
            let name = names.get(name).filter(|name| name.addresses.is_empty())?;
            let state = match &name.error {
                None if resolving => EndpointState::Resolving,
                None => EndpointState::Unresolved("nobody has looked it up".to_owned()),
                Some(error) => EndpointState::Unresolved(error.to_string()),
            };
            let endpoint = spec.to_string();
            Some(EndpointStatus {
                id: String::new(),
                endpoint,
                addresses: Vec::new(),
                weight: spec.weight,
                configured_weight: None,
                priority: spec.priority,
                zone: spec.zone.clone(),
                share: 0.0,
                state,
                since: None,
                latency: None,
                history: Vec::new(),
                in_flight: 0,
                idle: 0,
            })
        });
        ready.chain(unresolved).collect()
    }

    fn names(&self) -> MutexGuard<'_, HashMap<Arc<str>, Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The endpoints of a configuration, each with its part. Endpoints of `old` that are still the
/// same are used again.
fn assemble(
    specs: &[EndpointSpec],
    names: &HashMap<Arc<str>, Name>,
    old: &[Arc<Endpoint>],
    unchecked: bool,
) -> Vec<(Arc<Endpoint>, Placement)> {
    let targets: Vec<Vec<Target>> = specs.iter().map(|spec| targets(spec, names)).collect();
    let unit = common_unit(targets.iter().map(Vec::len));
    let mut members: Vec<(Arc<Endpoint>, Placement)> = Vec::new();
    for (spec, targets) in specs.iter().zip(targets) {
        let parts = u64::try_from(targets.len()).unwrap_or(u64::MAX).max(1);
        let part = |weight: u32| {
            let part = (u64::from(weight) * unit).div_ceil(parts);
            u32::try_from(part).unwrap_or(u32::MAX)
        };
        for target in targets {
            let taken = |endpoint: &Arc<Endpoint>| {
                members
                    .iter()
                    .any(|(known, _)| Arc::ptr_eq(known, endpoint))
            };
            let kept = old
                .iter()
                .find(|endpoint| endpoint.is(spec, &target) && !taken(endpoint))
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
            let addresses = names.get(name).map_or(&[][..], |name| &name.addresses);
            addresses
                .iter()
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
