use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::conflicts::Conflicts;
use super::{Pending, Place};
use crate::conditions::Conditions;
use crate::host::{HostPattern, Kind as HostKind};
use crate::path::{Kind as PathKind, PathPattern, Segment, Segments};
use crate::router::Router;
use crate::search::{HostRoutes, PathNode};
use crate::trie::{NONE, Trie, position};
use crate::{BuildError, RouteSpec, Warning};

/// The index while it is built: trees and places first, then each place in order, then laid out (`layout.rs`).
pub(super) struct Builder<'s> {
    specs: &'s [RouteSpec],
    pub(super) router: Router,
    /// By leaf.
    pub(super) places: Vec<Place>,
    /// By host.
    pub(super) regexes: Vec<Place>,
    pub(super) name_lists: FxHashMap<Box<[Arc<str>]>, u32>,
    pub(super) errors: Vec<BuildError>,
}

impl<'s> Builder<'s> {
    pub(super) fn new(specs: &'s [RouteSpec]) -> Self {
        let mut wildcards = Trie::new();
        wildcards.add(NONE, NONE);
        let router = Router {
            names: specs.iter().map(|spec| Arc::clone(&spec.name)).collect(),
            conditions: specs.iter().map(Conditions::new).collect(),
            hosts: Vec::new(),
            exact: FxHashMap::default(),
            wildcards,
            any: NONE,
            paths: Trie::new(),
            leaves: Vec::new(),
            entries: Vec::new(),
            origins: Vec::new(),
            param_names: Vec::new(),
            captures: Vec::new(),
            warnings: Vec::new(),
        };
        let (places, regexes, errors) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            specs,
            router,
            places,
            regexes,
            name_lists: FxHashMap::default(),
            errors,
        }
    }

    /// Reports names that occur twice.
    pub(super) fn names(&mut self) {
        let mut seen = FxHashSet::default();
        let mut reported = FxHashSet::default();
        for spec in self.specs {
            if !seen.insert(&spec.name) && reported.insert(&spec.name) {
                self.errors.push(BuildError::DuplicateName {
                    name: Arc::clone(&spec.name),
                });
            }
        }
    }

    /// Puts a route into every place that its hosts and paths name.
    pub(super) fn insert(&mut self, route: u32, spec: &RouteSpec) {
        let any = [HostPattern(HostKind::Any)];
        let hosts = if spec.hosts.is_empty() {
            &any
        } else {
            spec.hosts.as_slice()
        };
        let hosts = self.distinct(spec, hosts, |a, b| a == b, |host| host.to_string().into());
        let paths = self.distinct(spec, &spec.paths, PathPattern::same_shape, |path| {
            Arc::clone(&path.text)
        });
        for host in hosts {
            let id = self.host(host);
            if paths.is_empty() {
                let leaf = self.pathless(id);
                self.put(leaf, Pending { route, path: None });
            }
            for path in &paths {
                self.path(
                    id,
                    Pending {
                        route,
                        path: Some((*path).clone()),
                    },
                );
            }
        }
    }

    /// The patterns of a list without those that repeat an earlier one, which are warned of.
    fn distinct<'p, P>(
        &mut self,
        spec: &RouteSpec,
        patterns: &'p [P],
        same: fn(&P, &P) -> bool,
        text: fn(&P) -> Arc<str>,
    ) -> Vec<&'p P> {
        let mut kept: Vec<&'p P> = Vec::new();
        for pattern in patterns {
            if kept.iter().any(|k| same(k, pattern)) {
                let (route, pattern) = (Arc::clone(&spec.name), text(pattern));
                self.router
                    .warnings
                    .push(Warning::Repeated { route, pattern });
            } else {
                kept.push(pattern);
            }
        }
        kept
    }

    /// The number of a host pattern, new or known.
    fn host(&mut self, pattern: &HostPattern) -> u32 {
        let next = position(self.router.hosts.len());
        let id = match &pattern.0 {
            HostKind::Exact(host) => self.router.exact.entry(host.clone()).or_insert(next),
            HostKind::Any => {
                if self.router.any == NONE {
                    self.router.any = next;
                }
                &mut self.router.any
            }
            HostKind::Wildcard(suffix) => {
                let tree = &mut self.router.wildcards;
                let node = suffix.rsplit('.').fold(0, |node, label| {
                    tree.child_or_insert(node, label.as_bytes(), NONE)
                });
                let Some(id) = tree.payload_mut(node) else {
                    return NONE;
                };
                if *id == NONE {
                    *id = next;
                }
                id
            }
        };
        let id = *id;
        if id == next {
            let root = self.router.paths.add(NONE, PathNode::EMPTY);
            let pattern = pattern.to_string().into();
            self.router.hosts.push(HostRoutes {
                pattern,
                root,
                regexes: None,
                pathless: NONE,
            });
            self.regexes.push(Place {
                host: id,
                routes: Vec::new(),
            });
        }
        id
    }

    fn pathless(&mut self, host: u32) -> u32 {
        let fresh = position(self.places.len());
        let Some(routes) = self.router.hosts.get_mut(host as usize) else {
            return NONE;
        };
        if routes.pathless != NONE {
            return routes.pathless;
        }
        routes.pathless = fresh;
        self.places.push(Place {
            host,
            routes: Vec::new(),
        });
        fresh
    }

    fn path(&mut self, host: u32, pending: Pending) {
        let Some(path) = &pending.path else { return };
        match &path.kind {
            PathKind::Regex(_) => {
                if let Some(place) = self.regexes.get_mut(host as usize) {
                    place.routes.push(pending);
                }
            }
            PathKind::Segments(segments) => {
                let leaf = self.segments(host, segments);
                self.put(leaf, pending);
            }
        }
    }

    /// The leaf of a pattern, new or known.
    fn segments(&mut self, host: u32, segments: &Segments) -> u32 {
        let tree = &mut self.router.paths;
        let mut node = self
            .router
            .hosts
            .get(host as usize)
            .map_or(NONE, |h| h.root);
        for segment in &segments.list {
            node = match segment {
                Segment::Literal(text) => {
                    tree.child_or_insert(node, text.as_bytes(), PathNode::EMPTY)
                }
                Segment::Param => match tree.payload(node).map_or(NONE, |n| n.param) {
                    NONE => {
                        let child = tree.add(node, PathNode::EMPTY);
                        if let Some(payload) = tree.payload_mut(node) {
                            payload.param = child;
                        }
                        child
                    }
                    child => child,
                },
            };
        }
        let fresh = position(self.places.len());
        let Some(payload) = tree.payload_mut(node) else {
            return NONE;
        };
        let leaf = if segments.tail {
            &mut payload.tail
        } else {
            &mut payload.end
        };
        if *leaf == NONE {
            *leaf = fresh;
            self.places.push(Place {
                host,
                routes: Vec::new(),
            });
        }
        *leaf
    }

    fn put(&mut self, leaf: u32, pending: Pending) {
        if let Some(place) = self.places.get_mut(leaf as usize) {
            place.routes.push(pending);
        }
    }

    /// Puts every place in order of precedence.
    pub(super) fn sort(&mut self) {
        let (names, conditions) = (&self.router.names, &self.router.conditions);
        let rank = |pending: &Pending| {
            let conditions = conditions.get(pending.route as usize);
            let count = conditions.map_or(0, Conditions::count);
            (
                Reverse(count),
                Reverse(conditions.is_some_and(|c| c.names_head)),
            )
        };
        let name = |pending: &Pending| names.get(pending.route as usize);
        for place in &mut self.places {
            place
                .routes
                .sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| name(a).cmp(&name(b))));
        }
        for place in &mut self.regexes {
            let text = |pending: &Pending| {
                pending
                    .regex()
                    .map(|r| Arc::clone(&r.regex.text))
                    .unwrap_or_default()
            };
            let key = |pending: &Pending| (Reverse(text(pending).len()), rank(pending));
            place.routes.sort_by(|a, b| {
                key(a)
                    .cmp(&key(b))
                    .then_with(|| name(a).cmp(&name(b)))
                    .then_with(|| text(a).cmp(&text(b)))
            });
        }
    }

    /// Gathers the routes that tie.
    pub(super) fn conflicts(&mut self) {
        let mut conflicts = Conflicts::new(&self.router);
        self.places.iter().for_each(|place| conflicts.place(place));
        self.regexes
            .iter()
            .for_each(|place| conflicts.regexes(place));
        let (errors, warnings) = conflicts.into_parts();
        self.errors.extend(errors);
        self.router.warnings.extend(warnings);
    }
}
