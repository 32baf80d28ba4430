//! Load shedding.

use lintel_proxy::shed::{Overload, Priority};

use crate::model;

/// The settings of the gateway; none where nothing is refused.
pub(in crate::build) fn overload(overload: &model::Overload) -> Option<Overload> {
    overload.enabled.then(|| Overload {
        from: Priority::ALL.map(|priority| match priority {
            Priority::BestEffort => overload.best_effort.fraction(),
            Priority::Default => overload.default.fraction(),
            Priority::Critical => overload.critical.fraction(),
        }),
        recover: overload.recover.fraction(),
        queue_delay: overload.queue_delay.to_std(),
        memory: overload.memory.map(lintel_kernel::ByteSize::as_u64),
        files: overload.files.map(u64::from),
        connections: overload.connections.map(u64::from),
    })
}

/// The priority of a route.
pub(super) const fn priority(priority: model::Priority) -> Priority {
    match priority {
        model::Priority::Critical => Priority::Critical,
        model::Priority::Default => Priority::Default,
        model::Priority::BestEffort => Priority::BestEffort,
    }
}
