//! How requests take their places, and how they give them back.

use lintel_kernel::{Exchange, Held, Rejection};
use lintel_state::in_flight::{Enter, Place};
use tokio::time::Instant;

use super::{Concurrency, limit::Limit};
use crate::Wait;

/// Stands for the place of a limit that the request has to wait for.
pub(super) const AWAITED: u32 = u32::MAX;

/// Why a request does not have all its places.
pub(super) enum Stop {
    /// There is none now of the limit at this index.
    Wait(usize),
    Refuse(Rejection),
}

impl Concurrency {
    /// Takes the places of the limits from an index on.
    pub(super) fn enter(&self, exchange: &mut Exchange, from: usize) -> Result<(), Stop> {
        for (index, limit) in self.limits.iter().enumerate().skip(from) {
            if !limit.selector.applies(exchange) {
                continue;
            }
            let key = limit.key(&self.table, exchange);
            match self.table.enter(key, limit.bounds) {
                Enter::In(Place(place)) => {
                    limit.counted.admitted.inc();
                    limit.counted.in_flight.add(1);
                    hold(exchange, index, place);
                }
                Enter::Uncounted => limit.counted.uncounted.inc(),
                Enter::Wait => return Err(Stop::Wait(index)),
                Enter::Full if limit.dry_run => limit.counted.dry_run.inc(),
                Enter::Full => {
                    limit.counted.refused.inc();
                    self.give_back(exchange);
                    exchange.held.clear();
                    return Err(Stop::Refuse(limit.full()));
                }
            }
        }
        Ok(())
    }

    /// Waits for a place in one of them.
    pub(super) async fn wait_for(
        &self,
        limit: &Limit,
        index: usize,
        exchange: &mut Exchange,
        wait: &Wait<'_>,
    ) -> Result<(), Rejection> {
        let key = limit.key(&self.table, exchange);
        let until = (Instant::now() + limit.patience).min(wait.deadline);
        let entered = {
            let _queued = limit.counted.wait();
            let entering = self.table.wait(key, limit.bounds);
            wait.timer.timeout_at(until, entering).await
        };
        match entered {
            Ok(Enter::In(Place(place))) => {
                limit.counted.queued.inc();
                limit.counted.in_flight.add(1);
                hold(exchange, index, place);
                Ok(())
            }
            Ok(Enter::Uncounted) => {
                limit.counted.uncounted.inc();
                Ok(())
            }
            Ok(Enter::Full | Enter::Wait) => {
                limit.counted.refused.inc();
                Err(limit.full())
            }
            Err(_elapsed) => {
                limit.counted.timeout.inc();
                Err(limit.waited())
            }
        }
    }

    /// Gives back what a request has.
    pub(super) fn give_back(&self, exchange: &Exchange) {
        for held in &exchange.held {
            let limit = self.limits.get(usize::from(held.limit));
            if let Some(limit) = limit.filter(|_| held.place != AWAITED) {
                limit.counted.in_flight.add(-1);
                self.table.leave(Place(held.place), limit.bounds);
            }
        }
    }
}

pub(super) fn hold(exchange: &mut Exchange, limit: usize, place: u32) {
    // There are no more; see the configuration.
    let limit = u16::try_from(limit).unwrap_or(u16::MAX);
    exchange.held.push(Held { limit, place });
}
