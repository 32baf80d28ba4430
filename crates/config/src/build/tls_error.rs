use std::path::Path;

use lintel_tls::TlsError;

use super::Builder;
use crate::{
    check,
    diagnostic::{Diagnostic, code},
    span::Span,
};

/// What is wrong with a certificate or its like, shown where the configuration names the file.
pub(super) fn tls_error(builder: &Builder<'_>, place: &[&str], error: &TlsError) -> Diagnostic {
    let span = error.file.as_deref().and_then(|file| named(builder, file));
    let message = match &error.file {
        Some(file) => format!("{}: {}", file.display(), error.problem),
        None => error.problem.clone(),
    };
    let span = span.unwrap_or_else(|| builder.loaded.locate(place));
    Diagnostic::error(code::TLS, message)
        .at(span, "")
        .help(error.help.clone())
        .path(place.join("."))
}

/// Where the configuration names a file.
fn named(builder: &Builder<'_>, file: &Path) -> Option<Span> {
    let files = check::files(&builder.loaded.model);
    let named = files.into_iter().find(|named| named.path == file)?;
    Some(builder.loaded.locate(&named.place))
}
