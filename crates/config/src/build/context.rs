//! What the policies of all routes share: consumers, the limits that follow them, stores, and where
//! limits are counted.

use std::{path::PathBuf, sync::Arc};

use lintel_kernel::Fault;
use lintel_policies::Context;
use lintel_state::limit::Table;

use crate::{
    check::{self, Stores},
    diagnostic::Report,
    loaded::Loaded,
};

/// What lives on through reloads.
#[derive(Clone)]
pub(super) struct Kept {
    /// Where limits are counted; anew where it is made for another number of keys.
    table: Arc<Table>,
    keys: u32,
    /// Those that did not change go on, and with them their connections.
    stores: Stores,
}

/// What policies are built with: paths start from the folder of the first file. A rehearsal opens
/// nothing.
pub(super) fn build(loaded: &Loaded, before: Option<&Kept>) -> Result<(Context, Kept), Report> {
    let failed = |base: &[&str], faults: Vec<Fault>| {
        let faults = faults.iter().map(|fault| loaded.fault(base, fault));
        loaded.report(faults.collect())
    };
    let stores = check::stores(loaded, before.map(|before| &before.stores));
    let stores = stores.map_err(|faults| failed(&["stores"], faults))?;
    let consumers = check::directory(loaded).map_err(|faults| failed(&["consumers"], faults))?;
    let keys = loaded.model.rate_limits.keys;
    let table = match before {
        Some(before) if before.keys == keys => Arc::clone(&before.table),
        _ => Arc::new(Table::new(keys as usize)),
    };
    let first = loaded.sources.iter().next();
    let folder = first
        .and_then(|source| source.path.parent())
        .map_or_else(PathBuf::new, PathBuf::from);
    let mut context = Context {
        folder,
        dry: loaded.rehearsed,
        consumers: Arc::new(consumers),
        table: Some(Arc::clone(&table)),
        stores: Arc::clone(&stores.by_name),
        replicas: loaded.model.replicas,
        ..Context::default()
    };
    let callers = check::callers(loaded, &context).map_err(|faults| failed(&[], faults))?;
    context.callers = Arc::new(callers);
    let kept = Kept {
        table,
        keys,
        stores,
    };
    Ok((context, kept))
}
