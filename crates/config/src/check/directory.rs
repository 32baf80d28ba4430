//! Consumers and plans from outside.

use std::sync::Arc;

use lintel_kernel::Duration;
use lintel_policies::Context;

use super::{Check, stores};
use crate::{
    diagnostic::{Report, code},
    directory::{self, Register, Seen, Terms},
    loaded::{Known, Loaded, Told, is_readable},
    source::Environment,
};

const SHORTEST_POLL: Duration = Duration::from_millis(100);

pub(super) fn check(check: &mut Check<'_>) {
    let model = &check.loaded.model.directory;
    if check.loaded.tree.get("directory").is_none() {
        return;
    }
    match (&model.file, &model.store) {
        (None, Some(store)) => stores::known(check, &["directory", "store"], store),
        (Some(_), None) => {}
        (Some(_), Some(_)) => {
            let message = "consumers and plans are kept in one place";
            let diagnostic = check
                .error(code::CONFLICT, &["directory", "store"], message)
                .also(check.loaded.locate(&["directory", "file"]), "and here")
                .help("write `file` or `store`");
            check.push(diagnostic);
        }
        (None, None) => {
            let message = "nothing says where consumers and plans are kept";
            let diagnostic = check.error(code::INVALID, &["directory"], message).help(
                "write `directory: { store: shared }`, or `directory: { file: consumers.yaml }`",
            );
            check.push(diagnostic);
        }
    }
    if model.poll < SHORTEST_POLL {
        let path = ["directory", "poll"];
        let diagnostic = check
            .error(code::OUT_OF_RANGE, &path, "`poll` is 100 ms at least")
            .expected("a duration from `100ms`")
            .help("write `1s`: a change holds on all replicas after that time");
        check.push(diagnostic);
    }
}

/// The file must be there.
pub(super) fn file(check: &mut Check<'_>) {
    let Some(file) = &check.loaded.model.directory.file else {
        return;
    };
    if let Err(reason) = is_readable(file.as_path()) {
        let path = ["directory", "file"];
        let shown = check.loaded.shown(&path, &file.to_string());
        let message = format!("the file {shown} can't be read: {reason}");
        let diagnostic = check
            .error(code::FILE_NOT_FOUND, &path, message)
            .help("make it, with the sections `consumers` and `plans`; it may be empty");
        check.push(diagnostic);
    }
}

/// What entries from outside are held against.
pub(crate) fn terms(loaded: &Loaded, context: &Context) -> Terms {
    let model = &loaded.model;
    let names = model.consumers.keys().map(|name| name.as_str().to_owned());
    let plans = model.plans.keys().map(|name| name.as_str().to_owned());
    Terms {
        context: context.clone(),
        declared: Arc::clone(&context.consumers),
        consumers: Arc::new(names.collect()),
        plans: Arc::new(plans.collect()),
        secrets: model.directory.file.is_some(),
    }
}

/// What the file says, if there is one.
///
/// # Errors
/// All that is wrong in it.
pub(crate) fn told(
    loaded: &Loaded,
    environment: &Environment<'_>,
    before: Option<&Known>,
) -> Result<Option<Told>, Report> {
    let model = &loaded.model.directory;
    let Some(file) = &model.file else {
        return Ok(None);
    };
    let file = file.as_path();
    let seen = Seen::of(file);
    let written = directory::open(file);
    let mark = written.mark;
    if let (Some(before), Some(mark)) = (before, mark)
        && before.mark == mark
        && before.path == file
    {
        return Ok(Some(Told {
            records: None,
            seen,
            mark: Some(mark),
        }));
    }
    // Mistakes of the configuration itself have been told before.
    let stores = super::stores(loaded, None, false).unwrap_or_default();
    let context = Context {
        dry: true,
        consumers: Arc::new(super::directory(loaded).unwrap_or_default()),
        stores: stores.by_name,
        ..Context::default()
    };
    let trial = Register::new(terms(loaded, &context));
    let records = directory::read(written, environment, model.max_entries as usize, &trial)?;
    Ok(Some(Told {
        records: Some(records),
        seen,
        mark,
    }))
}
