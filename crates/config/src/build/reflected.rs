//! Services that say themselves what their methods are: what is known of them, and the routes that
//! wait to be told.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lintel_grpc::{
    BindingFault, Transcoder,
    descriptors::{self, Pool},
};
use lintel_proxy::{
    compose::{Compose, Methods},
    grpc::Calls,
    snapshot::{Action, Route},
};
use lintel_upstream::Service;

use super::{
    Builder,
    route::{grpc_of, misfits, transcoder_of},
};
use crate::{
    model::{self, Action as Declared, Leg, To, ToGrpc},
    text::{LegName, Name},
};

/// A service whose descriptors come by reflection.
pub struct Reflected {
    /// The service.
    pub service: Arc<Service>,
    /// The services of it that routes expose; none for all that it lists.
    pub wanted: Vec<String>,
    /// How often it is asked.
    pub refresh: Duration,
    cache: Option<PathBuf>,
    known: Arc<Known>,
    routes: Vec<Waiting>,
    faults: Mutex<Vec<String>>,
}

/// What was learned last; it outlives reloads.
#[derive(Default)]
pub(super) struct Known(Mutex<Option<Pool>>);

/// A route, and what it wants to know.
struct Waiting {
    route: String,
    wants: Wants,
}

/// What is told of the methods.
enum Wants {
    /// The ways to them.
    Ways {
        index: usize,
        to: Box<ToGrpc>,
        calls: Arc<Calls>,
    },
    /// Those that legs call.
    Legs {
        methods: Arc<Methods>,
        legs: Vec<(LegName, Box<Leg>)>,
    },
}

/// Those of a configuration, with what was known of them before.
pub(super) fn build(
    builder: &Builder<'_>,
    services: &[Arc<Service>],
    routes: &[Route],
) -> Vec<Arc<Reflected>> {
    let model = &builder.loaded.model;
    let mut all = Vec::new();
    for (index, (service, (name, declared))) in services.iter().zip(&model.services).enumerate() {
        let Some(settings) = &declared.reflection else {
            continue;
        };
        let waiting = model.routes.values().zip(routes);
        let waiting = waiting.filter_map(|(declared, route)| {
            let wants = match (&declared.to, &route.action) {
                (To::Action(Declared::Grpc(to)), Action::Grpc(calls)) if to.service == *name => {
                    Wants::Ways {
                        index,
                        to: to.clone(),
                        calls: Arc::clone(calls),
                    }
                }
                (To::Action(Declared::Compose(to)), Action::Compose(compose)) => {
                    of_legs(name, to, compose)?
                }
                _ => return None,
            };
            Some(Waiting {
                route: route.name.to_string(),
                wants,
            })
        });
        let waiting: Vec<Waiting> = waiting.collect();
        if waiting.is_empty() {
            continue;
        }
        let before = builder.previous.and_then(|previous| {
            let mut known = previous.reflected.iter();
            known.find(|one| *one.service.name() == *service.name())
        });
        let before = before.map(|before| &**before);
        all.push(Arc::new(Reflected::new(
            (service, settings),
            waiting,
            before,
        )));
    }
    all
}

/// What the legs of a composition want to know of a service, if any calls a method of it.
fn of_legs(service: &Name, to: &model::Compose, compose: &Compose) -> Option<Wants> {
    let legs = to.legs.iter().zip(&compose.calls);
    let mut methods = None;
    let legs = legs.filter_map(|((name, leg), terms)| {
        let rpc = terms.as_ref()?.rpc.as_ref()?;
        let same = leg.service.as_ref() == Some(service);
        same.then(|| {
            methods.get_or_insert_with(|| Arc::clone(&rpc.methods));
            (name.clone(), Box::new(leg.clone()))
        })
    });
    let legs = legs.collect();
    Some(Wants::Legs {
        methods: methods?,
        legs,
    })
}

impl Wants {
    /// The services whose methods are wanted; none for all.
    fn services(&self) -> Vec<&str> {
        match self {
            Self::Ways { to, .. } => to.expose.iter().map(|name| name.as_str()).collect(),
            Self::Legs { legs, .. } => {
                let called = legs.iter().filter_map(|(_, leg)| leg.grpc.as_ref());
                called.map(|method| method.service()).collect()
            }
        }
    }
}

impl Reflected {
    fn new(
        (service, settings): (&Arc<Service>, &model::Reflection),
        routes: Vec<Waiting>,
        before: Option<&Self>,
    ) -> Self {
        let wanted = |waiting: &Waiting| {
            let services = waiting.wants.services();
            services.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let all = routes.iter().any(|waiting| wanted(waiting).is_empty());
        let mut wanted: Vec<String> = routes.iter().flat_map(wanted).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let made = Self {
            service: Arc::clone(service),
            wanted: if all { Vec::new() } else { wanted },
            refresh: settings.refresh.to_std(),
            cache: settings
                .cache
                .as_ref()
                .map(|file| file.as_path().to_owned()),
            known: before.map_or_else(Arc::default, |before| Arc::clone(&before.known)),
            routes,
            faults: Mutex::default(),
        };
        made.restore();
        made
    }

    /// Tells the routes what was known before this configuration: by the one before it, or by the
    /// process before this one.
    fn restore(&self) {
        let known = self.known().clone();
        let kept = || {
            let bytes = fs::read(self.cache.as_ref()?).ok()?;
            descriptors::completed(&bytes, &[]).ok()
        };
        if let Some(pool) = known.or_else(kept) {
            self.tell(&pool);
            *self.known() = Some(pool);
        }
    }

    /// Takes what the service says, and keeps it in the cache. Whether it is news.
    ///
    /// # Errors
    /// The cache can't be written; the routes know it all the same.
    pub fn learn(&self, pool: Pool) -> io::Result<bool> {
        let bytes = pool.encode_to_vec();
        let before = self.known().as_ref().map(Pool::encode_to_vec);
        if before.as_ref() == Some(&bytes) {
            return Ok(false);
        }
        self.tell(&pool);
        *self.known() = Some(pool);
        if let Some(cache) = &self.cache {
            // Written beside it and renamed, so that no half of it is ever read.
            let beside = cache.with_extension("new");
            fs::write(&beside, bytes)?;
            fs::rename(&beside, cache)?;
        }
        Ok(true)
    }

    /// Whether anything is known of the methods.
    pub fn is_known(&self) -> bool {
        self.known().is_some()
    }

    /// Why routes can't be bound to the methods that the service has, a sentence each. They stay as
    /// they were.
    pub fn faults(&self) -> Vec<String> {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn tell(&self, pool: &Pool) {
        let mut faults = Vec::new();
        let mut callable = None;
        for waiting in &self.routes {
            let found = match &waiting.wants {
                Wants::Ways { index, to, calls } => tell_ways(pool, *index, to, calls),
                Wants::Legs { methods, legs } => {
                    let known =
                        callable.get_or_insert_with(|| Arc::new(Transcoder::callable(pool)));
                    methods.replace(Arc::clone(known));
                    leg_faults(known, legs)
                }
            };
            let route = &waiting.route;
            faults.extend(
                found
                    .into_iter()
                    .map(|fault| format!("route `{route}`: {fault}")),
            );
        }
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    fn known(&self) -> MutexGuard<'_, Option<Pool>> {
        self.known.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells a route the ways to methods, unless they do not fit.
fn tell_ways(pool: &Pool, index: usize, to: &ToGrpc, calls: &Calls) -> Vec<String> {
    match transcoder_of(pool, to) {
        Ok(transcoder) => {
            let mut grpc = grpc_of(to, index, Arc::new(transcoder));
            grpc.known = true;
            calls.replace(grpc);
            Vec::new()
        }
        Err(found) => {
            let told = |fault: BindingFault| format!("{}: {}", fault.method, fault.message);
            found.into_iter().map(told).collect()
        }
    }
}

/// What legs get wrong about the methods; their calls fail, and those of others do not.
fn leg_faults(known: &Transcoder, legs: &[(LegName, Box<Leg>)]) -> Vec<String> {
    let found = legs.iter().flat_map(|(name, leg)| {
        let found = misfits(known, leg).into_iter();
        found.map(move |misfit| match misfit.path.is_empty() {
            true => format!("leg `{name}`: {}", misfit.message),
            false => format!(
                "leg `{name}`: `{}`: {}",
                misfit.path.join("."),
                misfit.message
            ),
        })
    });
    found.collect()
}
