//! Maglev hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer",
//! NSDI 2016, §3.4): a table that every endpoint fills by its own permutation, in turn.

use lintel_kernel::hash::mix;

/// Entries: the prime that the paper and Envoy use. Shares are even to within 1 % for up to some
/// 650 endpoints.
const SIZE: u64 = 65_537;

/// Which endpoint a key belongs to.
#[derive(Debug)]
pub struct Maglev {
    entries: Box<[u32]>,
}

struct Turn {
    index: u32,
    weight: u64,
    offset: u64,
    skip: u64,
    step: u64,
    /// The turn after which it may fill again: weights are turns left out (as in Envoy).
    due: u64,
}

impl Maglev {
    /// A table for endpoints with these identities and weights. Those of weight 0 are left out.
    pub fn new(endpoints: &[(u64, u32)]) -> Self {
        let heaviest = endpoints.iter().map(|(_, weight)| *weight).max();
        let heaviest = u64::from(heaviest.unwrap_or(0));
        let mut turns: Vec<Turn> = (0..)
            .zip(endpoints)
            .filter(|(_, (_, weight))| *weight > 0)
            .map(|(index, (id, weight))| Turn {
                index,
                weight: u64::from(*weight),
                offset: mix(*id) % SIZE,
                skip: mix(id ^ 0x5bd1_e995_9d1f_4c6d) % (SIZE - 1) + 1,
                step: 0,
                due: 0,
            })
            .collect();
        // The order of the configuration must make no difference.
        turns.sort_by_key(|turn| (turn.offset, turn.skip));
        if turns.is_empty() {
            return Self {
                entries: Box::default(),
            };
        }
        Self {
            entries: fill(turns, heaviest),
        }
    }

    /// Endpoints in the order in which a key prefers them, with repetitions, each at least once.
    ///
    /// The entries after a key's own are those of other endpoints in random order: where an
    /// endpoint is out, its keys spread over all others, and nobody else's move.
    pub fn walk(&self, key: u64) -> impl Iterator<Item = usize> {
        let start = usize::try_from(key % SIZE).unwrap_or(0);
        let (before, from) = self.entries.split_at_checked(start).unwrap_or_default();
        from.iter().chain(before).map(|index| *index as usize)
    }
}

fn fill(mut turns: Vec<Turn>, heaviest: u64) -> Box<[u32]> {
    const FREE: u32 = u32::MAX;
    let mut entries = vec![FREE; usize::try_from(SIZE).unwrap_or(0)].into_boxed_slice();
    let mut left = entries.len();
    for round in 1_u64.. {
        for turn in &mut turns {
            if round * turn.weight < turn.due {
                continue;
            }
            turn.due += heaviest;
            // Every entry comes up once in SIZE steps, and one is free.
            loop {
                let at = (turn.offset + turn.step * turn.skip) % SIZE;
                turn.step += 1;
                let entry = usize::try_from(at).ok().and_then(|at| entries.get_mut(at));
                match entry {
                    Some(entry) if *entry == FREE => {
                        *entry = turn.index;
                        break;
                    }
                    _ => {}
                }
            }
            left -= 1;
            if left == 0 {
                return entries;
            }
        }
    }
    entries
}
