//! What holds for a caller wherever it calls.

use std::{collections::HashMap, fmt::Display, sync::Arc};

use lintel_kernel::Consumer;

use crate::consumers::{Layer, Seen};

/// What consumers have of their own, and what each on a plan has.
#[derive(Debug)]
pub(crate) struct ByCaller<T> {
    pub(crate) consumers: HashMap<Arc<str>, Vec<T>>,
    pub(crate) plans: HashMap<Arc<str>, Vec<T>>,
}

impl<T> ByCaller<T> {
    /// Whether nobody has anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.consumers.is_empty() && self.plans.is_empty()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.consumers.values().chain(self.plans.values()).flatten()
    }

    /// The consumer's own first, then that of its plan; `kind` is where those from outside have it.
    pub(crate) fn of<'a>(
        &'a self,
        consumer: Option<&Consumer>,
        outside: &'a Seen,
        kind: fn(&'a Layer) -> &'a Self,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let own = consumer.and_then(|consumer| {
            let declared = self.consumers.get(&consumer.name);
            declared.or_else(|| outside.as_ref()?.own(consumer, kind))
        });
        let plan = consumer.and_then(|consumer| {
            let plan = consumer.plan.as_ref()?;
            let declared = self.plans.get(plan);
            declared.or_else(|| kind(&outside.as_ref()?.plans).plans.get(plan))
        });
        own.into_iter().chain(plan).flatten()
    }

    pub(crate) fn describe(&self) -> impl Iterator<Item = String> + use<T>
    where
        T: Display,
    {
        let mut texts: Vec<String> = self.all().map(T::to_string).collect();
        texts.sort_unstable();
        texts.into_iter()
    }
}

impl<T> Default for ByCaller<T> {
    fn default() -> Self {
        Self {
            consumers: HashMap::new(),
            plans: HashMap::new(),
        }
    }
}
