//! Counting connections against a listener's limits.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// The open connections of one listener, over all workers. Touched when a connection opens or
/// closes, never by a request.
pub(crate) struct Gate {
    open: AtomicU32,
    /// Sharded, so that workers seldom wait for each other.
    clients: [Mutex<HashMap<IpAddr, u32>>; SHARDS],
    hasher: RandomState,
}

const SHARDS: usize = 16;

/// A connection that counts for its listener until this is dropped.
pub(crate) struct Pass(Arc<Gate>);

/// A connection that counts for its client until this is dropped.
pub(crate) struct ClientPass {
    gate: Arc<Gate>,
    client: IpAddr,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            open: AtomicU32::new(0),
            clients: Default::default(),
            hasher: RandomState::new(),
        })
    }

    /// Counts a connection in, unless `limit` are open.
    pub(crate) fn enter(self: &Arc<Self>, limit: u32) -> Option<Pass> {
        if self.open.fetch_add(1, Relaxed) < limit {
            return Some(Pass(Arc::clone(self)));
        }
        self.open.fetch_sub(1, Relaxed);
        None
    }

    /// Counts a connection in for its client, unless the client has `limit` open.
    pub(crate) fn enter_client(self: &Arc<Self>, client: IpAddr, limit: u32) -> Option<ClientPass> {
        let client = network(client);
        let mut clients = self.shard(client)?;
        let open = clients.entry(client).or_insert(0);
        if *open >= limit {
            return None;
        }
        *open += 1;
        Some(ClientPass {
            gate: Arc::clone(self),
            client,
        })
    }

    fn shard(&self, client: IpAddr) -> Option<MutexGuard<'_, HashMap<IpAddr, u32>>> {
        let hash = usize::try_from(self.hasher.hash_one(client) % SHARDS as u64).ok()?;
        let shard = self.clients.get(hash)?;
        // Each change of a count is one step, so a panic elsewhere leaves the map whole.
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What one client has: an IPv4 address, or an IPv6 network of 64 bits (RFC 6177).
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        v4 => v4,
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Drop for ClientPass {
    fn drop(&mut self) {
        if let Some(mut clients) = self.gate.shard(self.client)
            && let Entry::Occupied(mut open) = clients.entry(self.client)
        {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_closed_connection_makes_room() {
        let gate = Gate::new();
        let first = gate.enter(1).unwrap();
        assert!(gate.enter(1).is_none());
        drop(first);
        assert!(gate.enter(1).is_some());
    }

    #[test]
    fn each_client_has_its_own_count() {
        let gate = Gate::new();
        let ip = |text: &str| text.parse().unwrap();
        let first = gate.enter_client(ip("10.0.0.1"), 1).unwrap();
        assert!(gate.enter_client(ip("10.0.0.1"), 1).is_none());
        assert!(gate.enter_client(ip("::ffff:10.0.0.1"), 1).is_none());
        let _other = gate.enter_client(ip("10.0.0.2"), 1).unwrap();
        let _v6 = gate.enter_client(ip("2001:db8::1"), 1).unwrap();
        assert!(gate.enter_client(ip("2001:db8::ffff:0:0:2"), 1).is_none());
        drop(first);
        assert!(gate.enter_client(ip("10.0.0.1"), 1).is_some());
        assert!(
            gate.clients
                .iter()
                .all(|shard| shard.lock().unwrap().len() <= 2)
        );
    }
}
