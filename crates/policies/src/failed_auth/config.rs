use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use ipnet::IpNet;
use lintel_kernel::{Duration, Fault, config};

use super::{
    FailedAuth,
    runtime::{Table, Terms},
};

/// How many credentials of a client may be wrong, and what happens then. Counted for each address;
/// an IPv6 client is its /64 network. Routes with equal settings count together.
#[config]
#[derive(Default)]
#[schemars(rename = "FailedAuth")]
pub struct Config {
    /// Wrong credentials that lead to a ban.
    #[serde(default = "attempts")]
    #[schemars(range(min = 1, max = 250))]
    pub attempts: u8,

    /// The time within which they happen.
    #[serde(default = "minute")]
    pub within: Duration,

    /// How long the first ban lasts. Each further one lasts twice as long as the one before.
    #[serde(default = "minute")]
    pub ban: Duration,

    /// How long a ban lasts at most. After as long without a failure all is forgotten.
    #[serde(default = "hour")]
    pub longest_ban: Duration,

    /// How long further requests of a client wait for each of its recent failures, 10 seconds at
    /// most. Default: not at all.
    #[serde(default)]
    pub slow_down: Option<Duration>,

    /// Addresses and networks that are never held off, such as a company's own.
    #[serde(default)]
    #[schemars(example = ["10.0.0.0/8"])]
    pub exempt: Vec<String>,
}

const fn attempts() -> u8 {
    10
}

const fn minute() -> Duration {
    Duration::from_secs(60)
}

const fn hour() -> Duration {
    Duration::from_secs(3600)
}

/// All tables in use: routes with equal settings share one, and so does the configuration that comes
/// after a reload.
static LIVE: Mutex<Vec<Weak<Table>>> = Mutex::new(Vec::new());

impl Config {
    pub(super) fn build(&self) -> Result<FailedAuth, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut seconds = |key: &str, time: Duration| {
            let whole = u32::try_from(time.to_std().as_secs()).unwrap_or(u32::MAX);
            if whole == 0 {
                faults.push(
                    Fault::new(format!("`{key}` is counted in whole seconds"))
                        .with_hint("write `1s` or more")
                        .under(key),
                );
            }
            whole
        };
        let terms = Terms {
            attempts: self.attempts,
            within: seconds("within", self.within),
            ban: seconds("ban", self.ban),
            longest: seconds("longest_ban", self.longest_ban),
        };
        if terms.longest < terms.ban {
            faults.push(
                Fault::new("the longest ban is shorter than the first one")
                    .with_hint("make `longest_ban` as long as `ban`, or longer")
                    .under("longest_ban"),
            );
        }
        let mut exempt = Vec::new();
        for (at, text) in self.exempt.iter().enumerate() {
            match network(text) {
                Ok(network) => exempt.push(network),
                Err(fault) => faults.push(fault.under(at.to_string()).under("exempt")),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(FailedAuth {
            table: shared(terms),
            exempt,
            slow_down: self.slow_down.unwrap_or_default().to_std(),
        })
    }
}

fn network(text: &str) -> Result<IpNet, Fault> {
    let address = || Some(IpNet::from(text.parse::<IpAddr>().ok()?));
    let network = text.parse().ok().or_else(address);
    network.ok_or_else(|| {
        Fault::new(format!("`{text}` is neither an address nor a network"))
            .with_hint("write `10.0.0.7` or `10.0.0.0/8`")
    })
}

fn shared(terms: Terms) -> Arc<Table> {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    live.retain(|table| table.strong_count() > 0);
    let mut known = live.iter().filter_map(Weak::upgrade);
    if let Some(known) = known.find(|table| *table.terms() == terms) {
        return known;
    }
    let table = Arc::new(Table::new(terms));
    live.push(Arc::downgrade(&table));
    table
}
