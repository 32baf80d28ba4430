//! A listener as one worker sees it.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use lintel_telemetry::ListenerMetrics;

use super::{Core, Gate};
use crate::{drain::Closing, spec::ListenerSpec};

/// A listener on one worker. Lives on as long as one of its connections does.
pub(crate) struct Listener {
    pub(crate) core: Rc<Core>,
    spec: RefCell<Arc<ListenerSpec>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) closing: Closing,
    pub(crate) metrics: Rc<ListenerMetrics>,
}

impl Listener {
    pub(super) fn new(core: &Rc<Core>, spec: Arc<ListenerSpec>, gate: Arc<Gate>) -> Rc<Self> {
        Rc::new(Self {
            core: Rc::clone(core),
            metrics: core.proxy.metrics.listener(&spec.name),
            spec: RefCell::new(spec),
            gate,
            closing: Closing::new(),
        })
    }

    /// Takes other limits, TLS settings and so on, for connections yet to come.
    pub(super) fn configure(&self, spec: Arc<ListenerSpec>) {
        let _old = self.spec.replace(spec);
    }

    /// What connections that are accepted now are held to.
    pub(crate) fn spec(&self) -> Arc<ListenerSpec> {
        Arc::clone(&self.spec.borrow())
    }
}
