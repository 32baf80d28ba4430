use std::hash::Hash;

use http::header::HeaderName;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::conditions::{Conditions, field, parameter};
use crate::trie::position;
use crate::value::Value;
use crate::{Query, ValueMatch};

/// With more routes than this in one place, an index by value finds those that can match.
const INDEX_FROM: usize = 8;

/// The routes of one place (a host and a path pattern), a range of the router's entries in order of precedence.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) start: u32,
    pub(crate) len: u32,
    /// For places with many routes that differ in the value of one header or parameter, as tenants do.
    pub(crate) index: Option<Box<ValueIndex>>,
}

/// Which routes of one place could match, by the value of the header or parameter that most of them ask for.
#[derive(Debug)]
pub(crate) struct ValueIndex {
    key: Key,
    /// Positions in the place, ascending.
    by_value: FxHashMap<Box<[u8]>, Vec<u32>>,
    /// The routes that do not list the values they want.
    rest: Vec<u32>,
    /// The length of the longest value listed.
    longest: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Header(HeaderName),
    Parameter(String),
}

impl ValueIndex {
    /// `None` where an index would not help.
    pub(crate) fn new(place: &[&Conditions]) -> Option<Self> {
        if place.len() <= INDEX_FROM {
            return None;
        }
        let (key, listing) = most_listed(place)?;
        if listing <= INDEX_FROM {
            return None;
        }
        let mut index = Self {
            key,
            by_value: FxHashMap::default(),
            rest: Vec::new(),
            longest: 0,
        };
        for (i, conditions) in place.iter().enumerate() {
            match index.key.wanted(conditions).and_then(ValueMatch::listed) {
                Some(values) => values
                    .iter()
                    .for_each(|value| index.insert(value, position(i))),
                None => index.rest.push(position(i)),
            }
        }
        Some(index)
    }

    fn insert(&mut self, value: &str, at: u32) {
        self.longest = self.longest.max(value.len());
        let list = self.by_value.entry(value.as_bytes().into()).or_default();
        if list.last() != Some(&at) {
            list.push(at);
        }
    }

    /// The positions of the routes that could match, ascending.
    pub(crate) fn candidates(&self, q: &Query<'_>) -> impl Iterator<Item = u32> + use<'_> {
        let value: Option<SmallVec<[u8; 128]>> = match &self.key {
            Key::Header(name) => {
                field(q.headers, name).map(|v| v.bytes().take(self.longest + 1).collect())
            }
            Key::Parameter(name) => {
                parameter(q.query, name).map(|v| v.take(self.longest + 1).collect())
            }
        };
        let listed = value
            .and_then(|v| self.by_value.get(v.as_slice()))
            .map_or(&[][..], Vec::as_slice);
        merge(listed, &self.rest)
    }

    /// Every two positions of which one request could meet both conditions on the key.
    pub(crate) fn pairs(&self, len: u32) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        for list in self.by_value.values() {
            pairs.extend(every_two(list));
        }
        for &a in &self.rest {
            pairs.extend((0..len).filter(|b| *b != a).map(|b| (a.min(b), a.max(b))));
        }
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}

impl Key {
    fn wanted<'c>(&self, conditions: &'c Conditions) -> Option<&'c ValueMatch> {
        let listed = |wanted: &&ValueMatch| wanted.listed().is_some();
        match self {
            Self::Header(name) => conditions
                .headers
                .iter()
                .filter(|(n, _)| n == name)
                .map(|(_, v)| v)
                .find(listed),
            Self::Parameter(name) => conditions
                .query
                .iter()
                .filter(|(n, _)| n == name)
                .map(|(_, v)| v)
                .find(listed),
        }
    }
}

/// The key for which most routes list values, and how many do.
fn most_listed(place: &[&Conditions]) -> Option<(Key, usize)> {
    let mut counts: FxHashMap<Key, usize> = FxHashMap::default();
    for conditions in place {
        for (name, _) in conditions
            .headers
            .iter()
            .filter(|(_, v)| v.listed().is_some())
        {
            *counts.entry(Key::Header(name.clone())).or_default() += 1;
        }
        for (name, _) in conditions
            .query
            .iter()
            .filter(|(_, v)| v.listed().is_some())
        {
            *counts.entry(Key::Parameter(name.clone())).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|(_, n)| *n)
}

/// Every two items of a list.
pub(crate) fn every_two(list: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    list.iter()
        .enumerate()
        .flat_map(move |(i, a)| list.iter().skip(i + 1).map(move |b| (*a, *b)))
}

/// Two ascending lists without a common item as one.
fn merge<'a>(a: &'a [u32], b: &'a [u32]) -> impl Iterator<Item = u32> + use<'a> {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if x > y => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    })
}
