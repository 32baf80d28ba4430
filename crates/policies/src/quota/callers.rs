//! The quotas of consumers and plans: they hold on every route.

use std::sync::Arc;

use lintel_kernel::Fault;

use super::{
    config::{self, Config},
    runtime::Quota,
};
use crate::{Context, callers::ByCaller};

/// Quotas that follow a caller wherever it calls.
#[derive(Debug, Default)]
pub struct Callers(pub(super) ByCaller<Arc<Quota>>);

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
