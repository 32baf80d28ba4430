//! One consumer or plan from outside.

use std::sync::Arc;

use lintel_kernel::Fault;
use lintel_policies::{ConsumerConfig, Context, quota, rate_limit};
use lintel_state::store::Record;

use crate::model::Plan;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A consumer.
    Consumer,
    /// A plan.
    Plan,
}

/// The longest name of an entry, and the longest text of one, in bytes.
pub(super) const LONGEST_NAME: usize = 256;
const LONGEST: usize = 64 << 10;

impl Kind {
    /// The section that such entries are in.
    pub const fn section(self) -> &'static str {
        match self {
            Self::Consumer => "consumers",
            Self::Plan => "plans",
        }
    }

    /// What one is called.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Plan => "plan",
        }
    }

    /// The record of an entry.
    pub(super) fn record(self, name: &str) -> Arc<str> {
        format!("{}/{name}", self.section()).into()
    }

    /// What a record is of; `None` where it is nothing of the kind.
    pub(super) fn of(record: &Record) -> Option<(Self, Arc<str>)> {
        let (section, name) = record.name.split_once('/')?;
        let kind = match section {
            "consumers" => Self::Consumer,
            "plans" => Self::Plan,
            _ => return None,
        };
        (1..=LONGEST_NAME)
            .contains(&name.len())
            .then(|| (kind, name.into()))
    }
}

/// Reads a consumer, and builds what it has of its own for the mistakes alone.
pub(super) fn consumer(
    name: &str,
    text: &str,
    context: &Context,
    secrets: bool,
) -> Result<ConsumerConfig, Fault> {
    let config: ConsumerConfig = read(text)?;
    let mut signing = config.signing_keys.iter();
    if let Some(at) = signing.position(|key| key.secret.is_some() && !secrets) {
        return Err(
            Fault::new("a store would show this secret to everybody who reads it")
                .with_hint(
                    "write the consumer in the configuration, with `${env.…}` or `${file.…}`",
                )
                .discreet()
                .under("secret")
                .under(at.to_string())
                .under("signing_keys"),
        );
    }
    let limits = rate_limit::Callers::default().add_consumer(name, &config.rate_limit, context);
    limits.map_err(|faults| first(faults).under("rate_limit"))?;
    let quotas = quota::Callers::default().add_consumer(name, config.quota.as_ref(), context);
    quotas.map_err(|faults| first(faults).under("quota"))?;
    Ok(config)
}

/// Reads a plan, and builds it for the mistakes alone.
pub(super) fn plan(name: &str, text: &str, context: &Context) -> Result<Plan, Fault> {
    let plan: Plan = read(text)?;
    let limits = rate_limit::Callers::default().add_plan(name, &plan.rate_limit, context);
    limits.map_err(|faults| first(faults).under("rate_limit"))?;
    let quotas = quota::Callers::default().add_plan(name, plan.quota.as_ref(), context);
    quotas.map_err(|faults| first(faults).under("quota"))?;
    Ok(plan)
}

/// What was read before.
pub(super) fn again<T: for<'de> serde::Deserialize<'de> + Default>(text: &str) -> T {
    read(text).unwrap_or_default()
}

fn read<T: for<'de> serde::Deserialize<'de>>(text: &str) -> Result<T, Fault> {
    if text.len() > LONGEST {
        let message = format!("it has more than {} KiB", LONGEST >> 10);
        return Err(Fault::new(message).with_hint("give it fewer keys"));
    }
    if !text.trim_start().starts_with('{') {
        // Lists would be read as well, their elements for the keys in their order.
        return Err(unfit());
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let path = path.split(['.', '[', ']']);
        let path = path.filter(|step| !matches!(*step, "" | "?"));
        let mut fault = unfit();
        fault.path = path.map(str::to_owned).collect();
        fault
    })
}

/// The words of the parser may quote what is written.
fn unfit() -> Fault {
    let fault = Fault::new("this is not what belongs here").discreet();
    fault.with_hint("`lintel schema` prints what may be written")
}

pub(super) fn first(faults: Vec<Fault>) -> Fault {
    let mut faults = faults.into_iter();
    faults
        .next()
        .unwrap_or_else(|| Fault::new("it can't be used"))
}
