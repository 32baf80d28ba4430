//! Which files make up a configuration, and what they hold together.

mod files;
mod groups;
mod merge;
mod substitute;

use std::path::PathBuf;

pub(crate) use files::{collect, one};
pub(crate) use substitute::Environment;

use crate::{
    diagnostic::Diagnostic,
    document::{self, Node},
    span::Sources,
};

/// One tree, and every file it depends on.
pub(crate) struct Read {
    pub(crate) tree: Node,
    /// Files named by `${file.…}`.
    pub(crate) included: Vec<PathBuf>,
    /// Values of `${env.…}` and `${file.…}`.
    pub(crate) outside: Vec<String>,
}

/// Parses every source, puts them together and resolves what comes from outside.
pub(crate) fn tree(
    sources: &Sources,
    environment: &Environment<'_>,
    out: &mut Vec<Diagnostic>,
) -> Option<Read> {
    let mut trees = Vec::new();
    let mut whole = true;
    for index in 0.. {
        if sources.get(index).is_none() {
            break;
        }
        let before = out.len();
        match document::parse(sources, index, out) {
            Some(tree) => trees.push(tree),
            // An empty file has no mistake and nothing in it.
            None => whole &= out.len() == before,
        }
    }
    if !whole {
        return None;
    }
    let mut tree = merge::merge(trees, sources, out)?;
    let resolved = substitute::resolve(&mut tree, sources, environment, out);
    groups::spread(&mut tree, out);
    Some(Read {
        tree,
        included: resolved.files,
        outside: resolved.values,
    })
}

#[cfg(test)]
mod tests;
