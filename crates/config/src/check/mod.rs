//! What the shape can't show: names that lead nowhere, settings that contradict each other, files
//! that are not there, and what is legal but probably not meant.

mod balance;
mod beside;
mod breaker;
mod callers;
mod checking;
mod compose;
mod consumers;
mod cors;
mod directory;
mod drills;
mod expressions;
mod files;
mod groups;
mod grpc;
mod leg_calls;
mod leg_queries;
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

use checking::Check;
pub(crate) use consumers::directory;
pub(crate) use directory::{terms, told};
pub(crate) use files::files;
pub(crate) use quotas::quotas;
pub(crate) use rate_limits::limits;
pub(crate) use stores::{Stores, replicas, stores};

use crate::{diagnostic::Diagnostic, loaded::Loaded, span::Span};

/// Everything that stops the configuration from being used.
pub(crate) fn errors(loaded: &Loaded, check_files: bool, out: &mut Vec<Diagnostic>) {
    let mut check = Check::new(loaded, out);
    consumers::check(&mut check);
    stores::check(&mut check);
    revocations::check(&mut check);
    directory::check(&mut check);
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
        directory::file(&mut check);
        grpc::descriptors(&mut check);
        leg_calls::descriptors(&mut check);
    }
}

/// Everything that is legal and probably not meant. `secrets` are those written in the files.
pub(crate) fn warnings(
    loaded: &Loaded,
    secrets: &[(Span, String)],
    check_files: bool,
) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let mut check = Check::new(loaded, &mut out);
    warnings::check(&mut check, secrets, check_files);
    out
}
