//! Whom a limit counts, and which requests it is about: what all policies that limit have in common.

use std::{fmt::Write as _, net::IpAddr};

use http::Method;
use lintel_kernel::{
    Exchange, Fault, config,
    expr::{Expr, Scope},
};
use lintel_state::limit::KeyHasher;
use sha1::{Digest as _, Sha1};

use crate::{Context, described};

/// How much of the client's address counts: what is beyond belongs to the same caller.
#[config]
#[derive(Copy)]
#[schemars(rename = "Prefix")]
pub struct Prefix {
    /// Bits of an IPv4 address.
    #[serde(default = "whole_v4")]
    #[schemars(range(min = 0, max = 32))]
    pub v4: u8,
    /// Bits of an IPv6 address. A single customer commonly has a network of 64 bits or less, and
    /// with it more addresses than could ever be counted.
    #[serde(default = "network_v6")]
    #[schemars(range(min = 0, max = 128))]
    pub v6: u8,
}

/// One expression, or several.
#[config(untagged)]
#[schemars(rename = "Per")]
pub enum Per {
    /// One.
    One(#[schemars(with = "described::Expression")] String),
    /// Several, which count together.
    Many(#[schemars(with = "Vec<described::Expression>", length(min = 1))] Vec<String>),
}

/// What a request costs.
#[derive(Debug)]
pub(crate) enum Price {
    /// The same as every other.
    Fixed(u64),
    /// What an expression says.
    Of(Expr),
}

/// What the configuration of a limit says of whom it counts, and which requests it is about.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'a> {
    /// What it is counted per in any case.
    pub(crate) each: &'a [&'a str],
    pub(crate) per: Option<&'a Per>,
    pub(crate) prefix: Prefix,
    pub(crate) when: Option<&'a str>,
    pub(crate) methods: &'a [String],
}

/// The [`Selection`] of a configuration that has its keys. A struct of their own could not refuse unknown
/// keys: serde's `flatten` and `deny_unknown_fields` exclude each other.
macro_rules! selection {
    ($config:expr, $each:expr) => {
        $crate::per::Selection {
            each: $each,
            per: $config.per.as_ref(),
            prefix: $config.prefix,
            when: $config.when.as_deref(),
            methods: &$config.methods,
        }
    };
}
pub(crate) use selection;

/// Whom a limit counts, and which requests it is about.
#[derive(Debug)]
pub(crate) struct Selector {
    parts: Vec<Part>,
    when: Option<Expr>,
    /// Empty: all.
    methods: Vec<Method>,
}

/// What tells callers apart.
#[derive(Debug)]
enum Part {
    /// The client's address, without what is beyond a prefix.
    Client {
        v4: u8,
        v6: u8,
    },
    Value(Expr),
}

impl Default for Prefix {
    fn default() -> Self {
        Self {
            v4: whole_v4(),
            v6: network_v6(),
        }
    }
}

impl Per {
    /// The expressions.
    pub(crate) fn sources(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Selection<'_> {
    /// The expressions that the operator has written.
    pub(crate) fn sources(&self) -> &[String] {
        self.per.map_or(&[], Per::sources)
    }

    /// Compiles it; mistakes go to `faults`, each under the key it is about.
    pub(crate) fn build(&self, context: &Context, faults: &mut Vec<Fault>) -> Selector {
        let mut parts = Vec::new();
        let written = self.sources().iter().map(String::as_str);
        for source in self.each.iter().copied().chain(written) {
            match self.part(source, context) {
                Ok(part) => parts.push(part),
                Err(fault) => faults.push(fault.under("per")),
            }
        }
        let when = self.when.and_then(|text| {
            let expr = context.request_expression(text);
            expr.map_err(|fault| faults.push(fault.under("when"))).ok()
        });
        let methods = self.methods.iter().filter_map(|name| {
            let method = method(name);
            method
                .map_err(|fault| faults.push(fault.under("methods")))
                .ok()
        });
        let methods = methods.collect();
        Selector {
            parts,
            when,
            methods,
        }
    }

    fn part(&self, source: &str, context: &Context) -> Result<Part, Fault> {
        let source = source.trim();
        if source == "client.ip" {
            let Prefix { v4, v6 } = self.prefix;
            return Ok(Part::Client { v4, v6 });
        }
        if source.contains("service.name") {
            return Err(
                Fault::new("the service is not chosen yet when a request is counted")
                    .with_hint("count per `route.name`, or limit the routes of the service"),
            );
        }
        context.request_expression(source).map(Part::Value)
    }

    /// What callers and metrics are told it is called, where nothing else is said: what it is, and
    /// what it is counted per.
    pub(crate) fn name(&self, what: String) -> String {
        let mut name = what;
        if !self.sources().is_empty() {
            name.push_str(" per ");
            name.push_str(&self.sources().join(" and "));
        }
        let printable = |c: char| match c {
            '"' => '\'',
            ' '..='~' if c != '\\' => c,
            _ => '?',
        };
        name.chars().map(printable).collect()
    }
}

/// Whether a name may stand in a header field as a structured string (RFC 9651 §3.3.3).
pub(crate) fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\');
    name.bytes().all(plain)
}

/// The mistake of a name that is not [plain](is_plain).
pub(crate) fn not_plain() -> Fault {
    Fault::new("a name stands in header fields: printable ASCII without quotes")
        .with_hint("write a plain word, such as `per-client`")
        .under("name")
}

impl Price {
    /// Of one request: 1 where that can't be told.
    pub(crate) fn of(&self, exchange: &Exchange) -> u64 {
        match self {
            Self::Fixed(price) => *price,
            Self::Of(expr) => {
                let text = expr.text(Scope::request(exchange));
                text.and_then(|text| text.trim().parse().ok()).unwrap_or(1)
            }
        }
    }
}

impl Selector {
    /// Whether the limit is about a request at all.
    pub(crate) fn applies(&self, exchange: &Exchange) -> bool {
        let method = &exchange.request.method;
        (self.methods.is_empty() || self.methods.contains(method))
            && self
                .when
                .as_ref()
                .is_none_or(|when| when.holds(Scope::request(exchange)))
    }

    /// Whether all requests count together.
    pub(crate) fn is_for_all(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes in whom a request counts for. What is absent is a value too: leaving a header field out
    /// is no way around a limit.
    pub(crate) fn key(&self, key: KeyHasher, exchange: &Exchange) -> KeyHasher {
        let parts = self.parts.iter();
        parts.fold(key, |key, part| match part {
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
        })
    }

    /// Appends whom a request counts for, as the admin API names it: the value where there is one
    /// part, else as in [`readable`](Self::readable); the SHA-1 of what is longer than `longest`.
    pub(crate) fn name(&self, exchange: &Exchange, longest: usize, out: &mut String) {
        if let [Part::Value(expr)] = &self.parts[..]
            && let Some(text) = expr.text(Scope::request(exchange))
            && (1..=longest).contains(&text.len())
            && text.bytes().all(is_word)
            && !text.starts_with('-')
        {
            out.push_str(&text);
            return;
        }
        let values = self.readable(exchange);
        if values.len() <= longest {
            out.push_str(values.strip_prefix(':').unwrap_or(&values));
            return;
        }
        digest(&values, out);
    }

    /// Whom a request counts for, as a store that replicas share knows it: readable where the values
    /// are plain and not longer than `longest`, else their SHA-1, so that nobody makes its memory
    /// overflow. What is counted for the same values stands in one slot of a cluster, and what is
    /// counted for all together with the others of its `scope`. `end` tells the limit from others.
    pub(crate) fn store_key(
        &self,
        prefix: &str,
        scope: &str,
        end: &str,
        longest: usize,
        exchange: &Exchange,
    ) -> String {
        store_key(prefix, scope, end, longest, &self.readable(exchange))
    }

    /// The same for whom the admin API calls by a [`name`](Self::name).
    pub(crate) fn store_key_of(
        &self,
        prefix: &str,
        scope: &str,
        end: &str,
        longest: usize,
        name: &str,
    ) -> String {
        let word = |name: &str| name.bytes().all(is_word) && !name.starts_with('-');
        let values = match &self.parts[..] {
            [] => String::new(),
            [Part::Value(_)] if word(name) => format!(":{}={name}", name.len()),
            // What was too long to be shown is called the same there.
            _ if name.starts_with('#') => name.to_owned(),
            _ => format!(":{name}"),
        };
        store_key(prefix, scope, end, longest, &values)
    }

    /// Whom a request counts for, as people can read it: a value after a colon for each part, with
    /// its length, which keeps `a:b`, `c` and `a`, `b:c` apart.
    pub(crate) fn readable(&self, exchange: &Exchange) -> String {
        let mut values = String::new();
        for part in &self.parts {
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
                    Some(text) => {
                        let _ = write!(values, "{}={text}", text.len());
                    }
                    None => values.push('-'),
                },
            }
        }
        values
    }
}

fn store_key(prefix: &str, scope: &str, end: &str, longest: usize, values: &str) -> String {
    let mut key = format!("{prefix}:{{");
    match values.len() {
        0 => key.push_str(scope),
        length if length <= longest && values.bytes().all(|byte| byte.is_ascii_graphic()) => {
            key.push_str(values);
        }
        _ => digest(values, &mut key),
    }
    key.push_str("}:");
    key.push_str(end);
    key
}

/// Appends what stands for values that are too long to be shown.
fn digest(values: &str, out: &mut String) {
    out.push('#');
    for byte in Sha1::digest(values.as_bytes()) {
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02x}");
    }
}

/// Whether a byte never stands in what is made of several parts, or of a long one.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-' | b'+')
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

fn method(name: &str) -> Result<Method, Fault> {
    let shout = name
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let method = Method::from_bytes(name.as_bytes()).ok().filter(|_| shout);
    method.ok_or_else(|| {
        Fault::new(format!("`{name}` is not a method"))
            .with_hint("write it in capitals, such as `POST`")
    })
}

const fn whole_v4() -> u8 {
    32
}

const fn network_v6() -> u8 {
    64
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
