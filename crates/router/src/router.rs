use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::Method;
use rustc_hash::FxHashMap;

use crate::conditions::Conditions;
use crate::leaf::Leaf;
use crate::method::{self, MethodSet};
use crate::params::{Params, Spans};
use crate::path::PathRegex;
use crate::search::{Found, HostRoutes, PathNode, Visit};
use crate::trie::{NONE, Trie};
use crate::{Allow, BuildError, Outcome, Query, RouteSpec, Warning, build};

/// The routes of a configuration, indexed. Immutable: share it between threads freely.
///
/// A match visits only candidates whose host and path match. Its cost grows with the length of host and path and with
/// the number of such candidates, not with the number of routes.
pub struct Router {
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) conditions: Vec<Conditions>,
    pub(crate) hosts: Vec<HostRoutes>,
    pub(crate) exact: FxHashMap<Box<str>, u32>,
    /// Labels from the right; the payload is the host whose `*.` stands there.
    pub(crate) wildcards: Trie<u32>,
    pub(crate) any: u32,
    pub(crate) paths: Trie<PathNode>,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) entries: Vec<Entry>,
    /// Where each entry comes from.
    pub(crate) origins: Vec<Origin>,
    pub(crate) param_names: Vec<Box<[Arc<str>]>>,
    /// The expressions with named groups.
    pub(crate) captures: Vec<Arc<PathRegex>>,
    pub(crate) warnings: Vec<Warning>,
}

/// One route in one place. What most routes ask for is decided from these 16 bytes alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) route: u32,
    /// The list of parameter names.
    pub(crate) names: u32,
    /// The finder of named groups, for a regular expression that has some.
    pub(crate) captures: u32,
    /// Standard methods; all bits set for every method.
    pub(crate) methods: u16,
    /// Whether the route has conditions other than standard methods.
    pub(crate) guarded: bool,
}

/// Where an entry comes from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) host: u32,
    /// The path pattern as written; `None` for routes without a path.
    pub(crate) path: Option<Arc<str>>,
}

impl Router {
    /// Indexes routes. The order of the list means nothing.
    ///
    /// # Errors
    ///
    /// Every [`BuildError`] at once: routes that tie, names that occur twice, regular expressions that are too big
    /// together.
    pub fn build(routes: Vec<RouteSpec>) -> Result<Self, Vec<BuildError>> {
        build::build(&routes)
    }

    /// The route that takes a request.
    ///
    /// Does not allocate unless the path matches a pattern with more than four parameters or more than sixteen
    /// regular expressions, or the route has a regular expression with named groups, or the answer is
    /// [`Outcome::MethodNotAllowed`] with methods beyond the standard ones.
    pub fn find(&self, q: &Query<'_>) -> Outcome {
        let mut first = First {
            router: self,
            q,
            bit: method::bit(q.method),
            refused: false,
            hit: None,
        };
        if self.walk(q, &mut first).is_break()
            && let Some((route, params)) = first.hit
        {
            return Outcome::Matched { route, params };
        }
        if !first.refused {
            return Outcome::NotFound;
        }
        let mut allowed = Allowed {
            router: self,
            q,
            methods: MethodSet::default(),
        };
        let _ = self.walk(q, &mut allowed);
        if allowed.methods.is_empty() {
            return Outcome::NotFound;
        }
        Outcome::MethodNotAllowed {
            allow: Allow(allowed.methods),
        }
    }

    /// What is legal in the routes and probably not meant. Best effort: a route hidden by several others together is
    /// not found, and with thousands of regular expressions not every pair is compared.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name of the route at a position of the list given to [`Router::build`].
    pub fn name(&self, route: usize) -> Option<&Arc<str>> {
        self.names.get(route)
    }

    /// The parameter names of one path pattern, by the id that [`Params::into_parts`] gives.
    pub fn param_names(&self, id: u32) -> &[Arc<str>] {
        self.param_names.get(id as usize).map_or(&[], |names| names)
    }

    /// What the path of an accepted candidate captured.
    pub(crate) fn params(&self, entry: &Entry, spans: &Spans, path: &str) -> Params {
        let names = self.param_names(entry.names).len();
        if names == 0 {
            return Params {
                names: entry.names,
                spans: Spans::new(),
            };
        }
        let regex = self.captures.get(entry.captures as usize);
        let spans = match regex.and_then(|regex| regex.captures.as_ref()) {
            Some(captures) => captures.find(path),
            None => spans.iter().take(names).copied().collect(),
        };
        Params {
            names: entry.names,
            spans,
        }
    }

    pub(crate) fn conditions(&self, entry: &Entry) -> Option<&Conditions> {
        self.conditions.get(entry.route as usize)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("routes", &self.names.len())
            .field("hosts", &self.hosts.len())
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl Entry {
    pub(crate) const ANY_METHOD: u16 = u16::MAX;

    pub(crate) fn new(route: u32, conditions: &Conditions) -> Self {
        let any = conditions.methods.is_empty();
        let guarded = !(conditions.headers.is_empty()
            && conditions.query.is_empty()
            && conditions.listeners.is_empty()
            && conditions.methods.others.is_empty());
        let methods = if any {
            Self::ANY_METHOD
        } else {
            conditions.methods.bits
        };
        Self {
            route,
            names: NONE,
            captures: NONE,
            methods,
            guarded,
        }
    }

    fn takes(&self, method: &Method, bit: u16, conditions: Option<&Conditions>) -> bool {
        match bit {
            0 => {
                self.methods == Self::ANY_METHOD
                    || conditions.is_some_and(|c| c.method_holds(method))
            }
            bit => self.methods & bit != 0,
        }
    }
}

/// Stops at the first candidate whose conditions hold.
struct First<'a, 'q> {
    router: &'a Router,
    q: &'a Query<'q>,
    /// The request's method, if it is a standard one.
    bit: u16,
    /// Whether a candidate was passed over because of its methods.
    refused: bool,
    hit: Option<(usize, Params)>,
}

impl Visit for First<'_, '_> {
    const ALL: bool = false;

    fn visit(&mut self, Found { entry, spans, .. }: Found<'_>) -> ControlFlow<()> {
        let conditions = if entry.guarded {
            self.router.conditions(entry)
        } else {
            None
        };
        if conditions.is_some_and(|c| !c.listener_holds(self.q.listener)) {
            return ControlFlow::Continue(());
        }
        if !entry.takes(self.q.method, self.bit, conditions) {
            self.refused = true;
            return ControlFlow::Continue(());
        }
        if conditions.is_some_and(|c| !c.values_hold(self.q)) {
            return ControlFlow::Continue(());
        }
        self.hit = Some((
            entry.route as usize,
            self.router.params(entry, spans, self.q.path),
        ));
        ControlFlow::Break(())
    }
}

/// Gathers the methods of all candidates whose other conditions hold.
struct Allowed<'a, 'q> {
    router: &'a Router,
    q: &'a Query<'q>,
    methods: MethodSet,
}

impl Visit for Allowed<'_, '_> {
    const ALL: bool = false;

    fn visit(&mut self, Found { entry, .. }: Found<'_>) -> ControlFlow<()> {
        if let Some(conditions) = self.router.conditions(entry)
            && conditions.listener_holds(self.q.listener)
            && conditions.values_hold(self.q)
        {
            self.methods.merge(&conditions.methods);
        }
        ControlFlow::Continue(())
    }
}
