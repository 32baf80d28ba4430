//! The quotas of consumers and plans: they hold on every route.

use std::{collections::HashMap, sync::Arc};

use lintel_kernel::{Consumer, Fault};

use super::{
    config::{self, Config},
    runtime::Quota,
};
use crate::Context;

/// Quotas that follow a caller wherever it calls.
#[derive(Debug, Default)]
pub struct Callers {
    consumers: HashMap<Arc<str>, Vec<Arc<Quota>>>,
    plans: HashMap<Arc<str>, Vec<Arc<Quota>>>,
}

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
        self.consumers.insert(name.into(), built);
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
        self.plans.insert(name.into(), built);
        Ok(())
    }

    /// Whether nobody has any.
    pub fn is_empty(&self) -> bool {
        self.consumers.is_empty() && self.plans.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Quota>> {
        self.consumers.values().chain(self.plans.values()).flatten()
    }

    pub(super) fn of(
        &self,
        consumer: Option<&Consumer>,
    ) -> impl Iterator<Item = &Arc<Quota>> + use<'_> {
        let own = consumer.and_then(|consumer| self.consumers.get(&consumer.name));
        let plan = consumer.and_then(|consumer| self.plans.get(consumer.plan.as_ref()?));
        own.into_iter().chain(plan).flatten()
    }

    pub(super) fn describe(&self) -> impl Iterator<Item = String> {
        let mut texts: Vec<String> = self.all().map(|quota| quota.to_string()).collect();
        texts.sort_unstable();
        texts.into_iter()
    }
}
