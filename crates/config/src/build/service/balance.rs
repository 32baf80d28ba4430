//! How services are balanced.

use lintel_kernel::Fault;
use lintel_upstream::{
    balance::Rules,
    service::{Balance, Hashing, Key, SameSite, Sticky, TableKind},
};

use crate::model::{self, KeyedBalance, PlainBalance};

pub(super) fn balance(balance: &model::Balance) -> Result<Balance, Fault> {
    Ok(match balance {
        model::Balance::Plain(PlainBalance::RoundRobin) => Balance::RoundRobin,
        model::Balance::Plain(PlainBalance::Random) => Balance::Random,
        model::Balance::Plain(PlainBalance::LeastRequest) => Balance::LeastRequest,
        model::Balance::Plain(PlainBalance::PeakEwma) => Balance::PeakEwma,
        model::Balance::Keyed(KeyedBalance::Hash(hash)) => {
            let key = hash
                .key
                .compile()
                .map_err(|error| Fault::new(error.to_string()).under("key").under("hash"))?;
            Balance::Hash(Hashing {
                key: Key::new(key),
                table: match hash.table {
                    model::HashTable::Maglev => TableKind::Maglev,
                    model::HashTable::Ring => TableKind::Ring,
                },
                headroom: hash.headroom.map(|headroom| headroom.fraction()),
            })
        }
        model::Balance::Keyed(KeyedBalance::Sticky(sticky)) => Balance::Sticky(Sticky {
            cookie: sticky.cookie.0.as_str().into(),
            ttl: sticky.ttl.map(|ttl| ttl.to_std()),
            path: sticky.path.as_str().into(),
            secure: sticky.secure,
            http_only: sticky.http_only,
            same_site: match sticky.same_site {
                model::SameSite::Strict => SameSite::Strict,
                model::SameSite::Lax => SameSite::Lax,
                model::SameSite::None => SameSite::None,
            },
            secret: sticky.secret.clone(),
        }),
    })
}

pub(super) fn spread(failover: &model::Failover) -> Rules {
    Rules {
        panic_below: failover.panic_below.fraction(),
        headroom: failover.headroom.fraction(),
        prefer_zone: failover
            .prefer_zone
            .then_some(failover.min_in_zone as usize),
    }
}
