//! A guard of something that is no service: of a route's part of the requests to services.

use std::{fmt, sync::Arc};

use super::{Entered, Guard, GuardSpec, GuardStatus};

/// What has limits and a breaker of its own, by its name.
pub struct Guarded {
    name: Arc<str>,
    pub(crate) spec: GuardSpec,
    pub(crate) guard: Guard,
}

impl Guarded {
    /// Takes over from its guard before what means the same still. An equal specification gives the
    /// same guard again.
    pub fn build(name: &Arc<str>, spec: GuardSpec, previous: Option<&Arc<Self>>) -> Arc<Self> {
        if let Some(previous) = previous.filter(|previous| previous.spec == spec) {
            return Arc::clone(previous);
        }
        let kept = previous.map(|previous| (&previous.spec, &previous.guard));
        Arc::new(Self {
            name: Arc::clone(name),
            spec,
            guard: Guard::build(&spec, kept),
        })
    }

    /// Its name.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it was built from.
    pub const fn spec(&self) -> &GuardSpec {
        &self.spec
    }

    /// A place for one more request; none is needed where there is no limit.
    ///
    /// # Errors
    ///
    /// The limit, where that many are under way.
    pub fn enter(&self) -> Result<Option<Entered>, u32> {
        self.guard.enter(&self.spec)
    }

    /// What is done and allowed now, for people.
    pub fn status(&self) -> GuardStatus {
        self.guard.status(&self.spec)
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("name", &self.name)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}
