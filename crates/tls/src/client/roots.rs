use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;

use super::settings::Roots;
use crate::error::TlsError;
use crate::material::Loader;
use crate::server::root_store;

/// The trust anchors. What is wrong goes to the loader.
pub(crate) fn load(loader: &mut Loader<'_>, roots: &Roots) -> Option<Arc<RootCertStore>> {
    match roots {
        Roots::System => loader.keep(system()),
        Roots::File(path) => root_store(loader, path).map(Arc::new),
        Roots::SystemAndFile(path) => {
            let mut both = root_store(loader, path)?;
            let system = loader.keep(system())?;
            both.roots.extend(system.roots.iter().cloned());
            Some(Arc::new(both))
        }
    }
}

/// The machine's trust anchors, shared by all services: some 150 of them weigh more than 100 KiB.
fn system() -> Result<Arc<RootCertStore>, TlsError> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(store) = SYSTEM.get() {
        return Ok(Arc::clone(store));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut store = RootCertStore::empty();
    let (usable, _unusable) = store.add_parsable_certificates(found.certs);
    if usable == 0 {
        let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let reasons = match reasons.as_slice() {
            [] => String::new(),
            reasons => format!(": {}", reasons.join(", ")),
        };
        return Err(TlsError::of_settings(
            format!("this machine has no trusted CA certificates{reasons}"),
            "install them (the package is called ca-certificates), or name a file with `ca`",
        ));
    }
    Ok(Arc::clone(SYSTEM.get_or_init(|| Arc::new(store))))
}
