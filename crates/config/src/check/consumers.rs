//! Consumers: their plans, and what they prove themselves with.

use std::sync::Arc;

use lintel_policies::Directory;

use super::Check;
use crate::{diagnostic::code, loaded::Loaded};

/// Checks the consumers and builds what policies know of them.
pub(super) fn check(check: &mut Check<'_>) {
    for (name, consumer) in &check.loaded.model.consumers {
        if let Some(plan) = &consumer.plan {
            let path = ["consumers", name.as_str(), "plan"];
            super::references::reference(check, "plans", code::UNKNOWN_PLAN, &path, plan);
        }
    }
    match directory(check.loaded) {
        Ok(directory) => check.consumers = Arc::new(directory),
        Err(faults) => {
            let loaded = check.loaded;
            let faults = faults
                .iter()
                .map(|fault| loaded.fault(&["consumers"], fault));
            check.out.extend(faults);
        }
    }
}

/// The consumers as policies know them.
pub(crate) fn directory(loaded: &Loaded) -> Result<Directory, Vec<lintel_kernel::Fault>> {
    let consumers = loaded.model.consumers.iter();
    Directory::build(consumers.map(|(name, consumer)| (name.as_str(), consumer)))
}
