//! The limits of consumers and plans: they hold on every route.

use std::{collections::HashMap, sync::Arc};

use lintel_kernel::{Consumer, Fault};

use super::{
    config::{self, LimitConfig},
    limit::Limit,
};
use crate::Context;

/// Limits that follow a caller wherever it calls.
#[derive(Debug, Default)]
pub struct Callers {
    consumers: HashMap<Arc<str>, Vec<Limit>>,
    plans: HashMap<Arc<str>, Vec<Limit>>,
}

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
            self.consumers.insert(name.into(), built);
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
            self.plans.insert(name.into(), built);
        }
        Ok(())
    }

    /// Whether nobody has any.
    pub fn is_empty(&self) -> bool {
        self.consumers.is_empty() && self.plans.is_empty()
    }

    pub(super) fn of(&self, consumer: Option<&Consumer>) -> impl Iterator<Item = &Limit> + use<'_> {
        let own = consumer.and_then(|consumer| self.consumers.get(&consumer.name));
        let plan = consumer.and_then(|consumer| self.plans.get(consumer.plan.as_ref()?));
        own.into_iter().chain(plan).flatten()
    }

    pub(super) fn describe(&self) -> impl Iterator<Item = String> {
        let all = self.consumers.values().chain(self.plans.values()).flatten();
        let mut texts: Vec<String> = all.map(Limit::to_string).collect();
        texts.sort_unstable();
        texts.into_iter()
    }
}
