//! Splits.

use lintel_kernel::{Fault, expr::Expr};
use lintel_proxy::split::{CohortCookie, Selection, Split, Terms};

use crate::{model, text::ExprText};

/// The split of a route; `find` has the index of a service.
pub(super) fn split(
    route: &str,
    split: &model::Split,
    find: impl Fn(&str) -> Result<usize, Fault>,
) -> Result<Split, Fault> {
    let mut services = Vec::with_capacity(split.services.len());
    for (name, weight) in &split.services {
        services.push((find(name.as_str())?, name.to_string(), *weight));
    }
    let experiment = split
        .experiment
        .as_ref()
        .map_or(route, |name| name.as_str());
    let selection = split.selection.as_ref().map(|selection| {
        Ok::<_, Fault>(Selection {
            header: selection.header.as_ref().map(|name| name.0.clone()),
            cookie: selection.cookie.as_ref().map(|name| name.0.clone()),
            when: expr("when", selection.when.as_ref()).map_err(|fault| fault.under("override"))?,
        })
    });
    let terms = Terms {
        experiment: experiment.to_owned(),
        sticky: expr("sticky", split.sticky.as_ref())?,
        cookie: split.cookie.as_ref().map(|cookie| CohortCookie {
            name: cookie.name.0.clone(),
            ttl: cookie.ttl.to_std(),
        }),
        selection: selection.transpose()?,
        header: split.header.as_ref().map(|name| name.0.clone()),
    };
    Ok(Split::new(services, terms))
}

fn expr(key: &str, text: Option<&ExprText>) -> Result<Option<Expr>, Fault> {
    let compiled = text.map(ExprText::compile).transpose();
    compiled.map_err(|error| Fault::from(error).under(key))
}
