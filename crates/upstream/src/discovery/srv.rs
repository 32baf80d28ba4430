//! Endpoints from DNS service records (RFC 2782).

use std::{collections::BTreeSet, fmt, net::SocketAddr, sync::Arc, time::Duration};

use hickory_resolver::proto::rr::rdata::SRV;
use tokio::time;

use super::{
    found::{Entries, Found},
    watcher::Session,
};
use crate::{resolver::SystemLookup, service::Scheme};

/// Bounds on how long an answer is used, whatever its TTL.
const MIN_TTL: Duration = Duration::from_secs(1);
/// After this a look-up counts as failed.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);
/// Hosts of more priorities than this share the last rank.
const LAST_RANK: u8 = 254;

/// A name with service records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvSource {
    /// The name: `_orders._tcp.example.internal`.
    pub name: Arc<str>,
    /// Servers to ask; none for those of the system.
    pub servers: Arc<[SocketAddr]>,
    /// An answer is used for at most this long.
    pub max_ttl: Duration,
}

impl fmt::Display for SrvSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dns_srv {}", self.name)
    }
}

pub(super) async fn follow(source: &SrvSource, session: &Session) -> Result<(), String> {
    let lookup = SystemLookup::shared(&source.servers);
    loop {
        let asked = time::timeout(LOOKUP_TIMEOUT, lookup.services(&source.name)).await;
        let (records, ttl) =
            asked.map_err(|_| format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs()))??;
        session.found(entries(&records, session.scheme));
        let pause = ttl.min(source.max_ttl).max(MIN_TTL);
        // Replicas that were started together shall not ask together for ever.
        time::sleep(pause.mul_f64(fastrand::f64().mul_add(0.1, 1.0))).await;
    }
}

/// A target of `.` means that the service is decidedly not there. Priorities become ranks: the
/// lowest number is 0, the next one 1, so that each takes over from the one before. A weight of 0
/// among others asks for a very small share, which 1 is; where all are 0 they are alike.
fn entries(records: &[SRV], scheme: Scheme) -> Entries {
    let there = || records.iter().filter(|record| !record.target.is_root());
    let priorities: BTreeSet<u16> = there().map(|record| record.priority).collect();
    let found = there().map(|record| {
        let target = record.target.to_utf8();
        let mut found = Found::at(scheme, target.trim_end_matches('.'), record.port);
        found.spec.weight = u32::from(record.weight).max(1);
        let rank = priorities.range(..record.priority).count();
        found.spec.priority = u8::try_from(rank).unwrap_or(LAST_RANK).min(LAST_RANK);
        found
    });
    Entries {
        found: found.collect(),
        unusable: Vec::new(),
    }
}
