//! What the files of gRPC services say, compiled once a load however many routes and steps ask.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lintel_grpc::{
    Transcoder,
    descriptors::{self, DescriptorFault, Pool},
};

use crate::text::FilePath;

/// Descriptors by their files, and the ways to methods by the route that offers them.
#[derive(Default)]
pub(crate) struct Descriptors(Mutex<Known>);

#[derive(Default)]
struct Known {
    pools: HashMap<Vec<PathBuf>, Pool>,
    transcoders: HashMap<String, Arc<Transcoder>>,
}

impl Descriptors {
    /// What files say.
    ///
    /// # Errors
    /// The first file that can't be read.
    pub(crate) fn pool(&self, files: &[FilePath]) -> Result<Pool, DescriptorFault> {
        let files: Vec<PathBuf> = files.iter().map(|file| file.as_path().into()).collect();
        if let Some(pool) = self.known().pools.get(&files) {
            return Ok(pool.clone());
        }
        let pool = descriptors::load(&files)?;
        self.known().pools.insert(files, pool.clone());
        Ok(pool)
    }

    /// The ways to methods that a route offers, made by `make` if they are not there yet.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn transcoder<E>(
        &self,
        route: &str,
        make: impl FnOnce(&Self) -> Result<Transcoder, E>,
    ) -> Result<Arc<Transcoder>, E> {
        if let Some(made) = self.known().transcoders.get(route) {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(make(self)?);
        let kept = Arc::clone(&made);
        self.known().transcoders.insert(route.to_owned(), kept);
        Ok(made)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
