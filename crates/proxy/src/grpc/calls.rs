//! What a route knows of the methods that it calls: for good, or until the service says otherwise.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::Grpc;

/// The calls of a route. Requests under way keep what they began with.
pub struct Calls(ArcSwap<Grpc>);

impl Calls {
    /// As they are known now.
    pub fn new(grpc: Arc<Grpc>) -> Self {
        Self(ArcSwap::new(grpc))
    }

    /// What is known.
    pub fn current(&self) -> Guard<Arc<Grpc>> {
        self.0.load()
    }

    /// The service has said what its methods are.
    pub fn replace(&self, grpc: Grpc) {
        self.0.store(Arc::new(grpc));
    }
}
