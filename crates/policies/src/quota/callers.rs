//! The quotas of consumers and plans: they hold on every route.

use std::sync::Arc;

use lintel_kernel::{Exchange, Fault};

use super::{
    Quotas,
    config::{self, Config},
    runtime::Quota,
};
use crate::{
    Context,
    callers::ByCaller,
    consumers::{Outside, Seen},
};

/// Quotas that follow a caller wherever it calls.
#[derive(Debug, Default)]
pub struct Callers(pub(crate) ByCaller<Arc<Quota>>);

impl Callers {
    /// Adds the quotas of a consumer.
    ///
    /// # Errors
    /// Every mistake, each with its path below the key.
    pub fn add_consumer(
        &mut self,
        name: &str,
        quotas: Option<&Config>,
        context: &Context,
    ) -> Result<(), Vec<Fault>> {
        let Some(quotas) = quotas else { return Ok(()) };
        let built = config::build_for(quotas, &format!("consumers.{name}"), &[], context)?;
        self.0.consumers.insert(name.into(), built);
        Ok(())
    }

    /// Adds the quotas of a plan. They count for each consumer on it alone.
    ///
    /// # Errors
    /// Every mistake, each with its path below the key.
    pub fn add_plan(
        &mut self,
        name: &str,
        quotas: Option<&Config>,
        context: &Context,
    ) -> Result<(), Vec<Fault>> {
        let Some(quotas) = quotas else { return Ok(()) };
        let each = ["consumer.name"];
        let built = config::build_for(quotas, &format!("plans.{name}"), &each, context)?;
        self.0.plans.insert(name.into(), built);
        Ok(())
    }

    /// Whether nobody has any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Quotas {
    /// Consumers and plans from outside, where that matters.
    pub(super) fn seen(&self, exchange: &Exchange) -> Seen {
        Outside::of(self.outside.as_ref(), exchange.consumer())
    }

    /// The quotas of a request, the most specific first: of the consumer, of its plan, of the route,
    /// of the defaults. If those from outside change while it waits, a request may count by the old ones
    /// here and by the new ones in a store, once.
    pub(super) fn of<'a>(
        &'a self,
        seen: &'a Seen,
        exchange: &Exchange,
    ) -> impl Iterator<Item = &'a Quota> + use<'a> {
        let caller = self
            .callers
            .0
            .of(exchange.consumer(), seen, |layer| &layer.quotas.0);
        caller.chain(&self.quotas).map(|quota| &**quota)
    }
}
