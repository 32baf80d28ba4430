//! The limits of consumers and plans: they hold on every route.

use lintel_kernel::Fault;

use super::{
    config::{self, LimitConfig},
    limit::Limit,
};
use crate::{Context, callers::ByCaller};

/// Limits that follow a caller wherever it calls.
#[derive(Debug, Default)]
pub struct Callers(pub(crate) ByCaller<Limit>);

impl Callers {
    /// Adds the limits of a consumer.
    ///
    /// # Errors
    /// Every mistake, each with its path below the list.
    pub fn add_consumer(
        &mut self,
        name: &str,
        limits: &[LimitConfig],
        context: &Context,
    ) -> Result<(), Vec<Fault>> {
        let built = config::build_for(limits, format!("consumers.{name}"), &[], context)?;
        if !built.is_empty() {
            self.0.consumers.insert(name.into(), built);
        }
        Ok(())
    }

    /// Adds the limits of a plan. They count for each consumer on it alone.
    ///
    /// # Errors
    /// Every mistake, each with its path below the list.
    pub fn add_plan(
        &mut self,
        name: &str,
        limits: &[LimitConfig],
        context: &Context,
    ) -> Result<(), Vec<Fault>> {
        let each = ["consumer.name"];
        let built = config::build_for(limits, format!("plans.{name}"), &each, context)?;
        if !built.is_empty() {
            self.0.plans.insert(name.into(), built);
        }
        Ok(())
    }

    /// Whether nobody has any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
