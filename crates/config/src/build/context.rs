//! What the policies of all routes share: consumers, the limits that follow them, stores, and where
//! limits are counted.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use lintel_kernel::Fault;
use lintel_policies::Context;
use lintel_state::{
    in_flight::InFlight,
    ledger::{Book, Keep},
    limit::Table,
    store::Replicas,
};

use super::Revocations;
use crate::{
    check::{self, Stores},
    diagnostic::Report,
    directory::Directory,
    loaded::Loaded,
    model::State,
};

/// What lives on through reloads.
#[derive(Clone)]
pub(super) struct Kept {
    /// Where limits are counted; anew where it is made for another number of keys.
    table: Arc<Table>,
    keys: u32,
    /// What is under way.
    in_flight: Arc<InFlight>,
    /// What quotas have counted, and what it was made by.
    book: Arc<Book<1>>,
    /// Who has used what.
    usage: Arc<Book<3>>,
    state: State,
    /// Those that did not change go on, and with them their connections.
    stores: Stores,
    pub(super) replicas: Arc<Replicas>,
    pub(super) revocations: Revocations,
    pub(super) directory: Option<super::directory::Kept>,
}

/// For about how many callers that have something under way at once there is room.
const AT_ONCE: usize = 32_768;

/// What policies are built with: paths start from the folder of the first file. A rehearsal opens
/// nothing.
pub(super) fn build(loaded: &Loaded, before: Option<&Kept>) -> Result<(Context, Kept), Report> {
    let failed = |base: &[&str], faults: Vec<Fault>| {
        let faults = faults.iter().map(|fault| loaded.fault(base, fault));
        loaded.report(faults.collect())
    };
    let stores = check::stores(
        loaded,
        before.map(|before| &before.stores),
        !loaded.rehearsed,
    );
    let stores = stores.map_err(|faults| failed(&["stores"], faults))?;
    let replicas = check::replicas(loaded, &stores, before.map(|before| &before.replicas));
    let revocations = Revocations::build(loaded, &stores, before.map(|one| &one.revocations));
    let consumers = check::directory(loaded).map_err(|faults| failed(&["consumers"], faults))?;
    let keys = loaded.model.rate_limits.keys;
    let table = match before {
        Some(before) if before.keys == keys => Arc::clone(&before.table),
        _ => Arc::new(Table::new(keys as usize)),
    };
    let in_flight = before.map(|before| Arc::clone(&before.in_flight));
    let in_flight = in_flight.unwrap_or_else(|| Arc::new(InFlight::new(AT_ONCE)));
    let folder = folder(loaded);
    let state = loaded.model.state.clone();
    let same = before.filter(|before| before.state == state);
    let (book, usage) = same.map_or_else(
        || books(&state, &folder, loaded.rehearsed),
        |before| (Arc::clone(&before.book), Arc::clone(&before.usage)),
    );
    let mut context = Context {
        folder,
        dry: loaded.rehearsed,
        consumers: Arc::new(consumers),
        table: Some(Arc::clone(&table)),
        in_flight: Some(Arc::clone(&in_flight)),
        book: Some(Arc::clone(&book)),
        usage: Some(Arc::clone(&usage)),
        stores: Arc::clone(&stores.by_name),
        replicas: Arc::clone(&replicas),
        revoked: Arc::clone(revocations.revoked()),
        ..Context::default()
    };
    follow_callers(loaded, &mut context).map_err(|faults| failed(&[], faults))?;
    let known = before.and_then(|before| before.directory.as_ref());
    let directory = super::directory::build(loaded, &context, known)?;
    let outside = directory.as_ref().map(|kept| kept.directory.outside());
    context.outside = outside.map(Arc::clone);
    let kept = Kept {
        table,
        keys,
        in_flight,
        book,
        usage,
        state,
        stores,
        replicas,
        revocations,
        directory,
    };
    Ok((context, kept))
}

/// Adds what follows consumers and plans wherever they call.
fn follow_callers(loaded: &Loaded, context: &mut Context) -> Result<(), Vec<Fault>> {
    context.callers = Arc::new(check::limits(loaded, context)?);
    context.quotas = Arc::new(check::quotas(loaded, context)?);
    Ok(())
}

/// Where relative paths start.
fn folder(loaded: &Loaded) -> PathBuf {
    let first = loaded.sources.iter().next();
    let folder = first.and_then(|source| source.path.parent());
    folder.map_or_else(PathBuf::new, PathBuf::from)
}

/// Where quotas are counted, and who has used what. A rehearsal keeps nothing.
fn books(state: &State, folder: &Path, rehearsed: bool) -> (Arc<Book<1>>, Arc<Book<3>>) {
    let kept = state.folder.as_ref().filter(|_| !rehearsed);
    let file = |name: &str| kept.map(|kept| folder.join(kept).join(name));
    let (room, seconds) = (state.keys as usize, state.keep_usage.to_std().as_secs());
    let history = Keep::History {
        seconds,
        period: 3_600,
    };
    (
        Arc::new(Book::new(room, file("quota.state"), Keep::Accounts)),
        Arc::new(Book::new(room, file("usage.state"), history)),
    )
}

impl super::Built {
    /// How many replicas of the gateway there are.
    pub const fn replicas(&self) -> &Arc<Replicas> {
        &self.kept.replicas
    }

    /// Consumers and plans from outside.
    pub fn directory(&self) -> Option<&Directory> {
        self.kept.directory.as_ref().map(|kept| &kept.directory)
    }

    /// What is revoked.
    pub const fn revocations(&self) -> &Revocations {
        &self.kept.revocations
    }

    /// Who has used what, where that is metered.
    pub fn usage(&self) -> &Book<3> {
        &self.kept.usage
    }

    /// Writes down what is kept over a restart. Blocks.
    pub fn write_down(&self) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| since.as_secs());
        self.kept.book.flush(now);
        self.kept.usage.flush(now);
    }
}
