//! How keys find endpoints: tables over one set, made where the set is, so that no worker has to.

use std::sync::Arc;

use aws_lc_rs::hmac;
use lintel_kernel::{Secret, hash::hash};

use super::{
    balance::{Balance, TableKind},
    endpoint::Endpoint,
};
use crate::balance::{Maglev, Ring, Sessions, Table};

/// Which table a service needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum LookupRule {
    #[default]
    None,
    Hash(TableKind),
    Sessions {
        service: Arc<str>,
        secret: Option<Secret>,
    },
}

/// How sets of endpoints are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SetRule {
    pub(crate) lookup: LookupRule,
    /// Endpoints that come get no requests before a check has passed.
    pub(crate) unchecked: bool,
}

/// The table of one set.
#[derive(Debug, Default)]
pub(crate) enum Lookup {
    #[default]
    None,
    Hash(Table),
    Sessions(Sessions),
}

impl LookupRule {
    pub(crate) fn of(balance: &Balance, service: &Arc<str>) -> Self {
        match balance {
            Balance::Hash(hashing) => Self::Hash(hashing.table),
            Balance::Sticky(sticky) => Self::Sessions {
                service: Arc::clone(service),
                secret: sticky.secret.clone(),
            },
            _ => Self::None,
        }
    }

    pub(crate) fn build(&self, endpoints: &[Arc<Endpoint>], weights: &[u32]) -> Lookup {
        match self {
            Self::None => Lookup::None,
            Self::Hash(kind) => {
                let ids = endpoints.iter().map(|one| hash(one.identity().as_bytes()));
                let weighted: Vec<(u64, u32)> = ids.zip(weights.iter().copied()).collect();
                Lookup::Hash(match kind {
                    TableKind::Maglev => Table::Maglev(Maglev::new(&weighted)),
                    TableKind::Ring => Table::Ring(Ring::new(&weighted)),
                })
            }
            Self::Sessions { service, secret } => {
                let own = format!("lintel sticky sessions of {service}");
                let key = secret.as_ref().map_or(own.as_str(), Secret::expose);
                let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
                let numbers = endpoints.iter().map(|one| number(&key, one));
                Lookup::Sessions(Sessions::new(numbers))
            }
        }
    }
}

/// The first half of a MAC of what the endpoint is: the same on every replica, and no hint at its
/// address to who does not know the key.
fn number(key: &hmac::Key, endpoint: &Endpoint) -> u64 {
    let tag = hmac::sign(key, endpoint.identity().as_bytes());
    let bytes = tag.as_ref().iter().take(8);
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}
