//! Who keeps a service resolved, and for how long.

use std::{
    future::Future,
    sync::{Arc, PoisonError},
};

use lintel_telemetry::Catalogue;
use tokio::{runtime::Handle, task::AbortHandle};

use super::{
    Lookup,
    follow::Following,
    names::{Names, keep},
    system::SystemLookup,
};
use crate::{
    discovery::Readers,
    service::{Members, Service},
};

/// What the control side lends to those who work on it.
#[derive(Clone)]
pub struct Control {
    /// Where they run.
    pub runtime: Handle,
    /// Where they count.
    pub catalogue: Arc<Catalogue>,
    /// How they read files.
    pub readers: Readers,
}

/// Keeps the names of a service resolved and follows the source of its endpoints; stops on drop.
///
/// A service whose endpoints did not change in a reload shares its resolution with the one before:
/// start the new before dropping the old, and nothing is looked up twice.
pub struct Resolution {
    members: Arc<Members>,
    _task: Option<Arc<Task>>,
}

/// The running part, shared by all [`Resolution`]s of the same endpoints.
pub(crate) struct Task {
    members: Arc<Members>,
    running: AbortHandle,
}

impl Resolution {
    /// Looks the service's names up as its configuration says, again and again, and follows the
    /// source of its endpoints.
    pub fn start(service: &Arc<Service>, control: &Control) -> Self {
        let resolve = &service.spec().resolve;
        let lookup = SystemLookup::shared(&resolve.servers);
        Self::begin(service, &control.runtime, lookup, |members| {
            let discover = members.discover()?;
            Some(Following::start(discover, service.name(), members, control))
        })
    }

    /// Looks names up in another way; follows nothing.
    pub fn start_with(service: &Arc<Service>, runtime: &Handle, lookup: Arc<dyn Lookup>) -> Self {
        Self::begin(service, runtime, lookup, |_| None)
    }

    fn begin(
        service: &Arc<Service>,
        runtime: &Handle,
        lookup: Arc<dyn Lookup>,
        following: impl FnOnce(&Arc<Members>) -> Option<Following>,
    ) -> Self {
        let members = Arc::clone(&service.members);
        if !service.needs_resolution() {
            return Self {
                members,
                _task: None,
            };
        }
        let mut shared = service
            .members
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let task = shared.upgrade().unwrap_or_else(|| {
            members.resolver_started();
            let resolve = service.spec().resolve.clone();
            let names = Names::new(Arc::clone(&members), lookup, resolve);
            let running = runtime.spawn(keep(names, following(&members)));
            Arc::new(Task {
                members: Arc::clone(&members),
                running: running.abort_handle(),
            })
        });
        *shared = Arc::downgrade(&task);
        drop(shared);
        Self {
            members,
            _task: Some(task),
        }
    }

    /// Ready once every name and the source had their first answer, good or bad.
    pub async fn settled(&self) {
        self.members.settled().await;
    }

    /// Whether the service is of no use before its source has answered well, and that is to come.
    pub fn is_awaited(&self) -> bool {
        self.members
            .discover()
            .is_some_and(|discover| discover.required)
    }

    /// Ready once the source has answered well.
    pub fn arrived(&self) -> impl Future<Output = ()> + Send + 'static {
        let members = Arc::clone(&self.members);
        async move { members.arrived().await }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.running.abort();
        self.members.resolver_stopped();
    }
}
