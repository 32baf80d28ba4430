//! What holds for a caller wherever it calls.

use std::{collections::HashMap, fmt::Display, sync::Arc};

use lintel_kernel::Consumer;

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

    /// The consumer's own first, then that of its plan.
    pub(crate) fn of(&self, consumer: Option<&Consumer>) -> impl Iterator<Item = &T> + use<'_, T> {
        let own = consumer.and_then(|consumer| self.consumers.get(&consumer.name));
        let plan = consumer.and_then(|consumer| self.plans.get(consumer.plan.as_ref()?));
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
