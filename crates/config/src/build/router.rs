//! What finds the route of a request.

use lintel_router::{BuildError, Router};

use super::{Builder, route};
use crate::{
    diagnostic::{Diagnostic, code},
    loaded::Loaded,
};

pub(super) fn build(builder: &mut Builder<'_>) -> Option<Router> {
    let specs = route::specs(&builder.loaded.model);
    match Router::build(specs) {
        Ok(router) => Some(router),
        Err(errors) => {
            for error in &errors {
                let diagnostic = explain(builder.loaded, error);
                builder.out.push(diagnostic);
            }
            None
        }
    }
}

fn explain(loaded: &Loaded, error: &BuildError) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(code::AMBIGUOUS_ROUTES, error.to_string()).help(error.hint());
    let BuildError::Ambiguous(tie) = error else {
        return diagnostic;
    };
    let [first, second] = &tie.routes;
    let place = |name: &str| loaded.locate(&["routes", name, "match"]);
    diagnostic
        .at(place(second), "ties with")
        .also(place(first), "this one")
        .path(format!("routes.{second}.match"))
}

/// Routes that never or hardly ever match.
pub(super) fn warnings(loaded: &Loaded, router: &Router) -> Vec<Diagnostic> {
    let warnings = router.warnings().iter();
    warnings
        .map(|warning| {
            let text = warning.to_string();
            let diagnostic =
                Diagnostic::warning(code::UNREACHABLE_ROUTE, text).help(warning.hint());
            let route = warning.route();
            diagnostic
                .at(loaded.locate(&["routes", route, "match"]), "")
                .path(format!("routes.{route}.match"))
        })
        .collect()
}
