//! From a checked model to what the gateway runs on.
//!
//! Building may read files; it does not listen, spawn or publish. What did not change since the
//! previous configuration is taken over: connections, endpoint health, TLS sessions live on.

mod context;
mod directory;
mod group;
mod listener;
mod logins;
mod page;
mod reflected;
mod revocations;
mod route;
mod router;
mod service;

pub use listener::settings as server_tls;
pub use reflected::Reflected;
pub use revocations::Revocations;
pub(crate) use route::{Wrong, circular, leg_names, misfits, transcoder, waits};
pub(crate) use service::upstream_tls;

use std::{collections::HashMap, sync::Arc};

use lintel_kernel::Fault;
use lintel_policies::Context;
use lintel_proxy::Snapshot;
use lintel_server::Generation;
use lintel_upstream::Service;

use crate::{
    diagnostic::{Diagnostic, Report},
    loaded::Loaded,
};

/// A configuration that is ready to serve.
#[derive(Clone)]
pub struct Built {
    /// What the server takes.
    pub generation: Generation,
    /// What the router found that is legal and probably not meant.
    pub warnings: Vec<Diagnostic>,
    kept: context::Kept,
    reflected: Vec<Arc<Reflected>>,
}

impl Built {
    /// Services that say themselves what their methods are.
    pub fn reflected(&self) -> &[Arc<Reflected>] {
        &self.reflected
    }
}

/// Compiles a checked configuration.
///
/// # Errors
/// What only shows when things are put together: routes that tie, certificates that don't fit
/// their keys, policies that can't be built.
pub fn build(loaded: &Loaded, generation: u64, previous: Option<&Built>) -> Result<Built, Report> {
    let (context, kept) = context::build(loaded, previous.map(|previous| &previous.kept))?;
    let names = loaded.model.services.keys().enumerate();
    let service_index = names.map(|(index, name)| (name.as_str(), index)).collect();
    let mut builder = Builder {
        loaded,
        previous,
        context,
        service_index,
        out: Vec::new(),
    };
    let services = service::build(&mut builder);
    builder.offer(&services);
    let listeners = listener::build(&mut builder);
    let groups = group::build(&mut builder);
    let routes = route::build(&mut builder, &groups);
    let router = router::build(&mut builder);
    let unmatched = route::unmatched(&mut builder);
    let errors = page::errors(&mut builder, &["errors"], &loaded.model.errors);
    match router {
        Some(router) if builder.out.is_empty() => {
            let mut warnings = router::warnings(loaded, &router);
            warnings.extend(logins::warnings(loaded, &router));
            let reflected = reflected::build(&builder, &services, &routes);
            let snapshot = Snapshot {
                generation,
                router,
                routes,
                services,
                listeners: listeners
                    .iter()
                    .map(|spec| (spec.id, Arc::clone(&spec.rules)))
                    .collect(),
                errors,
                groups: groups.into_values().collect(),
                overload: route::overload(&loaded.model.overload),
                unmatched,
            };
            let generation = Generation {
                snapshot: Arc::new(snapshot),
                listeners,
            };
            Ok(Built {
                generation,
                warnings: loaded.report(warnings).diagnostics().to_vec(),
                kept,
                reflected,
            })
        }
        _ => Err(loaded.report(builder.out)),
    }
}

struct Builder<'a> {
    loaded: &'a Loaded,
    previous: Option<&'a Built>,
    /// What policies are built with.
    context: Context,
    /// Services are kept in the order of their names.
    service_index: HashMap<&'a str, usize>,
    out: Vec<Diagnostic>,
}

impl Builder<'_> {
    fn faults(&mut self, base: &[&str], faults: Vec<Fault>) {
        let loaded = self.loaded;
        self.out
            .extend(faults.iter().map(|fault| loaded.fault(base, fault)));
    }

    /// Lets policies ask the services.
    fn offer(&mut self, services: &[Arc<Service>]) {
        let named = services.iter().map(|service| {
            let name = service.name().as_ref().to_owned();
            (name, Arc::clone(service))
        });
        self.context.services = Arc::new(named.collect());
        // Where one can't be built, nothing will come into use: what asks it is not at fault.
        self.context.dry |= services.len() < self.loaded.model.services.len();
    }
}
