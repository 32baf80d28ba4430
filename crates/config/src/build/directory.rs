//! Consumers and plans from outside, as they come into use.

use std::sync::Arc;

use lintel_kernel::Fault;
use lintel_policies::Context;
use lintel_state::store::RecordTerms;

use crate::{
    check,
    diagnostic::{Diagnostic, Report, code},
    directory::{Directory, Kind, Register, Source},
    loaded::{Loaded, Loader, Told, fnv},
    model,
    shape::Ordered,
};

/// What the records of a store are called there.
const NAME: &str = "directory";

/// The directory, and what it was built with.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) directory: Directory,
    mark: Mark,
}

/// The same as long as entries mean the same.
#[derive(Clone, PartialEq)]
struct Mark {
    model: model::Directory,
    /// Consumers and plans of the configuration.
    declared: u64,
    /// What limits and quotas are counted in.
    places: Vec<usize>,
}

/// What is known goes on, whatever changes.
///
/// # Errors
/// Entries that are in use could be no longer.
pub(super) fn build(
    loaded: &Loaded,
    context: &Context,
    before: Option<&Kept>,
) -> Result<Option<Kept>, Report> {
    let model = &loaded.model.directory;
    if (&model.file, &model.store) == (&None, &None) {
        return Ok(None);
    }
    let mark = mark(loaded, context);
    if let Some(before) = before.filter(|before| before.mark == mark) {
        return Ok(Some(before.clone()));
    }
    let terms = check::terms(loaded, context);
    let register = Arc::new(Register::new(terms.clone()));
    let before = before.map(|before| &before.directory);
    let source = match &loaded.told {
        Some(told) => {
            take(loaded, told, &register, before)?;
            let file = model
                .file
                .as_ref()
                .map_or_else(Default::default, |file| file.as_path().to_owned());
            let (poll, most) = (model.poll.to_std(), model.max_entries as usize);
            let seen = (told.seen.clone(), told.mark);
            Arc::new(Source::file(file, poll, most, terms, seen))
        }
        None => {
            let Some(source) = store(model, context, before) else {
                return Ok(None);
            };
            if let Some(before) = before {
                let lost = register.follow(before.register());
                refuse(loaded, &lost)?;
            }
            source
        }
    };
    let directory = Directory::new(register, source);
    Ok(Some(Kept { directory, mark }))
}

/// Takes what a file tells. Where it was not read again, that is what is known, if it can stay so;
/// else it is read again after all, to see what is wrong and where.
fn take(
    loaded: &Loaded,
    told: &Told,
    register: &Register,
    before: Option<&Directory>,
) -> Result<(), Report> {
    let same = before.filter(|before| {
        let known = before.source().known();
        known.is_some_and(|known| Some(known.mark) == told.mark)
    });
    let again;
    let records = match (&told.records, same) {
        (Some(records), _) => records,
        (None, Some(before)) if register.follow(before.register()).is_empty() => return Ok(()),
        (None, _) => {
            again = check::told(loaded, &Loader::new().environment_used(), None)?;
            let records = again.as_ref().and_then(|told| told.records.as_ref());
            records.map_or(&[][..], Vec::as_slice)
        }
    };
    refuse(loaded, &register.try_out(records.to_vec()))
}

/// The store that entries are in; asked on where it was before. A rehearsal asks none.
fn store(
    model: &model::Directory,
    context: &Context,
    before: Option<&Directory>,
) -> Option<Arc<Source>> {
    let store = context.stores.get(model.store.as_ref()?)?;
    if context.dry {
        return None;
    }
    let terms = RecordTerms {
        store: Arc::clone(store),
        name: NAME,
        poll: model.poll.to_std(),
        room: model.max_entries as usize,
    };
    let known = before.map(Directory::source);
    let known = known.filter(|source| source.is_store(&terms));
    Some(known.map_or_else(|| Arc::new(Source::store(terms)), Arc::clone))
}

/// All or nothing: nobody who is known may be forgotten for a change of the configuration.
fn refuse(loaded: &Loaded, faults: &[(Kind, Arc<str>, Fault)]) -> Result<(), Report> {
    let Some((kind, name, fault)) = faults.first() else {
        return Ok(());
    };
    let message = format!(
        "{} `{name}` of the directory can't be used with this configuration: {}",
        kind.noun(),
        fault.message
    );
    let more = match faults.len() - 1 {
        0 => String::new(),
        more => format!("; {more} more can't be used either"),
    };
    let hint = fault.hint.as_deref().unwrap_or("change it first");
    let diagnostic = Diagnostic::error(code::CONFLICT, message)
        .at(loaded.locate_key(&["directory"]), "")
        .help(format!("{hint}{more}"));
    Err(loaded.report(vec![diagnostic]))
}

fn mark(loaded: &Loaded, context: &Context) -> Mark {
    let sections = ["consumers", "plans"].map(|section| {
        let node = loaded.tree.get(section);
        let text = node.map(|node| serde_json::to_string(&Ordered(node)).unwrap_or_default());
        fnv(text.unwrap_or_default().as_bytes())
    });
    let stores = context.stores.values();
    let stores = stores.map(|store| Arc::as_ptr(store) as usize);
    // Replicas whose number is written are the same as long as the number is.
    let replicas = match context.replicas.census() {
        Some(_) => Arc::as_ptr(&context.replicas) as usize,
        None => context.replicas.count() as usize,
    };
    let places = [
        replicas,
        context
            .table
            .as_ref()
            .map_or(0, |table| Arc::as_ptr(table) as usize),
        context
            .book
            .as_ref()
            .map_or(0, |book| Arc::as_ptr(book) as usize),
    ];
    Mark {
        model: loaded.model.directory.clone(),
        declared: sections[0] ^ sections[1].rotate_left(1),
        places: stores.chain(places).collect(),
    }
}
