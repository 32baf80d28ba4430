use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::builder::Builder;
use super::{Pending, Place};
use crate::BuildError;
use crate::conditions::Conditions;
use crate::leaf::{Leaf, ValueIndex};
use crate::regex::{Regex, RegexSet};
use crate::router::{Entry, Origin};
use crate::search::{RegexRoutes, SINGLE};
use crate::trie::{NONE, position};

/// The most bytes that the transition tables of one host may take together.
const REGEX_LIMIT: usize = 64 << 20;

impl Builder<'_> {
    /// Lays the places out one after another.
    pub(super) fn flatten(&mut self) {
        for place in std::mem::take(&mut self.places) {
            let start = position(self.router.entries.len());
            place
                .routes
                .iter()
                .for_each(|pending| self.entry(place.host, pending));
            let conditions: Vec<&Conditions> = place
                .routes
                .iter()
                .filter_map(|p| self.router.conditions.get(p.route as usize))
                .collect();
            let index = ValueIndex::new(&conditions).map(Box::new);
            self.router.leaves.push(Leaf {
                start,
                len: position(place.routes.len()),
                index,
            });
        }
        self.shorten();
        self.router.paths.finish();
        self.router.wildcards.finish();
        for place in std::mem::take(&mut self.regexes) {
            if !place.routes.is_empty() {
                self.regex_place(&place);
            }
        }
    }

    /// Names the entry itself wherever a leaf has only one.
    fn shorten(&mut self) {
        let leaves = &self.router.leaves;
        let short = |id: &mut u32| match leaves.get(*id as usize) {
            Some(leaf) if leaf.len == 1 && leaf.start < SINGLE => *id = leaf.start | SINGLE,
            _ => {}
        };
        for node in self.router.paths.payloads_mut() {
            short(&mut node.end);
            short(&mut node.tail);
        }
        self.router
            .hosts
            .iter_mut()
            .for_each(|host| short(&mut host.pathless));
    }

    fn regex_place(&mut self, place: &Place) {
        let mut known: FxHashMap<&str, usize> = FxHashMap::default();
        let mut expressions: Vec<Arc<Regex>> = Vec::new();
        let mut entries: Vec<Vec<u32>> = Vec::new();
        for (pending, regex) in place.routes.iter().filter_map(|p| Some((p, p.regex()?))) {
            let at = *known.entry(&regex.regex.text).or_insert_with(|| {
                expressions.push(Arc::clone(&regex.regex));
                entries.push(Vec::new());
                entries.len() - 1
            });
            if let Some(list) = entries.get_mut(at) {
                list.push(position(self.router.entries.len()));
            }
            self.entry(place.host, pending);
        }
        let set = RegexSet::new(&expressions);
        let Some(host) = self.router.hosts.get_mut(place.host as usize) else {
            return;
        };
        if set.memory() > REGEX_LIMIT {
            let host = Arc::clone(&host.pattern);
            self.errors.push(BuildError::RegexesTooBig {
                host,
                bytes: set.memory(),
                limit: REGEX_LIMIT,
            });
            return;
        }
        host.regexes = Some(Box::new(RegexRoutes { set, entries }));
    }

    fn entry(&mut self, host: u32, pending: &Pending) {
        let Some(conditions) = self.router.conditions.get(pending.route as usize) else {
            return;
        };
        let mut entry = Entry::new(pending.route, conditions);
        entry.names = self.name_list(pending.names());
        if let Some(regex) = pending.regex().filter(|regex| regex.captures.is_some()) {
            entry.captures = position(self.router.captures.len());
            self.router.captures.push(Arc::clone(regex));
        }
        self.router.entries.push(entry);
        self.router.origins.push(Origin {
            host,
            path: pending.text(),
        });
    }

    fn name_list(&mut self, names: &[Arc<str>]) -> u32 {
        if names.is_empty() {
            return NONE;
        }
        *self.name_lists.entry(names.into()).or_insert_with(|| {
            self.router.param_names.push(names.into());
            position(self.router.param_names.len() - 1)
        })
    }
}
