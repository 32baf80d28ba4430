//! Questions about two expressions at once, answered by walking both automata in step.

use std::collections::VecDeque;

use regex_automata::dfa::Automaton;
use regex_automata::util::primitives::StateID;
use rustc_hash::FxHashMap;

use super::Dfa;

/// How many pairs of states are looked at before giving up.
const MAX_PAIRS: usize = 20_000;

/// The answer to a question about two automata.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Product {
    /// A shortest value with the property.
    Witness(Vec<u8>),
    /// No value has the property.
    Empty,
    /// Too big to tell.
    Unknown,
}

/// A value that both match.
pub(crate) fn intersection(a: &Dfa, b: &Dfa) -> Product {
    search(a, b, |a, b| a && b, |a, b| a && b)
}

/// A value that `a` matches and `b` does not.
pub(crate) fn difference(a: &Dfa, b: &Dfa) -> Product {
    search(a, b, |a, b| a && !b, |a, _| a)
}

type Pair = (StateID, StateID);

/// Breadth first over pairs of states; `alive` says which pairs can still lead to a wanted one.
fn search(
    a: &Dfa,
    b: &Dfa,
    wanted: fn(bool, bool) -> bool,
    alive: fn(bool, bool) -> bool,
) -> Product {
    let alphabet = joint_alphabet(a, b);
    let mut order: Vec<(Pair, usize, u8)> = vec![((a.start, b.start), 0, 0)];
    let mut seen: FxHashMap<Pair, ()> = FxHashMap::default();
    seen.insert((a.start, b.start), ());
    let mut queue = VecDeque::from([0_usize]);
    while let Some(at) = queue.pop_front() {
        let Some(&((sa, sb), ..)) = order.get(at) else {
            continue;
        };
        if wanted(accepts(a, sa), accepts(b, sb)) {
            return Product::Witness(trace(&order, at));
        }
        for &byte in &alphabet {
            let pair = (a.table.next_state(sa, byte), b.table.next_state(sb, byte));
            let live = alive(
                !a.table.is_dead_state(pair.0),
                !b.table.is_dead_state(pair.1),
            );
            if live && seen.insert(pair, ()).is_none() {
                if order.len() == MAX_PAIRS {
                    return Product::Unknown;
                }
                queue.push_back(order.len());
                order.push((pair, at, byte));
            }
        }
    }
    Product::Empty
}

fn accepts(dfa: &Dfa, state: StateID) -> bool {
    dfa.table.is_match_state(dfa.table.next_eoi_state(state))
}

/// One byte for each class of bytes that neither automaton tells apart; printable ones are preferred for examples.
fn joint_alphabet(a: &Dfa, b: &Dfa) -> Vec<u8> {
    let preferred = (b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(b'!'..=b'~')
        .chain(0..=u8::MAX);
    let mut seen = FxHashMap::default();
    preferred
        .filter(|byte| {
            let classes = (
                a.table.byte_classes().get(*byte),
                b.table.byte_classes().get(*byte),
            );
            seen.insert(classes, ()).is_none()
        })
        .collect()
}

fn trace(order: &[(Pair, usize, u8)], mut at: usize) -> Vec<u8> {
    let mut value = Vec::new();
    while at != 0 {
        let Some(&(_, parent, byte)) = order.get(at) else {
            break;
        };
        value.push(byte);
        at = parent;
    }
    value.reverse();
    value
}
