//! Keeps the names of services resolved, on the control runtime.

mod lookup;
mod system;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, sync::Semaphore, task::AbortHandle, time};

pub use self::{
    lookup::{Answer, Looking, Lookup},
    system::SystemLookup,
};
use crate::service::{Addresses, Members, Resolve, Service};

/// Look-ups under way in the whole process: a configuration with thousands of names must not flood
/// the name server when it is loaded.
static LOOKUPS: Semaphore = Semaphore::const_new(64);
/// After this a look-up counts as failed.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause after failures.
const MAX_RETRY: Duration = Duration::from_secs(30);

/// Keeps the names of a service resolved; stops on drop.
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
    names: Vec<AbortHandle>,
}

impl Resolution {
    /// Looks the service's names up by the system's configuration, again and again.
    pub fn start(service: &Arc<Service>, runtime: &Handle) -> Self {
        static SYSTEM: OnceLock<Arc<SystemLookup>> = OnceLock::new();
        let system = SYSTEM.get_or_init(|| Arc::new(SystemLookup::new()));
        Self::start_with(service, runtime, Arc::<SystemLookup>::clone(system))
    }

    /// The same with another way of looking names up.
    pub fn start_with(service: &Arc<Service>, runtime: &Handle, lookup: Arc<dyn Lookup>) -> Self {
        let members = Arc::clone(&service.members);
        let names = members.to_resolve();
        if names.is_empty() {
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
            let resolve = service.spec().resolve;
            let spawn = |name| {
                let (members, lookup) = (Arc::clone(&members), Arc::clone(&lookup));
                runtime
                    .spawn(keep_resolved(members, lookup, name, resolve))
                    .abort_handle()
            };
            Arc::new(Task {
                members: Arc::clone(&members),
                names: names.into_iter().map(spawn).collect(),
            })
        });
        *shared = Arc::downgrade(&task);
        drop(shared);
        Self {
            members,
            _task: Some(task),
        }
    }

    /// Ready once every name had its first answer, good or bad.
    pub async fn settled(&self) {
        self.members.settled().await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        for name in &self.names {
            name.abort();
        }
        self.members.resolver_stopped();
    }
}

async fn keep_resolved(
    members: Arc<Members>,
    lookup: Arc<dyn Lookup>,
    name: Arc<str>,
    resolve: Resolve,
) {
    let longest = resolve.max_ttl.min(MAX_RETRY);
    let mut retry = resolve.retry.min(longest);
    loop {
        let pause = match look_up(&*lookup, &name, resolve.addresses).await {
            Ok(answer) => {
                members.resolved(&name, Ok(answer.addresses));
                retry = resolve.retry.min(longest);
                answer.ttl.clamp(resolve.min_ttl, resolve.max_ttl)
            }
            Err(error) => {
                tracing::warn!(
                    name = &*name,
                    error,
                    "name not resolved; its last addresses stay in use"
                );
                members.resolved(&name, Err(error.into()));
                let pause = retry;
                retry = (retry * 2).min(longest);
                pause
            }
        };
        // Names that were loaded together shall not be looked up together for ever.
        time::sleep(pause.mul_f64(fastrand::f64().mul_add(0.1, 1.0))).await;
    }
}

async fn look_up(lookup: &dyn Lookup, name: &str, addresses: Addresses) -> Result<Answer, String> {
    let Ok(_permit) = LOOKUPS.acquire().await else {
        return Err("look-ups are closed".to_owned());
    };
    match time::timeout(LOOKUP_TIMEOUT, lookup.lookup(name, addresses)).await {
        Ok(Ok(answer)) if answer.addresses.is_empty() => {
            Err("the answer holds no address".to_owned())
        }
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs())),
    }
}
