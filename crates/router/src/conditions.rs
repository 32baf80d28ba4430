use http::header::HeaderName;
use http::{HeaderMap, Method};
use rustc_hash::FxHashSet;

use crate::method::MethodSet;
use crate::value::{Value, compatible};
use crate::{Query, RouteSpec, ValueMatch};

/// What a route asks beyond host and path.
#[derive(Debug)]
pub(crate) struct Conditions {
    pub(crate) methods: MethodSet,
    /// Whether `HEAD` is among the methods by name and not only implied by `GET`.
    pub(crate) names_head: bool,
    pub(crate) headers: Vec<(HeaderName, ValueMatch)>,
    pub(crate) query: Vec<(String, ValueMatch)>,
    pub(crate) listeners: Vec<u16>,
}

impl Conditions {
    pub(crate) fn new(spec: &RouteSpec) -> Self {
        Self {
            methods: MethodSet::condition(&spec.methods),
            names_head: spec.methods.contains(&Method::HEAD),
            headers: spec.headers.clone(),
            query: spec.query.clone(),
            listeners: spec.listeners.clone(),
        }
    }

    /// The number that precedence compares.
    pub(crate) fn count(&self) -> usize {
        usize::from(!self.methods.is_empty()) + self.headers.len() + self.query.len()
    }

    pub(crate) fn listener_holds(&self, listener: u16) -> bool {
        self.listeners.is_empty() || self.listeners.contains(&listener)
    }

    pub(crate) fn method_holds(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }

    /// Everything but listener and method.
    pub(crate) fn values_hold(&self, q: &Query<'_>) -> bool {
        self.headers
            .iter()
            .all(|(name, wanted)| header_holds(q.headers, name, wanted))
            && self
                .query
                .iter()
                .all(|(name, wanted)| wanted.accepts(parameter(q.query, name).as_ref()))
    }

    /// Whether some request could meet both; `true` where that cannot be told. `HEAD` counts only where both name
    /// it, or neither does: elsewhere line 5 of the precedence decides.
    pub(crate) fn overlap(&self, other: &Self) -> bool {
        let listeners = self.listeners.is_empty()
            || other.listeners.is_empty()
            || self.listeners.iter().any(|l| other.listeners.contains(l));
        listeners
            && self.methods_tie(other)
            && agree(&self.headers, &other.headers)
            && agree(&self.query, &other.query)
    }

    fn methods_tie(&self, other: &Self) -> bool {
        if self.methods.is_empty() || other.methods.is_empty() {
            return true;
        }
        let shared = |method: &Method| {
            other.methods.contains(method)
                && (method != Method::HEAD || self.names_head == other.names_head)
        };
        self.methods.iter().any(shared)
    }

    /// Whether its own conditions can be met at once.
    pub(crate) fn possible(&self) -> bool {
        agree(&self.headers, &[]) && agree(&self.query, &[])
    }

    /// Whether every request that meets these conditions surely meets `other`'s.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        let listeners = other.listeners.is_empty()
            || (!self.listeners.is_empty()
                && self.listeners.iter().all(|l| other.listeners.contains(l)));
        let methods = other.methods.is_empty()
            || (!self.methods.is_empty() && self.methods.iter().all(|m| other.methods.contains(m)));
        listeners
            && methods
            && follow(&self.headers, &other.headers)
            && follow(&self.query, &other.query)
    }
}

/// Whether, name by name, one value could meet the conditions of both lists.
fn agree<N: Eq + std::hash::Hash>(a: &[(N, ValueMatch)], b: &[(N, ValueMatch)]) -> bool {
    let names: FxHashSet<&N> = a.iter().chain(b).map(|(name, _)| name).collect();
    names.into_iter().all(|name| {
        let wanted: Vec<&ValueMatch> = a
            .iter()
            .chain(b)
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v)
            .collect();
        compatible(&wanted)
    })
}

fn follow<N: Eq>(stronger: &[(N, ValueMatch)], weaker: &[(N, ValueMatch)]) -> bool {
    weaker.iter().all(|(name, wanted)| {
        stronger
            .iter()
            .any(|(n, given)| n == name && given.implies(wanted))
    })
}

pub(crate) fn header_holds(headers: &HeaderMap, name: &HeaderName, wanted: &ValueMatch) -> bool {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => wanted.accepts(Some(line.as_bytes())),
        (None, _) => wanted.accepts(None::<&[u8]>),
        (Some(_), Some(_)) => wanted.accepts(field(headers, name)),
    }
}

/// The value of a header; several lines of one name are one value joined by `", "` (RFC 9110 §5.3).
pub(crate) fn field<'h>(headers: &'h HeaderMap, name: &'h HeaderName) -> Option<Field<'h>> {
    headers
        .contains_key(name)
        .then_some(Field { headers, name })
}

#[derive(Clone, Copy)]
pub(crate) struct Field<'h> {
    headers: &'h HeaderMap,
    name: &'h HeaderName,
}

impl Value for Field<'_> {
    fn bytes(self) -> impl Iterator<Item = u8> {
        self.headers
            .get_all(self.name)
            .iter()
            .enumerate()
            .flat_map(|(i, line)| {
                let separator: &[u8] = if i == 0 { b"" } else { b", " };
                separator.iter().chain(line.as_bytes()).copied()
            })
    }
}

/// The decoded value of the first parameter `name` in a raw query; one without `=` is empty.
pub(crate) fn parameter<'q>(query: Option<&'q str>, name: &str) -> Option<Decoded<'q>> {
    query?
        .split('&')
        .filter(|pair| !pair.is_empty())
        .find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Decoded(key.as_bytes())
                .eq(name.bytes())
                .then_some(Decoded(value.as_bytes()))
        })
}

/// `application/x-www-form-urlencoded` decoding (WHATWG URL §5.1): `+` is a space, `%XX` a byte, and a `%` that no
/// two hexadecimal digits follow is itself.
#[derive(Clone)]
pub(crate) struct Decoded<'q>(&'q [u8]);

impl Value for &Decoded<'_> {
    fn bytes(self) -> impl Iterator<Item = u8> {
        self.clone()
    }
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        let (byte, rest) = match (byte, rest) {
            (b'+', _) => (b' ', rest),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', rest),
            },
            _ => (*byte, rest),
        };
        self.0 = rest;
        Some(byte)
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}
