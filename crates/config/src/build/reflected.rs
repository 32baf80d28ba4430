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
    grpc::Calls,
    snapshot::{Action, Route},
};
use lintel_upstream::Service;

use super::{
    Builder,
    route::{grpc_of, transcoder_of},
};
use crate::model::{self, Action as Declared, To, ToGrpc};

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

/// A route, and what its calls are made by.
pub(super) struct Waiting {
    pub(super) route: String,
    pub(super) index: usize,
    pub(super) to: ToGrpc,
    pub(super) calls: Arc<Calls>,
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
        let waiting = waiting.filter_map(|(declared, route)| match (&declared.to, &route.action) {
            (To::Action(Declared::Grpc(to)), Action::Grpc(calls)) if to.service == *name => {
                Some(Waiting {
                    route: route.name.to_string(),
                    index,
                    to: (**to).clone(),
                    calls: Arc::clone(calls),
                })
            }
            _ => None,
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

impl Reflected {
    pub(super) fn new(
        (service, settings): (&Arc<Service>, &model::Reflection),
        routes: Vec<Waiting>,
        before: Option<&Self>,
    ) -> Self {
        let all = routes.iter().any(|waiting| waiting.to.expose.is_empty());
        let exposed = routes.iter().flat_map(|waiting| &waiting.to.expose);
        let mut wanted: Vec<String> = exposed.map(|name| name.as_str().to_owned()).collect();
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
        for waiting in &self.routes {
            match transcoder_of(pool, &waiting.to) {
                Ok(transcoder) => waiting.tell(transcoder),
                Err(found) => {
                    let told = |fault: BindingFault| {
                        format!(
                            "route `{}`: {}: {}",
                            waiting.route, fault.method, fault.message
                        )
                    };
                    faults.extend(found.into_iter().map(told));
                }
            }
        }
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    fn known(&self) -> MutexGuard<'_, Option<Pool>> {
        self.known.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn tell(&self, transcoder: Transcoder) {
        let mut grpc = grpc_of(&self.to, self.index, Arc::new(transcoder));
        grpc.known = true;
        self.calls.replace(grpc);
    }
}
