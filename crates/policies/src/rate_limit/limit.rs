//! One limit, ready to be asked.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    net::IpAddr,
};

use http::{HeaderValue, Method};
use lintel_kernel::{
    Exchange, Rate,
    expr::{Expr, Scope},
};
use lintel_state::limit::{Key, Rule, Table};
use lintel_telemetry::metrics::{
    PolicyCounter, PolicyGauge,
    family::{RATE_LIMIT_DISPLACED, RATE_LIMIT_KEYS, RATE_LIMIT_REQUESTS},
};
use sha1::{Digest as _, Sha1};

use super::shared::Shared;

/// Longest values that a key in a store shows.
const LONGEST: usize = 96;

/// A limit: whom it counts, how, and what it does.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) name: Box<str>,
    /// Where it is written.
    pub(super) scope: Box<str>,
    pub(super) rate: Rate,
    pub(super) rule: Rule,
    /// Tells it from all other limits, through reloads.
    pub(super) id: u64,
    pub(super) per: Vec<Part>,
    pub(super) when: Option<Expr>,
    /// Empty: all.
    pub(super) methods: Vec<Method>,
    pub(super) cost: Price,
    pub(super) dry_run: bool,
    /// Where all replicas count it, if they do so together.
    pub(super) shared: Option<Shared>,
    /// Its `RateLimit-Policy`, where callers are told.
    pub(super) policy: Option<HeaderValue>,
    pub(super) counted: Counted,
}

/// What tells callers apart.
#[derive(Debug)]
pub(super) enum Part {
    /// The client's address, without what is beyond a prefix.
    Client {
        v4: u8,
        v6: u8,
    },
    Value(Expr),
}

/// What a request costs.
#[derive(Debug)]
pub(super) enum Price {
    Fixed(u64),
    Of(Expr),
}

/// What became of requests.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) admitted: PolicyCounter,
    pub(super) refused: PolicyCounter,
    pub(super) dry_run: PolicyCounter,
    pub(super) keys: PolicyGauge,
    pub(super) displaced: PolicyCounter,
}

impl Limit {
    /// Whether it is about a request at all.
    pub(super) fn applies(&self, exchange: &Exchange) -> bool {
        let method = &exchange.request.method;
        (self.methods.is_empty() || self.methods.contains(method))
            && self
                .when
                .as_ref()
                .is_none_or(|when| when.holds(Scope::request(exchange)))
    }

    /// Whom a request counts for. What is absent is a value too: leaving a header field out is no
    /// way around a limit.
    pub(super) fn key(&self, table: &Table, exchange: &Exchange) -> Key {
        let key = table.key().number(self.id);
        let parts = self.per.iter();
        let key = parts.fold(key, |key, part| match part {
            Part::Client { v4, v6 } => match exchange.client.to_canonical() {
                IpAddr::V4(address) => key.number(masked(u32::from(address).into(), 32, *v4)),
                IpAddr::V6(address) => {
                    let network = masked(u128::from(address), 128, *v6);
                    key.bytes(&network.to_be_bytes())
                }
            },
            Part::Value(expr) => match expr.text(Scope::request(exchange)) {
                Some(text) => key.bytes(text.as_bytes()),
                None => key.number(u64::MAX),
            },
        });
        key.finish()
    }

    /// Whom a request counts for, as a store that replicas share knows it: readable where the values
    /// are short and plain, else their SHA-1, so that nobody makes its memory overflow.
    pub(super) fn shared_key(&self, key: &str, exchange: &Exchange) -> String {
        let mut values = String::new();
        for part in &self.per {
            values.push(':');
            match part {
                Part::Client { v4, v6 } => {
                    let address = match exchange.client.to_canonical() {
                        IpAddr::V4(address) => {
                            let network = masked(u64::from(u32::from(address)), 32, *v4);
                            IpAddr::from(u32::try_from(network).unwrap_or(0).to_be_bytes())
                        }
                        IpAddr::V6(address) => {
                            IpAddr::from(masked(u128::from(address), 128, *v6).to_be_bytes())
                        }
                    };
                    let _ = write!(values, "{address}");
                }
                Part::Value(expr) => match expr.text(Scope::request(exchange)) {
                    // The length keeps `a:b`, `c` and `a`, `b:c` apart.
                    Some(text) => {
                        let _ = write!(values, "{}={text}", text.len());
                    }
                    None => values.push('-'),
                },
            }
        }
        if values.len() <= LONGEST && values.bytes().all(|byte| byte.is_ascii_graphic()) {
            return format!("{key}{values}");
        }
        let mut digest = String::new();
        for byte in Sha1::digest(values.as_bytes()) {
            let _ = write!(digest, "{byte:02x}");
        }
        format!("{key}#{digest}")
    }

    /// What a request costs: 1 where that can't be told.
    pub(super) fn price(&self, exchange: &Exchange) -> u64 {
        match &self.cost {
            Price::Fixed(cost) => *cost,
            Price::Of(expr) => expr
                .text(Scope::request(exchange))
                .and_then(|text: Cow<'_, str>| text.trim().parse().ok())
                .unwrap_or(1),
        }
    }
}

/// An address without its last bits.
fn masked<T>(address: T, width: u8, prefix: u8) -> T
where
    T: std::ops::Shr<u8, Output = T> + std::ops::Shl<u8, Output = T> + Default,
{
    match width.saturating_sub(prefix) {
        cut if cut >= width => T::default(),
        cut => (address >> cut) << cut,
    }
}

impl Counted {
    pub(super) fn new(scope: &str, limit: &str) -> Self {
        let outcome = |word| PolicyCounter::new(&RATE_LIMIT_REQUESTS, &[scope, limit, word]);
        Self {
            admitted: outcome("admitted"),
            refused: outcome("refused"),
            dry_run: outcome("dry_run"),
            keys: PolicyGauge::new(&RATE_LIMIT_KEYS, &[]),
            displaced: PolicyCounter::new(&RATE_LIMIT_DISPLACED, &[]),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.name)?;
        let algorithm = match self.rule {
            Rule::TokenBucket(_) => "",
            Rule::SlidingWindow(_) => "sliding window, ",
            Rule::FixedWindow(_) => "fixed window, ",
        };
        write!(f, "{}, {algorithm}", self.rate)?;
        if self.rule.most() != self.rate.count {
            write!(f, "burst {}, ", self.rule.most())?;
        }
        if let Some(shared) = &self.shared {
            write!(f, "counted in store {}, ", shared.store.name())?;
        }
        if self.dry_run {
            f.write_str("dry run, ")?;
        }
        write!(f, "from {})", self.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn prefixes_cut() {
        assert_eq!(masked(0x0a01_0203_u64, 32, 24), 0x0a01_0200);
        assert_eq!(masked(0x0a01_0203_u64, 32, 32), 0x0a01_0203);
        assert_eq!(masked(0x0a01_0203_u64, 32, 0), 0);
        assert_eq!(masked(u128::MAX, 128, 56), u128::MAX << 72);
        assert_eq!(masked(u128::MAX, 128, 0), 0);
    }
}
