//! What the shape can't show: names that lead nowhere, settings that contradict each other, files
//! that are not there, and what is legal but probably not meant.

mod balance;
mod beside;
mod breaker;
mod callers;
mod compose;
mod consumers;
mod drills;
mod expressions;
mod files;
mod groups;
mod grpc;
mod listeners;
mod overload;
mod plain_secrets;
mod policies;
mod quotas;
mod rate_limits;
mod references;
mod retry;
mod revocations;
mod routes;
mod services;
mod splits;
mod stores;
mod warnings;

pub(crate) use consumers::directory;
pub(crate) use files::files;
pub(crate) use quotas::quotas;
pub(crate) use rate_limits::limits;
use std::{collections::BTreeMap, sync::Arc};
pub(crate) use stores::{Stores, replicas, stores};

use lintel_kernel::Duration;
use lintel_policies::Directory;
use lintel_state::store::Redis;

use crate::{
    diagnostic::{Diagnostic, code},
    loaded::Loaded,
    span::Span,
};

/// Everything that stops the configuration from being used.
pub(crate) fn errors(loaded: &Loaded, check_files: bool, out: &mut Vec<Diagnostic>) {
    let mut check = Check {
        loaded,
        out,
        consumers: Arc::default(),
        stores: Arc::default(),
    };
    consumers::check(&mut check);
    stores::check(&mut check);
    revocations::check(&mut check);
    rate_limits::check(&mut check);
    quotas::check(&mut check);
    listeners::check(&mut check);
    overload::check(&mut check);
    services::check(&mut check);
    retry::errors(&mut check);
    breaker::check(&mut check);
    balance::check(&mut check);
    groups::check(&mut check);
    routes::check(&mut check);
    references::check(&mut check);
    grpc::check(&mut check);
    expressions::check(&mut check);
    if check_files {
        files::check(&mut check);
        grpc::descriptors(&mut check);
    }
}

/// Everything that is legal and probably not meant. `secrets` are those written in the files.
pub(crate) fn warnings(
    loaded: &Loaded,
    secrets: &[(Span, String)],
    check_files: bool,
) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let mut check = Check {
        loaded,
        out: &mut out,
        consumers: Arc::default(),
        stores: Arc::default(),
    };
    warnings::check(&mut check, secrets, check_files);
    out
}

struct Check<'a> {
    loaded: &'a Loaded,
    out: &'a mut Vec<Diagnostic>,
    /// What policies know of the consumers; empty where something is wrong with them.
    consumers: Arc<Directory>,
    /// The stores; empty where something is wrong with them.
    stores: Arc<BTreeMap<String, Arc<Redis>>>,
}

impl<'a> Check<'a> {
    /// An error about the value at a path.
    fn error(&self, code: &'static str, path: &[&str], message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message)
            .at(self.loaded.locate(path), "")
            .path(path.join("."))
    }

    /// A warning about the value at a path.
    fn warning(&self, code: &'static str, path: &[&str], message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(code, message)
            .at(self.loaded.locate(path), "")
            .path(path.join("."))
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    /// The items that a section has in the files, those with mistakes included.
    fn names(&self, section: &str) -> Vec<&'a str> {
        let section = self.loaded.tree.get(section);
        let entries = section.map_or(&[][..], |section| section.entries());
        entries.iter().map(|entry| entry.key.as_str()).collect()
    }

    /// Whether a section has an item, with mistakes or without.
    fn has(&self, section: &str, name: &str) -> bool {
        self.loaded
            .tree
            .get(section)
            .is_some_and(|section| section.entry(name).is_some())
    }

    /// A time limit of no time at all would refuse everything.
    fn positive(&mut self, path: &[&str], value: Duration) {
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
