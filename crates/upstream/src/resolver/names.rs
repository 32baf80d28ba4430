//! The names of a service: each is looked up again and again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::AbortHandle, time};

use super::{
    Answer, Lookup,
    follow::{self, Following},
};
use crate::{
    discovery::usable,
    service::{Addresses, Members, Resolve},
};

/// Look-ups under way in the whole process: a configuration with thousands of names must not flood
/// the name server when it is loaded.
static LOOKUPS: Semaphore = Semaphore::const_new(64);
/// After this a look-up counts as failed.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause after failures.
const MAX_RETRY: Duration = Duration::from_secs(30);

/// The names of a service, each with a task that looks it up.
pub(super) struct Names {
    members: Arc<Members>,
    lookup: Arc<dyn Lookup>,
    resolve: Resolve,
    kept: HashMap<Arc<str>, Kept>,
}

/// A task; ends when dropped.
struct Kept(AbortHandle);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Names {
    pub(super) fn new(members: Arc<Members>, lookup: Arc<dyn Lookup>, resolve: Resolve) -> Self {
        Self {
            members,
            lookup,
            resolve,
            kept: HashMap::new(),
        }
    }

    /// Looks up what is to be looked up now, and nothing else.
    fn keep(&mut self, wanted: &[Arc<str>]) {
        self.kept.retain(|name, _| wanted.contains(name));
        for name in wanted {
            let spawn = || {
                let task = keep_resolved(
                    Arc::clone(&self.members),
                    Arc::clone(&self.lookup),
                    Arc::clone(name),
                    self.resolve.clone(),
                );
                Kept(tokio::spawn(task).abort_handle())
            };
            self.kept.entry(Arc::clone(name)).or_insert_with(spawn);
        }
    }
}

pub(super) async fn keep(mut names: Names, mut following: Option<Following>) {
    let members = Arc::clone(&names.members);
    loop {
        let wanted = members.to_resolve();
        names.keep(&wanted);
        tokio::select! {
            () = members.renamed(&wanted) => {}
            () = follow::next(&mut following) => {}
        }
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
    let mut failing = false;
    loop {
        let pause = match look_up(&*lookup, &name, resolve.addresses).await {
            Ok(answer) => {
                if std::mem::replace(&mut failing, false) {
                    tracing::info!(name = &*name, "name resolved again");
                }
                members.resolved(&name, Ok(answer.addresses));
                retry = resolve.retry.min(longest);
                answer.ttl.clamp(resolve.min_ttl, resolve.max_ttl)
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(
                        name = &*name,
                        error,
                        "name not resolved; its last addresses stay in use"
                    );
                }
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
    let mut answer = match time::timeout(LOOKUP_TIMEOUT, lookup.lookup(name, addresses)).await {
        Ok(result) => result?,
        Err(_) => return Err(format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs())),
    };
    let mut unusable = None;
    answer.addresses.retain(|ip| match usable(*ip) {
        Ok(()) => true,
        Err(why) => {
            unusable = Some(why);
            false
        }
    });
    if answer.addresses.is_empty() {
        return Err(unusable.unwrap_or_else(|| "the answer holds no address".to_owned()));
    }
    Ok(answer)
}
