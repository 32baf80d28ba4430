use std::sync::Arc;

use lintel_kernel::{Allotment, Fault, Share, config};

use super::{
    period::Calendar,
    runtime::{Counted, Quota, Threshold},
    shared::Shared,
};
use crate::{
    Context, described,
    per::{self, Per, Prefix, Price},
    policy::Origin,
};

/// Quotas of a route, or of the defaults: one, such as `1000/day` of all requests together, or
/// several. A request is counted by all that are about it, and must be admitted by all.
#[config(untagged)]
#[schemars(rename = "Quotas")]
pub enum Config {
    /// So much, of all requests together; in a plan, of each consumer on it.
    One(Allotment),
    /// Several, or more about one.
    Many(Vec<QuotaConfig>),
}

/// So many requests in each hour, day, week or month of the calendar.
#[config]
#[schemars(rename = "Quota")]
pub struct QuotaConfig {
    /// What callers, metrics and the admin API are told it is called. Default: the limit and what
    /// it is counted per.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100), example = &"monthly")]
    pub name: Option<String>,

    /// How many requests, in each `hour` (of UTC), `day`, `week` (from Monday) or `month`.
    pub limit: Allotment,

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

    /// How much a request takes: an expression that has a number. 0 takes nothing and is not
    /// counted; where it has no whole number, it is 1. Default: 1.
    #[serde(default)]
    #[schemars(with = "Option<described::Expression>")]
    pub cost: Option<String>,

    /// By whose calendar days, weeks and months begin: the name of a time zone (IANA).
    #[serde(default = "utc")]
    #[schemars(example = &"Europe/Berlin")]
    pub time_zone: String,

    /// Shares of it at which callers are warned, in `X-Quota-Warning`, and the log and
    /// `lintel_quota_thresholds_total` tell.
    #[serde(default)]
    #[schemars(example = ["80%", "95%"])]
    pub soft: Vec<Share>,

    /// What happens beyond it.
    #[serde(default)]
    pub overage: Overage,

    /// Up to how many requests in all it may be overdrawn, with `overage: allow`. Default: without
    /// an end.
    #[serde(default)]
    pub allow_up_to: Option<u64>,

    /// The store in which all replicas count it: the name of one in `stores`. Without it, each
    /// replica counts for itself, and keeps the count over a restart in the folder of `state`.
    #[serde(default)]
    #[schemars(example = &"shared")]
    pub store: Option<String>,

    /// What holds while the store does not answer.
    #[serde(default)]
    pub on_store_failure: OnStoreFailure,

    /// Counts what it would refuse, in `lintel_quota_requests_total`, and refuses nothing.
    #[serde(default)]
    pub dry_run: bool,

    /// Whether answers tell the caller about it: `RateLimit`, `RateLimit-Policy` and
    /// `X-Quota-Warning`. Of several quotas the one is told of which least is left.
    #[serde(default = "yes")]
    pub headers: bool,

    /// Where it was written.
    #[serde(skip)]
    origin: Origin,
}

/// What happens beyond a quota.
#[config]
#[derive(Copy, PartialEq, Eq, Default)]
#[schemars(rename = "QuotaOverage")]
pub enum Overage {
    /// Requests are refused until the next period, with 429.
    #[default]
    Refuse,
    /// Requests are admitted and counted: what is beyond is for the bill.
    Allow,
}

/// What holds while a store does not answer.
#[config]
#[derive(Copy, PartialEq, Eq, Default)]
#[schemars(rename = "QuotaOnStoreFailure")]
pub enum OnStoreFailure {
    /// Everything is admitted, and not counted.
    #[default]
    Allow,
    /// Everything is refused, with 503.
    Deny,
}

const fn yes() -> bool {
    true
}

fn utc() -> String {
    "UTC".to_owned()
}

impl QuotaConfig {
    /// The same, as a route inherits it.
    pub(super) fn inherited(&self) -> Self {
        Self {
            origin: self.origin.inherited(),
            ..self.clone()
        }
    }

    fn of(limit: Allotment) -> Self {
        Self {
            name: None,
            limit,
            per: None,
            prefix: Prefix::default(),
            when: None,
            methods: Vec::new(),
            cost: None,
            time_zone: utc(),
            soft: Vec::new(),
            overage: Overage::default(),
            allow_up_to: None,
            store: None,
            on_store_failure: OnStoreFailure::default(),
            dry_run: false,
            headers: true,
            origin: Origin::Own,
        }
    }
}

impl Config {
    /// The quotas.
    pub fn quotas(&self) -> impl Iterator<Item = QuotaConfig> {
        let (one, many) = match self {
            Self::One(limit) => (Some(QuotaConfig::of(*limit)), &[][..]),
            Self::Many(many) => (None, &many[..]),
        };
        one.into_iter().chain(many.iter().cloned())
    }
}

/// Quotas that hold for a route; those that it inherits count all routes together that inherit them.
pub(super) fn build(config: &Config, context: &Context) -> Result<Vec<Arc<Quota>>, Vec<Fault>> {
    each_of(config, |quota| quota.origin.scope(context), &[], context)
}

/// Quotas that are written in a place; `each` is what they are counted per in any case.
pub(super) fn build_for(
    config: &Config,
    scope: &str,
    each: &[&str],
    context: &Context,
) -> Result<Vec<Arc<Quota>>, Vec<Fault>> {
    each_of(config, |_| scope.to_owned(), each, context)
}

fn each_of(
    config: &Config,
    scope: impl Fn(&QuotaConfig) -> String,
    each: &[&str],
    context: &Context,
) -> Result<Vec<Arc<Quota>>, Vec<Fault>> {
    let (mut built, mut faults): (Vec<Arc<Quota>>, Vec<Fault>) = (Vec::new(), Vec::new());
    let listed = matches!(config, Config::Many(_));
    let place = |at: usize, fault: Fault| match listed {
        true => fault.under(at.to_string()),
        false => fault,
    };
    for (at, quota) in config.quotas().enumerate() {
        match quota.build(&scope(&quota), each, context) {
            Ok(quota) => {
                if built.iter().any(|other| other.id == quota.id) {
                    let fault = Fault::new(format!("two quotas are called `{}`", quota.name))
                        .with_hint("give one of them a `name`");
                    faults.push(place(at, fault));
                }
                built.push(Arc::new(quota));
            }
            Err(found) => faults.extend(found.into_iter().map(|fault| place(at, fault))),
        }
    }
    if faults.is_empty() {
        Ok(built)
    } else {
        Err(faults)
    }
}

impl QuotaConfig {
    fn build(&self, scope: &str, each: &[&str], context: &Context) -> Result<Quota, Vec<Fault>> {
        let mut faults = Vec::new();
        let selection = per::selection!(self, each);
        let selector = selection.build(context, &mut faults);
        let shown = || {
            let Allotment { count, per } = self.limit;
            selection.name(format!("{count} a {}", per.name()))
        };
        let name = self.name.clone().unwrap_or_else(shown);
        if !per::is_plain(&name) {
            faults.push(per::not_plain());
        }
        let mut note = |fault: Fault| faults.push(fault);
        let cost = match self.cost.as_deref() {
            None => Some(Price::Fixed(1)),
            Some(text) => match text.trim().parse() {
                Ok(number) => Some(Price::Fixed(number)),
                Err(_) => {
                    let expr = context.request_expression(text);
                    expr.map_err(|fault| note(fault.under("cost")))
                        .ok()
                        .map(Price::Of)
                }
            },
        };
        let calendar = Calendar::new(self.limit.per, &self.time_zone);
        let calendar = calendar.map_err(&mut note).ok();
        let most = self.most().map_err(&mut note).ok();
        let shared = self.shared(context).map_err(&mut note).ok();
        match (cost, calendar, most, shared, faults.is_empty()) {
            (Some(cost), Some(calendar), Some(most), Some(shared), true) => Ok(Quota {
                counted: Counted::new(scope, &name),
                soft: self
                    .soft
                    .iter()
                    .map(|share| Threshold::new(scope, &name, *share, self.limit.count))
                    .collect(),
                id: format!("{scope}:{name}").into(),
                name: name.into(),
                scope: scope.into(),
                allotment: self.limit,
                calendar,
                zone: self.time_zone.as_str().into(),
                selector,
                cost,
                most,
                dry_run: self.dry_run,
                headers: self.headers,
                shared,
                book: context.book(),
            }),
            _ => Err(faults),
        }
    }

    /// What is admitted in all.
    fn most(&self) -> Result<u64, Fault> {
        let limit = self.limit.count;
        match (self.overage, self.allow_up_to) {
            (Overage::Refuse, Some(_)) => Err(Fault::new("what is refused can't be overdrawn")
                .with_hint("write `overage: allow` beside it, or leave it out")
                .under("allow_up_to")),
            (Overage::Allow, Some(most)) if most < limit => {
                Err(Fault::new("it is less than the quota itself")
                    .with_hint("write how many requests are admitted in all")
                    .under("allow_up_to"))
            }
            _ if limit == 0 => Err(Fault::new(format!("`{}` admits nothing, ever", self.limit))
                .with_hint("to refuse everything, write `respond` with a status")
                .under("limit")),
            _ if self.dry_run => Ok(u64::MAX),
            (Overage::Refuse, None) => Ok(limit),
            (Overage::Allow, most) => Ok(most.unwrap_or(u64::MAX)),
        }
    }

    /// Where it is counted for all replicas, if it is.
    fn shared(&self, context: &Context) -> Result<Option<Shared>, Fault> {
        let Some(name) = &self.store else {
            return Ok(None);
        };
        let store = context.store(name)?;
        // A rehearsal counts here, like a gateway that is alone.
        Ok((!context.dry).then(|| Shared {
            store: Arc::clone(store),
            on_failure: self.on_store_failure,
        }))
    }
}
