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

use crate::{loaded::fnv, text::FilePath};

/// Descriptors by their files, and the ways to methods by the route that offers them.
#[derive(Default)]
pub(crate) struct Descriptors(Mutex<Known>);

#[derive(Default)]
struct Known {
    pools: HashMap<Vec<PathBuf>, Pool>,
    transcoders: HashMap<String, Arc<Transcoder>>,
    callable: HashMap<Vec<PathBuf>, Arc<Transcoder>>,
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

    /// The methods that files say, for calls of the gateway's own.
    ///
    /// # Errors
    /// The first file that can't be read.
    pub(crate) fn callable(&self, files: &[FilePath]) -> Result<Arc<Transcoder>, DescriptorFault> {
        let key: Vec<PathBuf> = files.iter().map(|file| file.as_path().into()).collect();
        if let Some(made) = self.known().callable.get(&key) {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(Transcoder::callable(&self.pool(files)?));
        self.known().callable.insert(key, Arc::clone(&made));
        Ok(made)
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

    /// A version that is another one when the files say something else.
    pub(crate) fn mark(&self, version: String) -> String {
        let known = self.known();
        if known.pools.is_empty() {
            return version;
        }
        let mut hashes: Vec<u64> = known
            .pools
            .values()
            .map(|pool| fnv(&pool.encode_to_vec()))
            .collect();
        hashes.sort_unstable();
        let bytes: Vec<u8> = hashes.into_iter().flat_map(u64::to_be_bytes).collect();
        format!("{:016x}", fnv(&[version.as_bytes(), &bytes].concat()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
