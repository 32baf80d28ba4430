//! The consumers, the limits that follow them, and where those are counted.

use std::sync::Arc;

use lintel_policies::{Context, Directory, rate_limit::Callers};
use lintel_state::limit::Table;

use super::Built;
use crate::{diagnostic::Report, loaded::Loaded};

/// The table that counts serves on while its size stays.
pub(super) fn table(loaded: &Loaded, previous: Option<&Built>) -> (u32, Arc<Table>) {
    let keys = loaded.model.rate_limits.keys;
    let before = previous.filter(|previous| previous.table.0 == keys);
    let made = || Arc::new(Table::new(keys as usize));
    (
        keys,
        before.map_or_else(made, |before| Arc::clone(&before.table.1)),
    )
}

/// The limits of consumers and plans.
pub(super) fn callers(loaded: &Loaded, table: &Arc<Table>) -> Result<Callers, Report> {
    let context = Context {
        table: Some(Arc::clone(table)),
        dry: loaded.rehearsed,
        ..Context::default()
    };
    crate::check::callers(loaded, &context).map_err(|faults| {
        let faults = faults.iter().map(|fault| loaded.fault::<&str>(&[], fault));
        loaded.report(faults.collect())
    })
}

/// The declared consumers.
pub(super) fn consumers(loaded: &Loaded) -> Result<Directory, Report> {
    crate::check::directory(loaded).map_err(|faults| {
        let faults = faults
            .iter()
            .map(|fault| loaded.fault(&["consumers"], fault));
        loaded.report(faults.collect())
    })
}
