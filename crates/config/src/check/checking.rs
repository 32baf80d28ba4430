//! What checks have at hand.

use std::{collections::BTreeMap, sync::Arc};

use lintel_kernel::Duration;
use lintel_policies::Directory;
use lintel_state::store::Redis;

use crate::{
    diagnostic::{Diagnostic, code},
    loaded::Loaded,
};

/// A configuration, and what is found in it.
pub(super) struct Check<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) out: &'a mut Vec<Diagnostic>,
    /// What policies know of the consumers; empty where something is wrong with them.
    pub(super) consumers: Arc<Directory>,
    /// The stores; empty where something is wrong with them.
    pub(super) stores: Arc<BTreeMap<String, Arc<Redis>>>,
}

impl<'a> Check<'a> {
    /// Before anything is known but what is written.
    pub(super) fn new(loaded: &'a Loaded, out: &'a mut Vec<Diagnostic>) -> Self {
        Self {
            loaded,
            out,
            consumers: Arc::default(),
            stores: Arc::default(),
        }
    }

    /// An error about the value at a path.
    pub(super) fn error(
        &self,
        code: &'static str,
        path: &[&str],
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(code, message)
            .at(self.loaded.locate(path), "")
            .path(path.join("."))
    }

    /// A warning about the value at a path.
    pub(super) fn warning(
        &self,
        code: &'static str,
        path: &[&str],
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::warning(code, message)
            .at(self.loaded.locate(path), "")
            .path(path.join("."))
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    /// The items that a section has in the files, those with mistakes included.
    pub(super) fn names(&self, section: &str) -> Vec<&'a str> {
        let section = self.loaded.tree.get(section);
        let entries = section.map_or(&[][..], |section| section.entries());
        entries.iter().map(|entry| entry.key.as_str()).collect()
    }

    /// Whether a section has an item, with mistakes or without.
    pub(super) fn has(&self, section: &str, name: &str) -> bool {
        self.loaded
            .tree
            .get(section)
            .is_some_and(|section| section.entry(name).is_some())
    }

    /// A time limit of no time at all would refuse everything.
    pub(super) fn positive(&mut self, path: &[&str], value: Duration) {
        if value.is_zero() && self.loaded.tree.find(path).is_some() {
            let key = path.last().copied().unwrap_or_default();
            self.push(
                self.error(
                    code::OUT_OF_RANGE,
                    path,
                    format!("`{key}` can't be no time at all"),
                )
                .expected("a duration longer than `0`")
                .help("write the longest time that is still fine, such as `30s`"),
            );
        }
    }
}
