use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};

/// No node, no leaf.
pub(crate) const NONE: u32 = u32::MAX;

/// Trees whose edges are labelled with text, all children in one open-addressing table.
///
/// A step from a node with one child is one comparison; from any other it is one hash of the label and, nearly always,
/// one probe, however many children the node or the tree has. Equal labels share their text, and the nodes of a path
/// lie in a row: a walk through a large tree touches few cache lines. Only configuration adds labels, so an attacker
/// cannot pile up collisions.
pub(crate) struct Trie<P> {
    nodes: Vec<Node<P>>,
    slots: Vec<Slot>,
    labels: Vec<u8>,
    /// Where each label stands, while the tree grows.
    known: FxHashMap<Box<[u8]>, (u32, u32)>,
    edges: usize,
}

struct Node<P> {
    parent: u32,
    /// The only child that a label leads to, [`NONE`], or [`MANY`].
    child: u32,
    label: (u32, u32),
    payload: P,
}

/// More children than one.
const MANY: u32 = NONE - 1;

#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    node: u32,
}

const FREE: Slot = Slot {
    hash: 0,
    node: NONE,
};
const FIRST_SLOTS: usize = 16;

impl<P> Trie<P> {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            slots: vec![FREE; FIRST_SLOTS],
            labels: Vec::new(),
            known: FxHashMap::default(),
            edges: 0,
        }
    }

    /// Whether there is nothing below any root.
    pub(crate) fn is_bare(&self) -> bool {
        self.edges == 0
    }

    /// Adds a node that no label leads to: a root, or a child that its parent's payload names.
    pub(crate) fn add(&mut self, parent: u32, payload: P) -> u32 {
        self.push(parent, (0, 0), payload)
    }

    pub(crate) fn payload(&self, node: u32) -> Option<&P> {
        self.nodes.get(node as usize).map(|n| &n.payload)
    }

    pub(crate) fn payload_mut(&mut self, node: u32) -> Option<&mut P> {
        self.nodes.get_mut(node as usize).map(|n| &mut n.payload)
    }

    pub(crate) fn parent(&self, node: u32) -> Option<u32> {
        self.nodes
            .get(node as usize)
            .map(|n| n.parent)
            .filter(|parent| *parent != NONE)
    }

    pub(crate) fn payloads_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.nodes.iter_mut().map(|n| &mut n.payload)
    }

    /// Ends growth: frees what only growth needs.
    pub(crate) fn finish(&mut self) {
        self.known = FxHashMap::default();
        self.nodes.shrink_to_fit();
        self.labels.shrink_to_fit();
    }

    pub(crate) fn child(&self, parent: u32, label: &[u8]) -> Option<u32> {
        match self.nodes.get(parent as usize)?.child {
            NONE => None,
            MANY => self.probe(parent, label),
            only => self.is_edge(only, parent, label).then_some(only),
        }
    }

    fn probe(&self, parent: u32, label: &[u8]) -> Option<u32> {
        let hash = hash(parent, label);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            // At least half of the slots are free, so the probe ends.
            let slot = self.slots.get(at)?;
            if slot.node == NONE {
                return None;
            }
            if slot.hash == hash && self.is_edge(slot.node, parent, label) {
                return Some(slot.node);
            }
            at = (at + 1) & mask;
        }
    }

    pub(crate) fn child_or_insert(&mut self, parent: u32, label: &[u8], payload: P) -> u32 {
        if let Some(child) = self.child(parent, label) {
            return child;
        }
        if (self.edges + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let label_at = self.intern(label);
        let node = self.push(parent, label_at, payload);
        if let Some(parent) = self.nodes.get_mut(parent as usize) {
            parent.child = if parent.child == NONE { node } else { MANY };
        }
        self.edges += 1;
        place(
            &mut self.slots,
            Slot {
                hash: hash(parent, label),
                node,
            },
        );
        node
    }

    fn intern(&mut self, label: &[u8]) -> (u32, u32) {
        if let Some(known) = self.known.get(label) {
            return *known;
        }
        let at = (position(self.labels.len()), position(label.len()));
        self.labels.extend_from_slice(label);
        self.known.insert(label.into(), at);
        at
    }

    fn push(&mut self, parent: u32, label: (u32, u32), payload: P) -> u32 {
        let id = position(self.nodes.len());
        self.nodes.push(Node {
            parent,
            child: NONE,
            label,
            payload,
        });
        id
    }

    fn is_edge(&self, node: u32, parent: u32, label: &[u8]) -> bool {
        self.nodes.get(node as usize).is_some_and(|n| {
            let (start, len) = (n.label.0 as usize, n.label.1 as usize);
            n.parent == parent && self.labels.get(start..start + len) == Some(label)
        })
    }

    fn grow(&mut self) {
        let mut slots = vec![FREE; self.slots.len() * 2];
        self.slots
            .iter()
            .filter(|slot| slot.node != NONE)
            .for_each(|slot| place(&mut slots, *slot));
        self.slots = slots;
    }
}

fn place(slots: &mut [Slot], new: Slot) {
    let mask = slots.len() - 1;
    let mut at = new.hash as usize & mask;
    while let Some(slot) = slots.get_mut(at) {
        if slot.node == NONE {
            *slot = new;
            return;
        }
        at = (at + 1) & mask;
    }
}

fn hash(parent: u32, label: &[u8]) -> u32 {
    let mut hasher = FxHasher::default();
    hasher.write_u32(parent);
    hasher.write(label);
    // The low half is as good as the high half: the hasher ends with a rotation for tables like this one.
    u32::try_from(hasher.finish() & u64::from(u32::MAX)).unwrap_or(0)
}

/// Configurations are far below 4 billion nodes; a saturated position finds nothing instead of something wrong.
pub(crate) fn position(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(NONE)
}
