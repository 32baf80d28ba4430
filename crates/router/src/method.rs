use std::fmt;

use http::Method;

/// The methods of RFC 9110 §9.3 and RFC 5789 in the order in which `Allow` lists them.
const STANDARD: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::CONNECT,
    Method::OPTIONS,
    Method::TRACE,
];
const GET: u16 = 1;
const HEAD: u16 = 1 << 1;

/// The bit of a standard method, 0 for every other.
pub(crate) fn bit(method: &Method) -> u16 {
    match *method {
        Method::GET => GET,
        Method::HEAD => HEAD,
        Method::POST => 1 << 2,
        Method::PUT => 1 << 3,
        Method::PATCH => 1 << 4,
        Method::DELETE => 1 << 5,
        Method::CONNECT => 1 << 6,
        Method::OPTIONS => 1 << 7,
        Method::TRACE => 1 << 8,
        _ => 0,
    }
}

/// A set of methods; the standard ones as bits. As a condition, the empty set is every method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MethodSet {
    pub(crate) bits: u16,
    pub(crate) others: Vec<Method>,
}

impl MethodSet {
    /// The condition that a list of methods states: `GET` implies `HEAD`.
    pub(crate) fn condition(methods: &[Method]) -> Self {
        let mut set = Self::default();
        methods.iter().for_each(|m| set.insert(m));
        if set.bits & GET != 0 {
            set.bits |= HEAD;
        }
        set
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bits == 0 && self.others.is_empty()
    }

    pub(crate) fn contains(&self, method: &Method) -> bool {
        match bit(method) {
            0 => self.others.contains(method),
            bit => self.bits & bit != 0,
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.bits |= other.bits;
        other.others.iter().for_each(|m| self.insert(m));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Method> {
        STANDARD
            .iter()
            .filter(|m| self.bits & bit(m) != 0)
            .chain(&self.others)
    }

    fn insert(&mut self, method: &Method) {
        match bit(method) {
            0 if self.others.contains(method) => {}
            0 => self.others.push(method.clone()),
            bit => self.bits |= bit,
        }
    }
}

/// The methods for which a route exists: the value of `Allow` (RFC 9110 §10.2.1) is its [`Display`](fmt::Display).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow(pub(crate) MethodSet);

impl Allow {
    /// The methods, standard ones first.
    pub fn methods(&self) -> impl Iterator<Item = &Method> {
        self.0.iter()
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_methods(f, &self.0)
    }
}

pub(crate) fn write_methods(f: &mut fmt::Formatter<'_>, methods: &MethodSet) -> fmt::Result {
    for (i, method) in methods.iter().enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        write!(f, "{separator}{method}")?;
    }
    Ok(())
}
