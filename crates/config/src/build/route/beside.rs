//! What stands beside a route's action: its fallback and its mirror.

use lintel_kernel::Fault;
use lintel_proxy::{
    fallback::{Fallback, Instead, Triggers},
    mirror::{Compare, Mirror},
};

use crate::{
    build::page,
    model,
    text::{Cause, StatusPattern},
};

/// A route's fallback; `find` has the index of a service.
pub(super) fn fallback(
    fallback: &model::Fallback,
    find: impl Fn(&str) -> Result<usize, Fault>,
) -> Result<Box<Fallback>, Fault> {
    let to = match (&fallback.service, &fallback.respond) {
        (Some(service), _) => Instead::Service(find(service.as_str())?),
        (None, Some(respond)) => {
            let page = page::respond(respond).map_err(|fault| fault.under("respond"))?;
            Instead::Respond(Box::new(page))
        }
        (None, None) => return Err(Fault::new("a fallback needs `service` or `respond`")),
    };
    Ok(Box::new(Fallback {
        on: triggers(&fallback.on),
        to,
        timeout: fallback.timeout.to_std(),
        max_body: fallback.max_body.as_usize(),
        header: fallback.header.0.clone(),
    }))
}

fn triggers(on: &[Cause]) -> Triggers {
    let mut triggers = Triggers::default();
    for cause in on {
        match cause {
            Cause::Unreachable => triggers.unreachable = true,
            Cause::Unavailable => triggers.unavailable = true,
            Cause::Timeout => triggers.timeout = true,
            Cause::Status(StatusPattern::Exact(status)) => triggers.statuses.push(*status),
            Cause::Status(StatusPattern::Class(class)) => {
                triggers.classes.push(u16::from(*class));
            }
            Cause::Status(StatusPattern::Default) => triggers.classes.extend([4, 5]),
        }
    }
    triggers
}

/// A route's mirror; `find` has the index of a service.
pub(super) fn mirror(
    mirror: &model::Mirror,
    find: impl Fn(&str) -> Result<usize, Fault>,
) -> Result<Box<Mirror>, Fault> {
    Ok(Box::new(Mirror {
        service: find(mirror.service.as_str())?,
        share: mirror.share.fraction(),
        max_in_flight: mirror.max_in_flight,
        max_body: mirror.max_body.as_usize(),
        timeout: mirror.timeout.to_std(),
        header: mirror.header.0.clone(),
        host_suffix: mirror.host_suffix.as_ref().map(|suffix| suffix.0.clone()),
        compare: mirror.compare.as_ref().map(|compare| Compare {
            status: compare.status,
            body: compare.body,
        }),
    }))
}
