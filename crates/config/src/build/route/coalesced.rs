//! Which requests of a composition share a run.

use http::HeaderName;
use lintel_compose::{Does, Plan, Sends};
use lintel_kernel::{Fault, expr::Expr};
use lintel_proxy::compose::Coalesce;

use crate::model;

/// Words that an expression reads something of the request by.
const READS: [&str; 8] = [
    "request",
    "client",
    "path",
    "claims",
    "consumer",
    "auth",
    "tls",
    "certificate",
];

/// What makes requests of a composition the same; `more` are its expressions beside those of its legs.
pub(super) fn build<'e>(
    compose: &model::Compose,
    same: &model::Coalesce,
    plan: &'e Plan,
    more: impl Iterator<Item = &'e Expr>,
) -> Result<Coalesce, Fault> {
    let shared = same.by.is_some() && same.across_callers;
    let mut coalesce = Coalesce {
        by: Vec::new(),
        fields: if shared { Vec::new() } else { fields(compose) },
        target: same.by.is_none(),
        whole: false,
        caller: !same.across_callers,
        max_waiting: same.max_waiting as usize,
    };
    match &same.by {
        Some(by) => {
            for (at, expr) in by.iter().enumerate() {
                let expr = expr.compile();
                let under = |error| Fault::from(error).under(at.to_string()).under("by");
                coalesce.by.push(expr.map_err(under)?);
            }
        }
        None => read(&mut coalesce, exprs(plan).chain(more))?,
    }
    Ok(coalesce)
}

/// Takes up what expressions read. Where that is not known before the legs are, requests have to be
/// the same as a whole.
fn read<'e>(coalesce: &mut Coalesce, all: impl Iterator<Item = &'e Expr>) -> Result<(), Fault> {
    for expr in all {
        if expr.legs().is_empty() && !expr.reads_item() && !expr.reads_body() {
            let known = coalesce
                .by
                .iter()
                .any(|known| known.source() == expr.source());
            if !known {
                coalesce.by.push(Expr::parse(expr.source())?);
            }
        } else if READS.iter().any(|word| expr.source().contains(word)) {
            coalesce.whole = true;
        }
    }
    Ok(())
}

fn exprs(plan: &Plan) -> impl Iterator<Item = &Expr> {
    plan.legs().iter().flat_map(|leg| {
        let ask = match &leg.does {
            Does::Ask(ask) => Some(ask),
            Does::Value(_) => None,
        };
        let texts = ask.into_iter().flat_map(|ask| {
            let query = ask.query.iter().map(|(_, value)| value);
            let headers = ask.headers.iter().map(|(_, value)| value);
            std::iter::once(&ask.target).chain(query).chain(headers)
        });
        let exprs = texts.flat_map(lintel_kernel::expr::Template::exprs);
        let sent = ask.and_then(|ask| match &ask.sends {
            Some(Sends::Fill(fill)) => Some(fill.exprs()),
            _ => None,
        });
        let sent = sent.into_iter().flatten();
        leg.when.iter().chain(exprs).chain(sent)
    })
}

/// All fields that go along to one leg or another.
fn fields(compose: &model::Compose) -> Vec<HeaderName> {
    let legs = compose.legs.values();
    let own = legs.flat_map(|leg| leg.forward.as_ref().unwrap_or(&compose.forward));
    let mut fields: Vec<HeaderName> = own.map(|name| name.0.clone()).collect();
    fields.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    fields.dedup();
    fields
}
