//! Which endpoints a service has right now: those of its configuration, with names replaced by the
//! addresses that they resolve to.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, futures::Notified};

use super::{
    Service,
    endpoint::EndpointSet,
    known::{Known, assemble},
    lookup::SetRule,
    spec::{EndpointHost, EndpointSpec, ServiceSpec},
    status::{EndpointState, EndpointStatus},
};
use crate::{
    balance::Plan,
    discovery::{Discover, Found, SourceStatus, Watcher},
    health::News,
    resolver::Task,
};

/// Why a source's answer has no effect.
const NOT_BELIEVED: &str =
    "it lists no endpoint now; without `allow_empty` the last ones stay in use";

/// The changing part of a service. Shared by all versions of the service's configuration in which
/// the endpoints are written the same.
pub(crate) struct Members {
    fixed: Vec<EndpointSpec>,
    discover: Option<Discover>,
    rule: SetRule,
    set: ArcSwap<EndpointSet>,
    /// Counts changes of the sets and of the health of what is in them, so that workers see them
    /// without touching more. Shared by all generations of the service: an endpoint may be in the
    /// sets of several.
    version: Arc<AtomicU64>,
    /// Takes what workers have to tell of endpoints to whoever cares for them now. Shared likewise.
    pub(crate) news: Arc<News>,
    known: Mutex<Known>,
    changed: Notify,
    /// Tasks that look names up: one, or two for a moment while one takes over from another.
    resolvers: AtomicUsize,
    pub(crate) task: Mutex<Weak<Task>>,
}

/// What came of a source's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is in use, or will be when its names are looked up.
    Applied,
    /// It says the same as the one before.
    Unchanged,
    /// It is empty and not believed.
    Empty,
}

impl Members {
    /// Those of a specification. Where endpoints are written and reached as before, they are the
    /// same as those of the service before.
    pub(crate) fn of(
        spec: &ServiceSpec,
        rule: SetRule,
        previous: Option<&Arc<Service>>,
    ) -> Arc<Self> {
        let alike = previous.filter(|previous| {
            previous.spec().tls == spec.tls && previous.spec().protocol == spec.protocol
        });
        match alike {
            Some(alike)
                if alike.spec().endpoints == spec.endpoints
                    && alike.members.rule == rule
                    && alike.spec().discover == spec.discover
                    && alike.spec().resolve == spec.resolve =>
            {
                Arc::clone(&alike.members)
            }
            alike => Self::new(
                &spec.endpoints,
                spec.discover.as_ref(),
                rule,
                alike.map(|alike| &*alike.members),
            ),
        }
    }

    /// Takes over what is known of names and from the same source, and every endpoint that stays
    /// the same.
    fn new(
        specs: &[EndpointSpec],
        discover: Option<&Discover>,
        rule: SetRule,
        previous: Option<&Self>,
    ) -> Arc<Self> {
        let mut known = previous
            .map(|previous| previous.known().clone())
            .unwrap_or_default();
        let source = |discover: &Discover| discover.source.clone();
        let before = previous.and_then(|previous| previous.discover.as_ref());
        if before.map(source) != discover.map(source) {
            known = Known {
                names: known.names,
                ..Known::default()
            };
        }
        known.watcher = Weak::new();
        known.keep_wanted_names(specs);
        let old = previous.map(|previous| previous.set.load_full());
        let set = assemble(
            specs,
            &known,
            old.as_deref().map_or(&[], EndpointSet::endpoints),
            rule.unchecked,
        );
        Arc::new(Self {
            fixed: specs.to_vec(),
            discover: discover.cloned(),
            set: ArcSwap::from_pointee(EndpointSet::new(set, &rule.lookup)),
            rule,
            version: previous
                .map(|previous| Arc::clone(&previous.version))
                .unwrap_or_default(),
            news: previous
                .map(|previous| Arc::clone(&previous.news))
                .unwrap_or_default(),
            known: Mutex::new(known),
            changed: Notify::new(),
            resolvers: AtomicUsize::new(0),
            task: Mutex::new(Weak::new()),
        })
    }

    /// Where more endpoints come from.
    pub(crate) const fn discover(&self) -> Option<&Discover> {
        self.discover.as_ref()
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

    /// A check has found the health of an endpoint changed.
    pub(crate) fn checked(&self) {
        let mut known = self.known();
        if known.is_parting() {
            self.publish(&mut known);
        }
        drop(known);
        self.touch();
    }

    /// Makes the set anew, for something that it is made of has changed.
    pub(crate) fn renew(&self) {
        self.publish(&mut self.known());
    }

    /// Ready when the set may have changed.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Names that have to be looked up.
    pub(crate) fn to_resolve(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.known().names.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The result of a look-up. A failed or empty one leaves the last good addresses in use.
    pub(crate) fn resolved(&self, name: &str, result: Result<Vec<IpAddr>, Arc<str>>) {
        let mut known = self.known();
        let Some(name) = known.names.get_mut(name) else {
            return;
        };
        name.answered = true;
        match result {
            Ok(mut addresses) => {
                // Servers rotate their answers; an unchanged set must not look changed.
                addresses.sort_unstable();
                addresses.dedup();
                name.take(addresses, self.rule.unchecked);
            }
            Err(error) => name.error = Some(error),
        }
        self.publish(&mut known);
        drop(known);
        self.changed.notify_waiters();
    }

    /// What the source lists now.
    pub(crate) fn discovered(&self, found: &Arc<[Found]>) -> Taken {
        let believed = self
            .discover
            .as_ref()
            .is_some_and(|source| source.allow_empty);
        let mut known = self.known();
        known.answered = true;
        let refused = found.is_empty() && !believed;
        let before = std::mem::replace(&mut known.refused, refused);
        let taken = if refused && before {
            Taken::Unchanged
        } else if refused {
            Taken::Empty
        } else if known.coming.as_ref().or(known.found.as_ref()) == Some(found) {
            Taken::Unchanged
        } else {
            known.coming = Some(Arc::clone(found));
            self.publish(&mut known);
            Taken::Applied
        };
        drop(known);
        self.changed.notify_waiters();
        taken
    }

    /// The source does not answer.
    pub(crate) fn source_failed(&self) {
        self.known().answered = true;
        self.changed.notify_waiters();
    }

    /// Who follows the source.
    pub(crate) fn followed_by(&self, watcher: &Arc<Watcher>) {
        self.known().watcher = Arc::downgrade(watcher);
    }

    fn publish(&self, known: &mut Known) {
        let old = self.set.load_full();
        known.switch(&self.fixed);
        known.part(old.endpoints());
        let members = assemble(&self.fixed, known, old.endpoints(), self.rule.unchecked);
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

    /// Whether something is being asked, a source or about a name, that never had an answer.
    pub(crate) fn is_settling(&self) -> bool {
        if !self.is_resolving() {
            return false;
        }
        let known = self.known();
        self.discover.is_some() && !known.answered
            || known.names.values().any(|name| !name.answered)
    }

    /// Ready once every name had an answer, good or bad, or nobody looks them up any more.
    pub(crate) async fn settled(&self) {
        self.until(|| !self.is_settling()).await;
    }

    /// Ready once the source has listed endpoints that are in use, or nobody asks any more.
    pub(crate) async fn arrived(&self) {
        self.until(|| !self.is_resolving() || self.known().found.is_some())
            .await;
    }

    /// Ready once the names to look up are others than these.
    pub(crate) async fn renamed(&self, names: &[Arc<str>]) {
        self.until(|| self.to_resolve() != names).await;
    }

    async fn until(&self, condition: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if condition() {
                return;
            }
            changed.await;
        }
    }

    /// How the source does; nothing where there is none, or nobody follows it.
    pub(crate) fn source_status(&self) -> Option<SourceStatus> {
        let (watcher, refused) = {
            let known = self.known();
            (known.watcher.upgrade()?, known.refused)
        };
        let mut status = watcher.status();
        if refused {
            status.notes.insert(0, NOT_BELIEVED.to_owned());
        }
        Some(status)
    }

    pub(crate) fn status(&self, set: &EndpointSet, plan: &Plan) -> Vec<EndpointStatus> {
        let members = (0..).zip(set.endpoints()).zip(set.placements());
        let ready =
            members.map(|((index, endpoint), place)| endpoint.status(place, plan.share(index)));
        let resolving = self.is_resolving();
        let known = self.known();
        let unresolved = known.specs(&self.fixed).filter_map(|spec| {
            let EndpointHost::Name(name) = &spec.host else {
                return None;
            };
            let name = known
                .names
                .get(name)
                .filter(|name| name.addresses.is_empty())?;
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

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
