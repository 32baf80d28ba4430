//! What the operator says about endpoints while the gateway runs.

use std::{fmt, sync::PoisonError};

use super::{Order, Service};
use crate::health::Turn;

/// Why an order is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderError {
    /// The service has no such endpoint.
    Unknown,
    /// The weight is too large.
    TooLarge,
    /// Nothing would be left to send requests to.
    Last,
}

/// The largest weight; see the configuration's.
const MAX_WEIGHT: u32 = 65_535;

impl Service {
    /// Gives an endpoint another weight, without touching anything else; 0 drains it: it gets no
    /// new requests, but those that it has are finished, and sticky sessions stay.
    ///
    /// Holds through reloads, until the configuration itself gives the endpoint another weight or
    /// [`None`](Option::None) takes it back.
    ///
    /// # Errors
    ///
    /// There is no such endpoint, or it is the last one with a weight.
    pub fn set_weight(&self, id: &str, weight: Option<u32>) -> Result<(), OrderError> {
        if weight.is_some_and(|weight| weight > MAX_WEIGHT) {
            return Err(OrderError::TooLarge);
        }
        let set = self.members.set();
        let mut members = set.endpoints().iter().zip(set.placements());
        let (endpoint, place) = members
            .find(|(endpoint, _)| endpoint.id() == id)
            .ok_or(OrderError::Unknown)?;
        let mut others = set.endpoints().iter().zip(set.placements());
        let others_left = others.any(|(one, place)| place.weight > 0 && one.id() != id);
        if weight.unwrap_or(place.configured) == 0 && !others_left {
            return Err(OrderError::Last);
        }
        let order = weight.map(|weight| Order {
            weight,
            configured: place.configured,
        });
        let before = std::mem::replace(
            &mut *endpoint
                .order
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
            order,
        );
        if before != order {
            let turn = weight.map_or(Turn::ConfiguredWeight(place.configured), Turn::Weight);
            tracing::info!(
                service = &**self.name(),
                endpoint = %endpoint.spec(),
                "{turn}"
            );
            endpoint.health.note(turn);
            self.members.renew();
        }
        Ok(())
    }
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the service has no endpoint with this id"),
            Self::TooLarge => write!(f, "a weight is at most {MAX_WEIGHT}"),
            Self::Last => f.write_str("no endpoint of the service would be left with a weight"),
        }
    }
}
