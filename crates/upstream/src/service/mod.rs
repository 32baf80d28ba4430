//! Services: what is configured, and which endpoints that means right now.

mod balance;
mod built;
mod check;
mod endpoint;
mod known;
mod load;
mod lookup;
mod members;
mod orders;
mod slot;
mod spec;
mod status;
#[cfg(test)]
mod tests;
mod tls;
mod usage;

#[cfg(test)]
pub(crate) use self::tls::connectors;
pub use self::{
    balance::{Balance, Hashing, Key, SameSite, Sticky, TableKind},
    built::Service,
    endpoint::{Endpoint, EndpointSet, Placement, Target},
    orders::OrderError,
    spec::{
        Addresses, EndpointHost, EndpointSpec, HostRule, KeepAlive, Limits, Protocol, Resolve,
        Scheme, ServiceSpec, Timeouts,
    },
    status::{EndpointState, EndpointStatus},
};
pub(crate) use self::{
    check::endpoint_fault,
    endpoint::Order,
    known::greatest_common_divisor,
    load::{Load, Tally},
    lookup::Lookup,
    members::{Members, Taken},
    usage::{Place, Room, Usage},
};
