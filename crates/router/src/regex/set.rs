use std::sync::Arc;

use super::{Dfa, Regex};

/// At most this many expressions go into one automaton: the look-up stays near one pass over the path, and a set
/// that explodes is halved without much wasted work.
const MAX_GROUP: usize = 128;

/// Many expressions, matched in one pass for each group that fits into one automaton.
pub(crate) struct RegexSet {
    groups: Vec<Group>,
}

struct Group {
    /// The position of the group's first expression in the set.
    first: usize,
    automaton: Automaton,
}

enum Automaton {
    Joint(Box<Dfa>),
    /// The expression's own, where even two together are too big.
    Single(Arc<Regex>),
}

impl RegexSet {
    pub(crate) fn new(expressions: &[Arc<Regex>]) -> Self {
        let mut groups = Vec::new();
        for (i, chunk) in expressions.chunks(MAX_GROUP).enumerate() {
            split(chunk, i * MAX_GROUP, &mut groups);
        }
        Self { groups }
    }

    /// Calls `each` with the position of every expression that matches the whole path.
    pub(crate) fn each_match(&self, path: &str, mut each: impl FnMut(usize)) {
        for group in &self.groups {
            match &group.automaton {
                Automaton::Joint(dfa) => {
                    dfa.each_match(path.bytes(), |id| each(group.first + id.as_usize()))
                }
                Automaton::Single(regex) if regex.dfa.matches(path.bytes()) => each(group.first),
                Automaton::Single(_) => {}
            }
        }
    }

    /// Bytes of transition tables.
    pub(crate) fn memory(&self) -> usize {
        let size = |group: &Group| match &group.automaton {
            Automaton::Joint(dfa) => dfa.memory(),
            Automaton::Single(regex) => regex.dfa.memory(),
        };
        self.groups.iter().map(size).sum()
    }
}

fn split(expressions: &[Arc<Regex>], first: usize, groups: &mut Vec<Group>) {
    if let [single] = expressions {
        groups.push(Group {
            first,
            automaton: Automaton::Single(Arc::clone(single)),
        });
        return;
    }
    let hirs: Vec<_> = expressions.iter().map(|regex| &regex.hir).collect();
    if let Ok(dfa) = Dfa::compile(&hirs) {
        groups.push(Group {
            first,
            automaton: Automaton::Joint(Box::new(dfa)),
        });
        return;
    }
    let (left, right) = expressions.split_at(expressions.len() / 2);
    split(left, first, groups);
    split(right, first + left.len(), groups);
}
