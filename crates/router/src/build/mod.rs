//! From a list of routes to an index, or to everything that is wrong with the list.

use std::sync::Arc;

use crate::path::{Kind, PathPattern, PathRegex};
use crate::router::Router;
use crate::trie::position;
use crate::{BuildError, RouteSpec};

mod builder;
mod conflicts;
mod layout;
mod shadows;

use builder::Builder;

pub(crate) fn build(specs: &[RouteSpec]) -> Result<Router, Vec<BuildError>> {
    let mut builder = Builder::new(specs);
    builder.names();
    for (route, spec) in specs.iter().enumerate() {
        builder.insert(position(route), spec);
    }
    builder.sort();
    builder.conflicts();
    if builder.errors.is_empty() {
        builder.flatten();
    }
    if !builder.errors.is_empty() {
        return Err(builder.errors);
    }
    let mut router = builder.router;
    let found = shadows::find(&router, specs);
    router.warnings.extend(found);
    Ok(router)
}

/// One route in one place, before the places are laid out.
#[derive(Debug, Clone)]
struct Pending {
    route: u32,
    /// The path pattern; `None` for routes without a path.
    path: Option<PathPattern>,
}

impl Pending {
    fn names(&self) -> &[Arc<str>] {
        match self.path.as_ref().map(|p| &p.kind) {
            Some(Kind::Segments(segments)) => &segments.names,
            Some(Kind::Regex(regex)) => regex.captures.as_ref().map_or(&[], |c| &c.names),
            None => &[],
        }
    }

    fn text(&self) -> Option<Arc<str>> {
        self.path.as_ref().map(|p| Arc::clone(&p.text))
    }

    fn regex(&self) -> Option<&Arc<PathRegex>> {
        match self.path.as_ref().map(|p| &p.kind) {
            Some(Kind::Regex(regex)) => Some(regex),
            _ => None,
        }
    }
}

/// The routes of one host and path pattern, or all routes with regular expressions of one host.
struct Place {
    host: u32,
    routes: Vec<Pending>,
}
