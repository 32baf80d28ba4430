//! What lives on through reloads, because it is found again.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// All things of a kind that are in use: who builds an equal one gets the one that is there. So routes
/// with equal settings share what they know, and so does the configuration that comes after a reload.
pub(crate) struct Live<T>(Mutex<Vec<Weak<T>>>);

impl<T> Live<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The one with these settings, or else one that is made of them.
    pub(crate) fn shared<S: PartialEq>(
        &self,
        settings: S,
        of: impl Fn(&T) -> &S,
        make: impl FnOnce(S) -> T,
    ) -> Arc<T> {
        match self.try_shared(settings, of, |settings| Ok::<T, Infallible>(make(settings))) {
            Ok(shared) => shared,
        }
    }

    /// The same where making one may fail.
    ///
    /// # Errors
    /// There is none, and none can be made.
    pub(crate) fn try_shared<S: PartialEq, E>(
        &self,
        settings: S,
        of: impl Fn(&T) -> &S,
        make: impl FnOnce(S) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut live = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|one| one.strong_count() > 0);
        let mut known = live.iter().filter_map(Weak::upgrade);
        if let Some(known) = known.find(|one| *of(one) == settings) {
            return Ok(known);
        }
        let made = Arc::new(make(settings)?);
        live.push(Arc::downgrade(&made));
        Ok(made)
    }
}
