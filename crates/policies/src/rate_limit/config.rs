use std::sync::Arc;

use lintel_kernel::{Fault, Rate, config, hash::hash};
use lintel_state::{
    limit::{FixedWindow, Invalid, Rule, SlidingWindow, TokenBucket},
    store::{Lease, Meaning},
};

use super::{
    fields::Told,
    limit::{Counted, Limit},
    shared::Shared,
};
use crate::{
    Context, described,
    per::{self, Price},
    policy::Origin,
};

pub use crate::per::{Per, Prefix};

/// The limits of a route, or of the defaults. A request is counted by all that are about it, and
/// must be admitted by all; one that is refused by any spends nothing of the others.
pub type Config = Vec<LimitConfig>;

/// So many requests in a time.
#[config]
#[schemars(rename = "RateLimit")]
pub struct LimitConfig {
    /// What callers and metrics are told it is called. Default: the rate and what it is counted per.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100), example = &"burst")]
    pub name: Option<String>,

    /// How many requests in how much time, in the long run.
    pub rate: Rate,

    /// How many at once, where the algorithm is a token bucket. Default: the number of the rate.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub burst: Option<u64>,

    /// What it is counted per: an expression, or several, which then count together. Requests for
    /// which one has no value count together as well. Without it, all requests count together; in
    /// a plan, those of each consumer do.
    #[serde(default)]
    pub per: Option<Per>,

    /// How much of an address `per: client.ip` looks at.
    #[serde(default)]
    pub prefix: Prefix,

    /// Which requests it is about: a condition. Default: all.
    #[serde(default)]
    #[schemars(with = "Option<described::Expression>")]
    pub when: Option<String>,

    /// Methods that it is about. Default: all.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true), example = ["POST", "PUT"])]
    pub methods: Vec<String>,

    /// How much a request takes: a number, or an expression that has one. 0 takes nothing and is
    /// not counted; where the expression has no whole number, it is 1. Default 1.
    #[serde(default)]
    pub cost: Cost,

    /// What the rate means.
    #[serde(default)]
    pub algorithm: Algorithm,

    /// The store in which all replicas count it together: the name of one in `stores`. Without it,
    /// each replica counts for itself. A request that has a place in both is counted here first, so
    /// that bursts do not reach the store.
    #[serde(default)]
    #[schemars(example = &"shared")]
    pub store: Option<String>,

    /// How much of it a replica takes from the store ahead of need, at most. Most requests are then
    /// decided without a round trip; together the replicas may admit `replicas · lease` more than the
    /// limit in a time, where they held as much before. What is not used within a second goes back.
    /// Without it, each request asks the store.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100000), example = 50)]
    pub lease: Option<u32>,

    /// Whether the rate is what all replicas may admit together, each its share: the rate and the
    /// burst divided by `replicas`. Costs nothing and needs no store beyond the one that replicas are
    /// counted in; exact where callers spread evenly over replicas, otherwise it admits less. Not with
    /// `store`, where all of them count together.
    #[serde(default)]
    pub across_replicas: bool,

    /// What holds while the store does not answer.
    #[serde(default)]
    pub on_store_failure: OnStoreFailure,

    /// Counts what it would refuse, in `lintel_rate_limit_requests_total`, and refuses nothing.
    #[serde(default)]
    pub dry_run: bool,

    /// Whether answers tell the caller about it: `RateLimit`, `RateLimit-Policy` and
    /// `X-RateLimit-*`. Of several limits the one is told of which least is left.
    #[serde(default = "yes")]
    pub headers: bool,

    /// Where it was written.
    #[serde(skip)]
    pub(super) origin: Origin,
}

/// A number, or an expression.
#[config(untagged)]
#[schemars(rename = "RateLimitCost")]
pub enum Cost {
    /// The same for every request.
    Number(u64),
    /// What the request makes of it.
    Expression(#[schemars(with = "described::Expression")] String),
}

/// What a rate means.
#[config]
#[derive(Copy, PartialEq, Eq, Default)]
#[schemars(rename = "RateLimitAlgorithm")]
pub enum Algorithm {
    /// A bucket of `burst` tokens that fills evenly: never more than `rate · t + burst` in any time
    /// `t`.
    #[default]
    TokenBucket,
    /// At most the number of the rate in any window of its time, where what came in the window
    /// before is taken to have come evenly.
    SlidingWindow,
    /// At most the number of the rate in each window of its time: the minutes, the hours of the
    /// clock, in UTC. Twice as many may come around the turn of a window.
    FixedWindow,
}

/// What holds while a store does not answer.
#[config]
#[derive(Copy, PartialEq, Eq, Default)]
#[schemars(rename = "RateLimitOnStoreFailure")]
pub enum OnStoreFailure {
    /// This replica counts for itself, up to its share: the limit divided by `replicas`, their last
    /// known number where they are counted, and 1 at least.
    #[default]
    Local,
    /// Everything is admitted.
    Allow,
    /// Everything is refused, with 503.
    Deny,
}

impl Default for Cost {
    fn default() -> Self {
        Self::Number(1)
    }
}

impl LimitConfig {
    /// The same, as a route inherits it.
    pub(super) fn inherited(&self) -> Self {
        Self {
            origin: self.origin.inherited(),
            ..self.clone()
        }
    }
}

/// Limits that hold for a route; those that it inherits count all routes together that inherit them.
pub(super) fn build(limits: &Config, context: &Context) -> Result<Vec<Limit>, Vec<Fault>> {
    let scopes = limits.iter().map(|limit| limit.origin.scope(context));
    all(limits.iter().zip(scopes), &[], context)
}

/// Limits of a consumer or plan; `each` is what they are counted per in any case.
pub(super) fn build_for(
    limits: &[LimitConfig],
    scope: String,
    each: &[&str],
    context: &Context,
) -> Result<Vec<Limit>, Vec<Fault>> {
    let scopes = std::iter::repeat_n(scope, limits.len());
    all(limits.iter().zip(scopes), each, context)
}

fn all<'a>(
    limits: impl Iterator<Item = (&'a LimitConfig, String)>,
    each: &[&str],
    context: &Context,
) -> Result<Vec<Limit>, Vec<Fault>> {
    let (mut built, mut faults): (Vec<Limit>, Vec<Fault>) = (Vec::new(), Vec::new());
    for (at, (config, scope)) in limits.enumerate() {
        match config.build(scope, each, context) {
            Ok(limit) => {
                let twice = |other: &Limit| other.name == limit.name && other.scope == limit.scope;
                if built.iter().any(twice) {
                    let fault = Fault::new(format!("two limits are called `{}`", limit.name))
                        .with_hint("give one of them a `name`");
                    faults.push(fault.under(at.to_string()));
                }
                built.push(limit);
            }
            Err(found) => faults.extend(found.into_iter().map(|fault| fault.under(at.to_string()))),
        }
    }
    if faults.is_empty() {
        Ok(built)
    } else {
        Err(faults)
    }
}

impl LimitConfig {
    fn build(&self, scope: String, each: &[&str], context: &Context) -> Result<Limit, Vec<Fault>> {
        let mut faults = Vec::new();
        let rule = self.rule().map_err(|fault| faults.push(fault)).ok();
        let selection = per::selection!(self, each);
        let selector = selection.build(context, &mut faults);
        let cost = self.price(rule, context);
        let cost = cost.map_err(|fault| faults.push(fault.under("cost"))).ok();
        let shown = || selection.name(self.rate.to_string());
        let name = self.name.clone().unwrap_or_else(shown);
        let most = rule.map_or(0, |rule| rule.most());
        let told = Told::new(&name, self.rate, most);
        faults.extend(told.is_none().then(per::not_plain));
        let shared = self.shared(&scope, &name, context);
        let shared = shared.map_err(|fault| faults.push(fault)).ok().flatten();
        faults.extend(self.divided_twice());
        faults.extend(rule.and_then(|rule| self.lease_fault(&rule)));
        let divided = self.across_replicas || shared.is_some();
        let (Some(rule), Some(cost), true) = (rule, cost, faults.is_empty()) else {
            return Err(faults);
        };
        let id = self.id(&scope, &name, rule.most(), each);
        Ok(Limit {
            counted: Counted::new(&scope, &name),
            told: told.filter(|_| self.headers),
            name: name.into(),
            scope: scope.into(),
            rate: self.rate,
            rule,
            id,
            selector,
            cost,
            dry_run: self.dry_run,
            replicas: divided.then(|| Arc::clone(&context.replicas)),
            shared,
        })
    }

    fn divided_twice(&self) -> Option<Fault> {
        let twice = self.across_replicas && self.store.is_some();
        twice.then(|| {
            Fault::new("a limit with a `store` is counted by all replicas together already")
                .with_hint("remove `across_replicas`, or remove `store` to divide it instead")
                .under("across_replicas")
        })
    }

    /// The same through reloads, until what it counts is another thing.
    fn id(&self, scope: &str, name: &str, most: u64, each: &[&str]) -> u64 {
        let sources = self.per.as_ref().map_or(&[][..], Per::sources);
        let identity = format!(
            "{scope}\0{name}\0{:?}\0{}\0{most}\0{each:?}\0{sources:?}\0{:?}",
            self.algorithm, self.rate, self.prefix
        );
        hash(identity.as_bytes())
    }

    fn lease_fault(&self, rule: &Rule) -> Option<Fault> {
        let lease = self.lease?;
        let fault = if self.store.is_none() {
            Fault::new("without a `store` there is nothing to take ahead of need from")
                .with_hint("name a `store`, or remove `lease`")
        } else if u64::from(lease) > rule.most() {
            Fault::new("a lease can't be more than can be spent at once")
                .with_hint("write a tenth of `burst`, or less where there are many replicas")
        } else {
            return None;
        };
        Some(fault.under("lease"))
    }

    /// Where it is counted for all replicas, if it is.
    fn shared(&self, scope: &str, name: &str, context: &Context) -> Result<Option<Shared>, Fault> {
        let Some(store) = &self.store else {
            return Ok(None);
        };
        let store = context.store(store)?;
        // A rehearsal counts here, like a gateway that is alone.
        if context.dry {
            return Ok(None);
        }
        Ok(Some(Shared {
            store: Arc::clone(store),
            meaning: match self.algorithm {
                Algorithm::TokenBucket => Meaning::TokenBucket,
                Algorithm::SlidingWindow => Meaning::SlidingWindow,
                Algorithm::FixedWindow => Meaning::FixedWindow,
            },
            key: format!("{scope}:{name}"),
            lease: self
                .lease
                .map(|size| Lease::new(Arc::clone(store), context.table(), size.into())),
            on_failure: self.on_store_failure,
        }))
    }

    fn rule(&self) -> Result<Rule, Fault> {
        let Rate { count, per } = self.rate;
        let windowed = self.algorithm != Algorithm::TokenBucket;
        if windowed && self.burst.is_some() {
            return Err(Fault::new("a window has no burst")
                .with_hint("leave it out, or use `algorithm: token_bucket`")
                .under("burst"));
        }
        let burst = self.burst.unwrap_or(count);
        let rule = match self.algorithm {
            Algorithm::TokenBucket => TokenBucket::new(count, per, burst).map(Rule::TokenBucket),
            Algorithm::SlidingWindow => SlidingWindow::new(count, per).map(Rule::SlidingWindow),
            Algorithm::FixedWindow => FixedWindow::new(count, per).map(Rule::FixedWindow),
        };
        rule.map_err(|invalid| {
            let hint = match invalid {
                Invalid::Zero => "to refuse everything, write `respond` with a status",
                Invalid::Period if windowed => "a window lasts a second at least",
                Invalid::Period => "write a time such as `s`, `min` or `h`",
                Invalid::TooMany(_) => "write a smaller number, or leave the limit out",
            };
            Fault::new(format!("`{}` can't be a limit: {invalid}", self.rate))
                .with_hint(hint)
                .under("rate")
        })
    }

    fn price(&self, rule: Option<Rule>, context: &Context) -> Result<Price, Fault> {
        match &self.cost {
            Cost::Number(cost) if rule.is_some_and(|rule| rule.most() < *cost) => {
                Err(Fault::new("a request costs more than can be spent at once")
                    .with_hint("raise `burst`, or lower `cost`"))
            }
            Cost::Number(cost) => Ok(Price::Fixed(*cost)),
            Cost::Expression(text) => context.request_expression(text).map(Price::Of),
        }
    }
}

const fn yes() -> bool {
    true
}
