//! The walk from a request to its candidates, in order of precedence.

use std::ops::ControlFlow;

use smallvec::SmallVec;

use crate::Query;
use crate::leaf::Leaf;
use crate::params::{Span, Spans};
use crate::regex::RegexSet;
use crate::router::{Entry, Router};
use crate::trie::NONE;

/// What is looked at in a walk.
pub(crate) trait Visit {
    /// Whether to show candidates that the index by value already rules out.
    const ALL: bool;

    /// Looks at one candidate: host and path match, its conditions have not been looked at.
    fn visit(&mut self, candidate: Found<'_>) -> ControlFlow<()>;
}

/// One candidate.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    /// Its position among the router's entries.
    pub(crate) at: u32,
    pub(crate) entry: &'a Entry,
    /// What the segments of its path captured; expressions are asked later, see [`Router::params`].
    pub(crate) spans: &'a Spans,
}

/// Marks the number of an entry where that of a leaf would stand: most places have one route.
pub(crate) const SINGLE: u32 = 1 << 31;

/// A node of the path tree; places are leaves, single entries, or [`NONE`].
pub(crate) struct PathNode {
    /// The child that takes any segment that is not empty.
    pub(crate) param: u32,
    /// The place of patterns that end here.
    pub(crate) end: u32,
    /// The place of patterns whose rest begins here.
    pub(crate) tail: u32,
}

impl PathNode {
    pub(crate) const EMPTY: Self = Self {
        param: NONE,
        end: NONE,
        tail: NONE,
    };
}

/// The routes of one host pattern.
pub(crate) struct HostRoutes {
    pub(crate) pattern: std::sync::Arc<str>,
    /// The root of its path tree.
    pub(crate) root: u32,
    pub(crate) regexes: Option<Box<RegexRoutes>>,
    /// The place of routes without a path.
    pub(crate) pathless: u32,
}

/// The routes with regular expressions of one host.
pub(crate) struct RegexRoutes {
    pub(crate) set: RegexSet,
    /// For each expression of the set, its entries.
    pub(crate) entries: Vec<Vec<u32>>,
}

impl Router {
    /// Shows the candidates for a request until the visitor breaks off.
    pub(crate) fn walk<V: Visit>(&self, q: &Query<'_>, visitor: &mut V) -> ControlFlow<()> {
        let host = q.host.strip_suffix('.').unwrap_or(q.host);
        if let Some(id) = self.exact.get(host) {
            self.walk_host(*id, q, visitor)?;
        }
        if !self.wildcards.is_bare() {
            self.walk_wildcards(host, q, visitor)?;
        }
        self.walk_host(self.any, q, visitor)
    }

    /// Goes down label by label from the right while there is one more to the left, then up again: most labels first.
    fn walk_wildcards<V: Visit>(
        &self,
        host: &str,
        q: &Query<'_>,
        visitor: &mut V,
    ) -> ControlFlow<()> {
        let mut node = Some(0);
        let mut left = host;
        while let (Some(at), Some((rest, label))) = (node, left.rsplit_once('.')) {
            match self.wildcards.child(at, label.as_bytes()) {
                Some(child) if !rest.is_empty() && !rest.ends_with('.') => {
                    node = Some(child);
                    left = rest;
                }
                _ => break,
            }
        }
        while let Some(at) = node {
            let id = self.wildcards.payload(at).copied().unwrap_or(NONE);
            self.walk_host(id, q, visitor)?;
            node = self.wildcards.parent(at);
        }
        ControlFlow::Continue(())
    }

    /// Shows the candidates of one host pattern; [`NONE`] has none.
    pub(crate) fn walk_host<V: Visit>(
        &self,
        id: u32,
        q: &Query<'_>,
        visitor: &mut V,
    ) -> ControlFlow<()> {
        let Some(host) = self.hosts.get(id as usize) else {
            return ControlFlow::Continue(());
        };
        let mut walk = Walk {
            router: self,
            q,
            visitor,
            spans: Spans::new(),
        };
        if q.path.starts_with('/') {
            walk.path(host.root, Some(1))?;
        }
        if let Some(regexes) = &host.regexes {
            walk.regexes(regexes)?;
        }
        walk.leaf(host.pathless)
    }
}

struct Walk<'w, 'q, V> {
    router: &'w Router,
    q: &'w Query<'q>,
    visitor: &'w mut V,
    spans: Spans,
}

impl<V: Visit> Walk<'_, '_, V> {
    /// `at` is where the next segment begins; `None` after the last. Recursion is bounded by the longest pattern.
    fn path(&mut self, mut id: u32, mut at: Option<usize>) -> ControlFlow<()> {
        let path = self.q.path;
        loop {
            let Some(node) = self.router.paths.payload(id) else {
                return ControlFlow::Continue(());
            };
            let Some(start) = at else {
                self.leaf(node.end)?;
                return self.tail(node.tail, path.len());
            };
            let rest = path.as_bytes().get(start..).unwrap_or_default();
            let len = rest.iter().position(|b| *b == b'/');
            let segment = rest.get(..len.unwrap_or(rest.len())).unwrap_or_default();
            let next = len.map(|len| start + len + 1);
            let literal = self.router.paths.child(id, segment);
            if node.param == NONE && node.tail == NONE {
                // Nothing to come back to: no recursion.
                let Some(child) = literal else {
                    return ControlFlow::Continue(());
                };
                (id, at) = (child, next);
                continue;
            }
            if let Some(child) = literal {
                self.path(child, next)?;
            }
            if node.param != NONE && !segment.is_empty() {
                self.spans.push(Span::new(start, start + segment.len()));
                self.path(node.param, next)?;
                self.spans.pop();
            }
            return self.tail(node.tail, start);
        }
    }

    fn tail(&mut self, leaf: u32, start: usize) -> ControlFlow<()> {
        if leaf == NONE {
            return ControlFlow::Continue(());
        }
        self.spans.push(Span::new(start, self.q.path.len()));
        self.leaf(leaf)?;
        self.spans.pop();
        ControlFlow::Continue(())
    }

    fn leaf(&mut self, id: u32) -> ControlFlow<()> {
        if id == NONE {
            return ControlFlow::Continue(());
        }
        if id & SINGLE != 0 {
            return self.entry(id & !SINGLE);
        }
        let Some(leaf) = self.router.leaves.get(id as usize) else {
            return ControlFlow::Continue(());
        };
        match &leaf.index {
            Some(index) if !V::ALL => self.entries(leaf, index.candidates(self.q)),
            _ => self.entries(leaf, 0..leaf.len),
        }
    }

    fn entries(&mut self, leaf: &Leaf, positions: impl Iterator<Item = u32>) -> ControlFlow<()> {
        for i in positions {
            self.entry(leaf.start + i)?;
        }
        ControlFlow::Continue(())
    }

    fn regexes(&mut self, regexes: &RegexRoutes) -> ControlFlow<()> {
        let mut found: SmallVec<[u32; 16]> = SmallVec::new();
        regexes.set.each_match(self.q.path, |i| {
            found.extend_from_slice(regexes.entries.get(i).map_or(&[], Vec::as_slice));
        });
        found.sort_unstable();
        found.into_iter().try_for_each(|at| self.entry(at))
    }

    fn entry(&mut self, at: u32) -> ControlFlow<()> {
        match self.router.entries.get(at as usize) {
            Some(entry) => self.visitor.visit(Found {
                at,
                entry,
                spans: &self.spans,
            }),
            None => ControlFlow::Continue(()),
        }
    }
}
