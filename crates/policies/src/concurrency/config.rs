use lintel_kernel::{Duration, Fault, config, hash::hash};
use lintel_state::in_flight::{Bounds, MOST, MOST_WAITING};

use super::limit::{Counted, Limit};
use crate::{
    Context, described,
    per::{self, Per, Prefix},
    policy::Origin,
};

/// Limits of a route, or of the defaults. A request has a place in all that are about it, from its
/// admission to the last byte of its answer, or to the end of its tunnel.
pub type Config = Vec<LimitConfig>;

/// So many requests at once.
#[config]
#[schemars(rename = "ConcurrencyLimit")]
pub struct LimitConfig {
    /// What callers and metrics are told it is called. Default: the number and what it is counted
    /// per.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100), example = &"per-tenant")]
    pub name: Option<String>,

    /// How many requests at once, those of all workers of this replica together.
    #[schemars(range(min = 1, max = 16_000_000))]
    pub max: u32,

    /// What it is counted per: an expression, or several, which then count together. Requests for
    /// which one has no value count together as well. Without it, all requests count together.
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

    /// Requests beyond it wait, in the order of their arrival. Without this, they are refused at
    /// once.
    #[serde(default)]
    pub queue: Option<QueueConfig>,

    /// Counts what it would not admit at once, in `lintel_concurrency_requests_total`, and refuses
    /// nothing.
    #[serde(default)]
    pub dry_run: bool,

    /// Where it was written.
    #[serde(skip)]
    origin: Origin,
}

/// Who waits for a place.
#[config]
#[derive(Copy)]
#[schemars(rename = "ConcurrencyQueue")]
pub struct QueueConfig {
    /// How many requests of each caller wait at most; further ones are refused.
    #[schemars(range(min = 1, max = 1_000_000), example = 20)]
    pub size: u32,
    /// How long each of them waits at most, within the timeout of the route.
    #[serde(default = "second")]
    pub timeout: Duration,
}

const fn second() -> Duration {
    Duration::from_secs(1)
}

/// More than anybody needs, and as many as fit the index that a request keeps.
const MOST_LIMITS: usize = 1_000;

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
    let (mut built, mut faults): (Vec<Limit>, Vec<Fault>) = (Vec::new(), Vec::new());
    if limits.len() > MOST_LIMITS {
        faults.push(
            Fault::new(format!("more than {MOST_LIMITS} limits for one request"))
                .with_hint("count per an expression instead of once for each caller"),
        );
    }
    for (at, config) in limits.iter().enumerate() {
        match config.build(&config.origin.scope(context), context) {
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
    fn build(&self, scope: &str, context: &Context) -> Result<Limit, Vec<Fault>> {
        let mut faults = Vec::new();
        let selection = per::selection!(self, &[]);
        let selector = selection.build(context, &mut faults);
        let shown = || selection.name(format!("{} at once", self.max));
        let name = self.name.clone().unwrap_or_else(shown);
        if !per::is_plain(&name) {
            faults.push(per::not_plain());
        }
        if self.queue.is_some_and(|queue| queue.timeout.is_zero()) {
            faults.push(
                Fault::new("nobody can wait for no time at all")
                    .with_hint("write a time such as `1s`, or leave `queue` out")
                    .under("timeout")
                    .under("queue"),
            );
        }
        if self.queue.is_some() && self.dry_run {
            faults.push(
                Fault::new("a dry run lets nobody wait")
                    .with_hint("leave `queue` out until the limit is in force")
                    .under("queue"),
            );
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        // The same through reloads, whatever number it has: what is under way stays counted.
        let sources = selection.sources();
        let identity = format!("{scope}\0{name}\0{sources:?}\0{:?}", self.prefix);
        Ok(Limit {
            counted: Counted::new(scope, &name),
            id: hash(identity.as_bytes()),
            name: name.into(),
            scope: scope.into(),
            selector,
            bounds: Bounds {
                max: self.max.min(MOST),
                queue: self.queue.map_or(0, |queue| queue.size.min(MOST_WAITING)),
            },
            patience: self
                .queue
                .map(|queue| queue.timeout.to_std())
                .unwrap_or_default(),
            dry_run: self.dry_run,
        })
    }
}
