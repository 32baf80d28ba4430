use lintel_kernel::{Duration, Fault, Share, config, hash::hash};

use super::shed::{Bad, Bounds, Counted, Shedding};
use crate::{
    Context, described,
    per::{self, Per, Prefix},
};

/// When requests are held back from a service that does not answer well.
#[config]
#[schemars(rename = "LoadShed")]
pub struct Config {
    /// The share of requests that the service has to answer well. Where it answers fewer, it gets only
    /// so many requests that what it answers well is this share of them: at 50%, twice as many as it
    /// answers well. Closer to 100%, less is sent in vain, and it takes longer to notice that the service
    /// is well again.
    #[serde(default = "half")]
    pub success: Share,

    /// Answers whose head takes longer are not good ones.
    #[serde(default)]
    #[schemars(example = &"800ms")]
    pub slow: Option<Duration>,

    /// Statuses of answers that say: too much. No answer at all says so in any case, and so do the
    /// gRPC statuses `RESOURCE_EXHAUSTED`, `UNAVAILABLE` and `DEADLINE_EXCEEDED`, in the head of an answer or behind it.
    #[serde(default = "too_much")]
    #[schemars(inner(range(min = 400, max = 599)), extend("uniqueItems" = true))]
    pub statuses: Vec<u16>,

    /// The time that is looked back on: 1 second to 1 minute.
    #[serde(default = "ten_seconds")]
    pub window: Duration,

    /// With fewer requests than so many in that time nothing is held back.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min_requests: u32,

    /// The most of the requests that are held back. The others find out whether the service is well
    /// again.
    #[serde(default = "most")]
    pub max_refused: Share,

    /// What learns together.
    #[serde(default)]
    pub scope: Scope,

    /// Learns for each caller apart: an expression that tells them from each other, or several.
    /// Without it, all callers count together.
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

    /// How important a request is: an expression that has `critical`, `default` or `best_effort`. Where
    /// it has something else, and without it, the `priority` of the route counts.
    #[serde(default)]
    #[schemars(with = "Option<described::Expression>")]
    pub priority: Option<String>,

    /// Counts what it would hold back, in `lintel_load_shed_requests_total`, and refuses nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What learns together.
#[config]
#[derive(Copy, PartialEq, Eq, Default)]
#[schemars(rename = "LoadShedScope")]
pub enum Scope {
    /// All routes that send to the same service, or to the same ones.
    #[default]
    Service,
    /// Each route by itself.
    Route,
}

const fn half() -> Share {
    Share::percent(50)
}

const fn most() -> Share {
    Share::percent(95)
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const fn twenty() -> u32 {
    20
}

fn too_much() -> Vec<u16> {
    vec![429, 503, 504]
}

/// How it is done on a route; `None` where it sends to no service.
pub(super) fn build(config: &Config, context: &Context) -> Result<Option<Shedding>, Vec<Fault>> {
    let mut faults = Vec::new();
    let selection = per::selection!(config, &[]);
    let selector = selection.build(context, &mut faults);
    let priority = config.priority.as_deref().and_then(|text| {
        let expr = context.request_expression(text);
        expr.map_err(|fault| faults.push(fault.under("priority")))
            .ok()
    });
    faults.extend(config.values());
    if !faults.is_empty() {
        return Err(faults);
    }
    let targets = context.targets.as_deref().unwrap_or_default();
    let (Some(route), false) = (&context.route, targets.is_empty()) else {
        return Ok(None);
    };
    // The same through reloads, until what it counts is another thing.
    let place = match config.scope {
        Scope::Service => format!("service\0{targets:?}"),
        Scope::Route => format!("route\0{route}"),
    };
    let sources = selection.sources();
    let window = config.window.to_std();
    let identity = format!(
        "load_shed\0{place}\0{window:?}\0{sources:?}\0{:?}",
        config.prefix
    );
    Ok(Some(Shedding {
        id: hash(identity.as_bytes()),
        about: match config.scope {
            Scope::Service => targets.join(", ").into(),
            Scope::Route => format!("route {route}").into(),
        },
        selector,
        priority,
        usual: context.priority,
        bounds: Bounds {
            multiplier: 1.0 / config.success.fraction(),
            at_least: f64::from(config.min_requests),
            most: config.max_refused.fraction(),
        },
        bad: Bad {
            statuses: config.statuses.clone().into(),
            slow: config.slow.map(|slow| slow.to_std()),
        },
        window,
        dry_run: config.dry_run,
        counted: Counted::new(route),
    }))
}

impl Config {
    /// What is wrong with the numbers.
    fn values(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut note = |key: &str, message: &str, hint: &str| {
            faults.push(Fault::new(message).with_hint(hint).under(key));
        };
        if self.success.fraction() < 0.01 {
            note(
                "success",
                "a service that answers next to nothing well would get all requests still",
                "write a share such as `50%`, 1% at least",
            );
        }
        if self.max_refused.fraction() <= 0.0 {
            note(
                "max_refused",
                "nothing would ever be held back",
                "write a share such as `95%`; to look on at first, `dry_run: true`",
            );
        }
        if self.slow.is_some_and(|slow| slow.is_zero()) {
            note(
                "slow",
                "every answer takes longer than no time",
                "write a time such as `800ms`",
            );
        }
        let window = self.window.to_std().as_millis();
        if !(1_000..=60_000).contains(&window) {
            note(
                "window",
                "the time that is looked back on is 1 second to 1 minute",
                "write a time such as `10s`",
            );
        }
        faults
    }
}
