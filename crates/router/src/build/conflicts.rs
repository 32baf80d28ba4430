use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Pending, Place};
use crate::conditions::Conditions;
use crate::leaf::{ValueIndex, every_two};
use crate::regex::{Product, intersection};
use crate::router::Router;
use crate::trie::position;
use crate::{Ambiguity, BuildError, Warning};

/// The most pairs of routes that are listed one by one.
const MAX_LISTED: usize = 1000;
/// The most pairs of different regular expressions that are compared.
const MAX_COMPARED: usize = 2000;

/// The routes that tie, found place by place.
pub(super) struct Conflicts<'r> {
    router: &'r Router,
    /// In the order found; a pair of routes occurs once.
    found: Vec<Ambiguity>,
    known: FxHashMap<(u32, u32), usize>,
    omitted: usize,
    compared: usize,
    warnings: Vec<Warning>,
}

impl<'r> Conflicts<'r> {
    pub(super) fn new(router: &'r Router) -> Self {
        let (found, known, warnings) = (Vec::new(), FxHashMap::default(), Vec::new());
        Self {
            router,
            found,
            known,
            omitted: 0,
            compared: 0,
            warnings,
        }
    }

    /// Routes of one host and path, in order: those with conditions of equal number may tie.
    pub(super) fn place(&mut self, place: &Place) {
        let group = |a: &Pending, b: &Pending| self.count(a) == self.count(b);
        for group in place.routes.chunk_by(group).collect::<Vec<_>>() {
            self.group(place.host, group);
        }
    }

    /// Routes with regular expressions of one host, in order: those with the same text are in one place.
    pub(super) fn regexes(&mut self, place: &Place) {
        let mut same: FxHashMap<(Arc<str>, usize), Vec<Pending>> = FxHashMap::default();
        for pending in &place.routes {
            let Some(regex) = pending.regex() else {
                continue;
            };
            same.entry((Arc::clone(&regex.regex.text), self.count(pending)))
                .or_default()
                .push(pending.clone());
        }
        let mut groups: Vec<_> = same.into_iter().collect();
        groups.sort_by(|(a, _), (b, _)| a.cmp(b));
        groups
            .iter()
            .for_each(|(_, group)| self.group(place.host, group));
        self.order_by_name(place);
    }

    pub(super) fn into_parts(self) -> (Vec<BuildError>, Vec<Warning>) {
        let mut errors: Vec<BuildError> =
            self.found.into_iter().map(BuildError::Ambiguous).collect();
        if self.omitted != 0 {
            errors.push(BuildError::MoreAmbiguities {
                omitted: self.omitted,
            });
        }
        (errors, self.warnings)
    }

    fn conditions(&self, pending: &Pending) -> Option<&'r Conditions> {
        self.router.conditions.get(pending.route as usize)
    }

    fn count(&self, pending: &Pending) -> usize {
        self.conditions(pending).map_or(0, Conditions::count)
    }

    fn group(&mut self, host: u32, group: &[Pending]) {
        let conditions: Vec<&Conditions> =
            group.iter().filter_map(|p| self.conditions(p)).collect();
        let all: Vec<u32> = (0..position(group.len())).collect();
        let pairs = match ValueIndex::new(&conditions) {
            Some(index) => index.pairs(position(group.len())),
            None => every_two(&all).collect(),
        };
        for (i, j) in pairs {
            if let (Some(a), Some(b)) = (group.get(i as usize), group.get(j as usize))
                && self.tie(a, b)
            {
                self.report(host, a, b);
            }
        }
    }

    fn tie(&self, a: &Pending, b: &Pending) -> bool {
        match (self.conditions(a), self.conditions(b)) {
            (Some(x), Some(y)) => a.route != b.route && x.overlap(y),
            _ => false,
        }
    }

    fn report(&mut self, host: u32, a: &Pending, b: &Pending) {
        let pair = (a.route.min(b.route), a.route.max(b.route));
        if let Some(known) = self.known.get(&pair) {
            if let Some(ambiguity) = self.found.get_mut(*known) {
                ambiguity.elsewhere += 1;
            }
            return;
        }
        self.known.insert(pair, self.found.len());
        if self.found.len() >= MAX_LISTED {
            self.omitted += 1;
            return;
        }
        let mut routes = [self.name(a), self.name(b)];
        routes.sort();
        let host = self
            .router
            .hosts
            .get(host as usize)
            .map(|h| Arc::clone(&h.pattern))
            .unwrap_or_default();
        self.found.push(Ambiguity {
            routes,
            host,
            path: a.text(),
            elsewhere: 0,
        });
    }

    fn name(&self, pending: &Pending) -> Arc<str> {
        self.router
            .names
            .get(pending.route as usize)
            .cloned()
            .unwrap_or_default()
    }

    /// Warns of different expressions of one length, and routes with conditions of one number, that match one path.
    fn order_by_name(&mut self, place: &Place) {
        let length = |p: &Pending| p.regex().map_or(0, |r| r.regex.text.len());
        let equal =
            |a: &Pending, b: &Pending| (length(a), self.count(a)) == (length(b), self.count(b));
        for group in place.routes.chunk_by(equal).collect::<Vec<_>>() {
            for (i, a) in group.iter().enumerate() {
                for b in group.iter().skip(i + 1) {
                    self.compare(a, b);
                }
                if self.compared >= MAX_COMPARED {
                    return;
                }
            }
        }
    }

    fn compare(&mut self, a: &Pending, b: &Pending) {
        let (Some(x), Some(y)) = (a.regex(), b.regex()) else {
            return;
        };
        if x.regex.text == y.regex.text || self.compared >= MAX_COMPARED || !self.tie(a, b) {
            return;
        }
        self.compared += 1;
        if let Product::Witness(example) = intersection(&x.regex.dfa, &y.regex.dfa) {
            let (first, second) = (self.name(a), self.name(b));
            let example = String::from_utf8_lossy(&example).into_owned();
            self.warnings.push(Warning::RegexOrder {
                first,
                second,
                example,
            });
        }
    }
}
