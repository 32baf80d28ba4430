//! Routes that no request can reach.

use std::ops::ControlFlow;
use std::sync::Arc;

use http::{HeaderMap, Method};
use rustc_hash::FxHashMap;

use crate::path::{Kind, PathPattern, Segment, Segments};
use crate::regex::{Dfa, Product, Regex, difference};
use crate::router::{Origin, Router};
use crate::search::{Found, Visit};
use crate::trie::position;
use crate::{Query, RouteSpec, Warning};

/// The most pairs of path patterns that are compared as automata.
const MAX_COMPARED: usize = 2000;
/// How many routes of one place are looked at to find one that hides another.
const MAX_BEFORE: usize = 256;

pub(super) fn find(router: &Router, specs: &[RouteSpec]) -> Vec<Warning> {
    let mut shadows = Shadows {
        router,
        patterns: patterns(specs),
        automata: FxHashMap::default(),
        compared: 0,
    };
    let mut hidden: Vec<Vec<(u32, u32)>> = vec![Vec::new(); specs.len()];
    let mut places: Vec<usize> = vec![0; specs.len()];
    for (at, entry) in router.entries.iter().enumerate() {
        let at = position(at);
        let route = entry.route as usize;
        if let Some(places) = places.get_mut(route) {
            *places += 1;
        }
        if let (Some(by), Some(list)) = (shadows.hidden_by(at), hidden.get_mut(route)) {
            list.push((at, by));
        }
    }
    let mut warnings = Vec::new();
    for (route, (hidden, places)) in hidden.iter().zip(places).enumerate() {
        warn(router, route, hidden, places, &mut warnings);
    }
    warnings
}

fn warn(
    router: &Router,
    route: usize,
    hidden: &[(u32, u32)],
    places: usize,
    warnings: &mut Vec<Warning>,
) {
    let Some(name) = router.names.get(route) else {
        return;
    };
    if router.conditions.get(route).is_some_and(|c| !c.possible()) {
        warnings.push(Warning::Unreachable {
            route: Arc::clone(name),
            by: Vec::new(),
        });
        return;
    }
    let name_of = |at: &u32| {
        let entry = router.entries.get(*at as usize)?;
        router.names.get(entry.route as usize).cloned()
    };
    if !hidden.is_empty() && hidden.len() == places {
        let mut by: Vec<Arc<str>> = hidden.iter().filter_map(|(_, by)| name_of(by)).collect();
        by.sort();
        by.dedup();
        warnings.push(Warning::Unreachable {
            route: Arc::clone(name),
            by,
        });
        return;
    }
    for (at, by) in hidden {
        let (Some(by), Some(Origin { host, path })) =
            (name_of(by), router.origins.get(*at as usize))
        else {
            continue;
        };
        let host = router
            .hosts
            .get(*host as usize)
            .map(|h| Arc::clone(&h.pattern))
            .unwrap_or_default();
        warnings.push(Warning::Shadowed {
            route: Arc::clone(name),
            by,
            host,
            path: path.clone(),
        });
    }
}

type Patterns<'s> = FxHashMap<&'s str, &'s PathPattern>;

/// Every pattern by its text.
fn patterns(specs: &[RouteSpec]) -> Patterns<'_> {
    specs
        .iter()
        .flat_map(|spec| &spec.paths)
        .map(|path| (path.as_str(), path))
        .collect()
}

struct Shadows<'r> {
    router: &'r Router,
    patterns: Patterns<'r>,
    /// For each pattern looked at: what it matches, and everything that is no path.
    automata: FxHashMap<Option<Arc<str>>, Option<Arc<Dfa>>>,
    compared: usize,
}

impl Shadows<'_> {
    /// The entry that takes all requests of this one.
    ///
    /// Among segment patterns only one of the same shape can: a pattern that goes first has literal text where the
    /// other has more. Regular expressions and routes without a path can be hidden by any pattern of their host. No
    /// host hides one that goes after it.
    fn hidden_by(&mut self, at: u32) -> Option<u32> {
        let origin = self.router.origins.get(at as usize)?;
        match origin
            .path
            .as_deref()
            .map(|path| self.patterns.get(path).map(|p| &p.kind))
        {
            Some(Some(Kind::Segments(_))) => self.hidden_in_place(at),
            Some(Some(Kind::Regex(regex))) => self.hidden_on_host(at, &regex.regex),
            Some(None) => None,
            None => {
                let every = Regex::prefix("/").ok()?;
                self.hidden_in_place(at)
                    .or_else(|| self.hidden_on_host(at, &every))
            }
        }
    }

    fn hidden_in_place(&self, at: u32) -> Option<u32> {
        let next = self.router.leaves.partition_point(|leaf| leaf.start <= at);
        let leaf = self.router.leaves.get(next.checked_sub(1)?)?;
        (leaf.start..at)
            .take(MAX_BEFORE)
            .find(|before| self.conditions_follow(at, *before))
    }

    /// Whether every request that meets the conditions of `at` meets those of `before`, which is another route's.
    fn conditions_follow(&self, at: u32, before: u32) -> bool {
        let entry = |at: u32| self.router.entries.get(at as usize);
        let (Some(one), Some(other)) = (entry(at), entry(before)) else {
            return false;
        };
        match (self.router.conditions(one), self.router.conditions(other)) {
            (Some(x), Some(y)) => one.route != other.route && x.implies(y),
            _ => false,
        }
    }

    /// Takes a shortest path that matches, looks who goes first for it, and then whether that one takes all others.
    fn hidden_on_host(&mut self, at: u32, regex: &Regex) -> Option<u32> {
        let Product::Witness(example) = regex.path_example() else {
            return None;
        };
        let example = String::from_utf8(example).ok()?;
        let origin = self.router.origins.get(at as usize)?;
        let mut before = Before {
            at,
            list: Vec::new(),
        };
        let q = Query {
            listener: 0,
            host: "",
            path: &example,
            query: None,
            method: &Method::GET,
            headers: &HeaderMap::new(),
        };
        let _ = self.router.walk_host(origin.host, &q, &mut before);
        before
            .list
            .into_iter()
            .find(|before| self.conditions_follow(at, *before) && self.covers(*before, regex))
    }

    fn covers(&mut self, before: u32, regex: &Regex) -> bool {
        if self.compared >= MAX_COMPARED {
            return false;
        }
        self.compared += 1;
        let Some(path) = self
            .router
            .origins
            .get(before as usize)
            .map(|o| o.path.clone())
        else {
            return false;
        };
        let automaton = match self.automata.get(&path) {
            Some(known) => known.clone(),
            None => {
                let made = self.automaton(path.as_deref()).map(Arc::new);
                self.automata.insert(path, made.clone());
                made
            }
        };
        automaton.is_some_and(|dfa| difference(&regex.dfa, &dfa) == Product::Empty)
    }

    fn automaton(&self, path: Option<&str>) -> Option<Dfa> {
        let Some(path) = path else {
            return Regex::prefix("").ok()?.or_no_path();
        };
        match &self.patterns.get(path)?.kind {
            Kind::Regex(regex) => regex.regex.or_no_path(),
            Kind::Segments(segments) => Regex::parse(&expression(segments)).ok()?.or_no_path(),
        }
    }
}

/// The regular expression that matches what a segment pattern matches.
fn expression(segments: &Segments) -> String {
    let mut text = String::new();
    for segment in &segments.list {
        text.push('/');
        match segment {
            Segment::Literal(literal) => text.push_str(&regex_syntax::escape(literal)),
            Segment::Param => text.push_str("(?-u:[^/]+)"),
        }
    }
    if segments.tail {
        text.push_str("(?s-u:/.*)?");
    }
    text
}

/// Gathers the entries that go before one.
struct Before {
    at: u32,
    list: Vec<u32>,
}

impl Visit for Before {
    const ALL: bool = true;

    fn visit(&mut self, candidate: Found<'_>) -> ControlFlow<()> {
        if candidate.at == self.at || self.list.len() == MAX_BEFORE {
            return ControlFlow::Break(());
        }
        self.list.push(candidate.at);
        ControlFlow::Continue(())
    }
}
