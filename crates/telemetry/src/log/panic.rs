//! Panics in the process log.

use std::{
    panic::{self, PanicHookInfo},
    sync::Arc,
};

use crate::metrics::Catalogue;

/// Logs and counts every panic, where the default hook would write to standard error.
pub fn install_panic_hook(catalogue: Arc<Catalogue>) {
    panic::set_hook(Box::new(move |info| {
        catalogue.process().panicked();
        report(info);
    }));
}

fn report(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let cause = info.payload_as_str().unwrap_or("no message");
    tracing::error!(thread, location, cause, "panic: a defect of the gateway");
}
