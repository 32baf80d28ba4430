//! A service that is ready for use.

use std::{fmt, sync::Arc};

use http::HeaderValue;
use lintel_http1::client;
use lintel_kernel::{Exchange, Fault};

use super::{
    balance::Balance,
    check,
    endpoint::EndpointSet,
    lookup::{LookupRule, SetRule},
    members::Members,
    slot::{Slot, Slots},
    spec::ServiceSpec,
    status::EndpointStatus,
    tls::Tls,
    usage::Usage,
};
use crate::{
    balance::{Plan, Standing, ramp},
    discovery::SourceStatus,
    guard::Guard,
    health::Moment,
};

static SLOTS: Slots = Slots::new();

/// A service that requests can be sent to. Shared by all threads; immutable but for its endpoints.
pub struct Service {
    slot: Slot,
    spec: ServiceSpec,
    pub(crate) members: Arc<Members>,
    pub(crate) tls: Option<Tls>,
    pub(crate) usage: Arc<Usage>,
    pub(crate) guard: Guard,
    pub(crate) http1: client::Options,
    /// What stands in `Host` where there is no client whose own could be kept.
    host: Option<HeaderValue>,
}

impl Service {
    /// Checks a specification and makes it ready for use. May read files (certificates); starts
    /// nothing.
    ///
    /// `previous` is the service of the same name in the configuration before. An equal
    /// specification gives the same service again. Otherwise everything that still holds is taken
    /// over: endpoints that are written and reached the same keep their connections and counts, and
    /// names keep their addresses.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the specification, each with the key at fault.
    pub fn build(spec: ServiceSpec, previous: Option<&Arc<Self>>) -> Result<Arc<Self>, Vec<Fault>> {
        if let Some(previous) = previous.filter(|previous| previous.spec == spec) {
            return Ok(Arc::clone(previous));
        }
        let mut faults = check::faults(&spec);
        let tls = check::needs_tls(&spec)
            .then(|| Tls::build(&spec.tls.clone().unwrap_or_default(), spec.protocol))
            .transpose()
            .unwrap_or_else(|errors| {
                faults.extend(errors.iter().map(check::tls_fault));
                None
            });
        if !faults.is_empty() {
            return Err(faults);
        }
        let previous = previous.filter(|previous| previous.spec.name == spec.name);
        let rule = SetRule {
            lookup: LookupRule::of(&spec.balance, &spec.name),
            unchecked: spec.check.as_ref().is_some_and(|check| check.before_use),
        };
        let members = Members::of(&spec, rule, previous);
        let usage = previous
            .map(|previous| Arc::clone(&previous.usage))
            .unwrap_or_default();
        let kept = previous.map(|previous| (&previous.spec.guard, &previous.guard));
        let guard = Guard::build(&spec.guard, kept);
        let http1 = client::Options {
            body_idle_timeout: spec.timeouts.idle,
            write_timeout: spec.timeouts.first_byte,
            ..client::Options::default()
        };
        Ok(Arc::new(Self {
            slot: SLOTS.take(),
            host: spec.own_host(),
            spec,
            members,
            tls,
            usage,
            guard,
            http1,
        }))
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.spec.name
    }

    /// What it was built from.
    pub const fn spec(&self) -> &ServiceSpec {
        &self.spec
    }

    /// A small index that no other living service has, for tables that workers keep.
    pub const fn slot(&self) -> usize {
        self.slot.index()
    }

    /// The `Host` of questions on the gateway's own account: the service's own rule, or else its first
    /// endpoint, or else its name. None where none of them is fit for a field.
    pub const fn host(&self) -> Option<&HeaderValue> {
        self.host.as_ref()
    }

    /// The endpoints in use now.
    pub fn endpoints(&self) -> Arc<EndpointSet> {
        self.members.set()
    }

    /// Every endpoint with its state, for people. Not for the request path.
    pub fn status(&self) -> Vec<EndpointStatus> {
        let set = self.members.set();
        self.members.status(&set, &self.plan(&set, Moment::now()))
    }

    /// What requests of this kind have in common with others that should meet the same endpoint.
    /// None where the service is balanced without, or the request has no such thing.
    pub fn key(&self, exchange: &Exchange) -> Option<u64> {
        self.spec.balance.key(exchange)
    }

    /// The `Set-Cookie` of an answer that begins a session. `secure` tells whether the client came
    /// over TLS. None where the service has no sessions.
    pub fn set_cookie(&self, session: u64, secure: bool) -> Option<HeaderValue> {
        let Balance::Sticky(sticky) = &self.spec.balance else {
            return None;
        };
        HeaderValue::from_str(&sticky.set_cookie(session, secure)).ok()
    }

    /// Who gets how much of the traffic as of now.
    pub(crate) fn plan(&self, set: &EndpointSet, now: Moment) -> Plan {
        let spec = &self.spec;
        let all = set.endpoints().iter().zip(set.placements());
        let standings: Vec<Standing> = all
            .map(|(endpoint, place)| Standing {
                weight: place.weight,
                priority: place.priority,
                local: place.zone.is_some() && place.zone == spec.zone,
                available: endpoint.health.is_available(),
                probing: endpoint.health.is_on_trial(),
                ramp: if spec.slow_start.is_zero() {
                    1.0
                } else {
                    ramp(endpoint.health.age(now), spec.slow_start)
                },
            })
            .collect();
        Plan::new(&standings, &spec.spread)
    }

    /// How the source of its endpoints does, for people. Nothing where there is none.
    pub fn source_status(&self) -> Option<SourceStatus> {
        self.members.source_status()
    }

    /// Whether its endpoints are discovered, or any is given by a name that has to be looked up.
    pub fn needs_resolution(&self) -> bool {
        self.spec.discover.is_some() || !self.members.to_resolve().is_empty()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.spec.name)
            .field("slot", &self.slot())
            .finish_non_exhaustive()
    }
}
