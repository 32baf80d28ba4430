//! Why a request goes where it goes.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::header::HeaderName;

use crate::conditions::{Conditions, field, header_holds, parameter};
use crate::method::write_methods;
use crate::router::{Entry, Origin, Router};
use crate::search::{Found, Visit};
use crate::value::Value;
use crate::{Query, ValueMatch};

/// One route that a request could take by one of its hosts and paths, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The route's position in the list given to [`Router::build`].
    pub route: usize,
    /// The route's name.
    pub name: Arc<str>,
    /// The host pattern that matched; `*` if the route names none.
    pub host: Arc<str>,
    /// The path pattern that matched; `None` if the route names none.
    pub path: Option<Arc<str>>,
    /// The number of its conditions, as precedence counts them.
    pub conditions: usize,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It takes the request.
    Won {
        /// What its path captured, by name.
        params: Vec<(String, String)>,
    },
    /// Its conditions hold, and another route goes first.
    Outranked {
        /// The route that goes first.
        by: Arc<str>,
        /// The line of the precedence that decided.
        because: Rank,
    },
    /// Conditions of it do not hold: all of them, not only the first.
    Failed {
        /// Which, and what the request has instead.
        reasons: Vec<Reason>,
    },
}

/// The line of the precedence that put one candidate before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// A more specific host.
    Host,
    /// A path pattern before a regular expression before no path.
    PathKind,
    /// A more specific path pattern.
    Path,
    /// A longer regular expression.
    RegexLength,
    /// More conditions.
    Conditions,
    /// `HEAD` by name and not only implied by `GET`.
    Head,
    /// The route's name, between regular expressions of one length.
    Name,
}

/// One condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The route is not on the listener.
    Listener {
        /// The listener of the request.
        listener: u16,
    },
    /// The route does not take the method.
    Method {
        /// The method of the request.
        method: String,
        /// What the route takes, `GET, HEAD`.
        wanted: String,
    },
    /// A header is not what the route asks for.
    Header {
        /// Its name.
        name: HeaderName,
        /// What it must be, `is present`.
        wanted: String,
        /// What it is; `None` if the request has none.
        found: Option<String>,
    },
    /// A query parameter is not what the route asks for.
    Parameter {
        /// Its name, decoded.
        name: String,
        /// What it must be, `is present`.
        wanted: String,
        /// What it is, decoded; `None` if the request has none.
        found: Option<String>,
    },
}

impl Router {
    /// Every candidate in order of precedence, and why it won or lost. A route that wins is listed once, with the
    /// host and path by which it wins; one that loses is listed with each of its hosts and paths that match.
    ///
    /// For people and tools: it allocates freely, and the values of headers stand in it.
    pub fn explain(&self, q: &Query<'_>) -> Vec<Candidate> {
        let mut all = Every {
            router: self,
            q,
            winner: None,
            list: Vec::new(),
        };
        let _ = self.walk(q, &mut all);
        all.list
    }
}

struct Every<'a, 'q> {
    router: &'a Router,
    q: &'a Query<'q>,
    winner: Option<(u32, Entry)>,
    list: Vec<Candidate>,
}

impl Visit for Every<'_, '_> {
    const ALL: bool = true;

    fn visit(&mut self, found: Found<'_>) -> ControlFlow<()> {
        let router = self.router;
        let again = self
            .winner
            .is_some_and(|(_, winner)| winner.route == found.entry.route);
        if !again
            && let (Some(name), Some(conditions), Some(origin)) = (
                router.name(found.entry.route as usize),
                router.conditions(found.entry),
                router.origins.get(found.at as usize),
            )
        {
            let verdict = self.verdict(found, conditions);
            self.list.push(Candidate {
                route: found.entry.route as usize,
                name: Arc::clone(name),
                host: router
                    .hosts
                    .get(origin.host as usize)
                    .map(|h| Arc::clone(&h.pattern))
                    .unwrap_or_default(),
                path: origin.path.clone(),
                conditions: conditions.count(),
                verdict,
            });
        }
        ControlFlow::Continue(())
    }
}

impl Every<'_, '_> {
    fn verdict(&mut self, found: Found<'_>, conditions: &Conditions) -> Verdict {
        let reasons = reasons(conditions, self.q);
        if !reasons.is_empty() {
            return Verdict::Failed { reasons };
        }
        match self.winner {
            Some((at, winner)) => Verdict::Outranked {
                by: self
                    .router
                    .name(winner.route as usize)
                    .cloned()
                    .unwrap_or_default(),
                because: self.rank((at, &winner), (found.at, found.entry)),
            },
            None => {
                self.winner = Some((found.at, *found.entry));
                let params = self.router.params(found.entry, found.spans, self.q.path);
                let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                Verdict::Won {
                    params: params.iter(self.router, self.q.path).map(own).collect(),
                }
            }
        }
    }

    fn rank(&self, (winner_at, winner): (u32, &Entry), (at, entry): (u32, &Entry)) -> Rank {
        let origin = |at: u32| self.router.origins.get(at as usize);
        let (Some(first), Some(second)) = (origin(winner_at), origin(at)) else {
            return Rank::Name;
        };
        if first.host != second.host {
            return Rank::Host;
        }
        if kind(first) != kind(second) {
            return Rank::PathKind;
        }
        let length = |origin: &Origin| origin.path.as_ref().map_or(0, |p| p.len());
        let leaf = |at: u32| self.router.leaves.partition_point(|leaf| leaf.start <= at);
        match kind(first) {
            Kind::Segments if leaf(winner_at) != leaf(at) => return Rank::Path,
            Kind::Regex if length(first) != length(second) => return Rank::RegexLength,
            _ => {}
        }
        let rank = |entry| {
            self.router
                .conditions(entry)
                .map_or((0, false), |c| (c.count(), c.names_head))
        };
        match (rank(winner), rank(entry)) {
            ((a, _), (b, _)) if a != b => Rank::Conditions,
            ((_, a), (_, b)) if a != b => Rank::Head,
            _ => Rank::Name,
        }
    }
}

#[derive(PartialEq)]
enum Kind {
    Segments,
    Regex,
    Nothing,
}

fn kind(origin: &Origin) -> Kind {
    match origin.path.as_deref() {
        Some(path) if path.starts_with('~') => Kind::Regex,
        Some(_) => Kind::Segments,
        None => Kind::Nothing,
    }
}

fn reasons(conditions: &Conditions, q: &Query<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if !conditions.listener_holds(q.listener) {
        reasons.push(Reason::Listener {
            listener: q.listener,
        });
    }
    if !conditions.method_holds(q.method) {
        let wanted = fmt::from_fn(|f| write_methods(f, &conditions.methods)).to_string();
        reasons.push(Reason::Method {
            method: q.method.to_string(),
            wanted,
        });
    }
    for (name, wanted) in conditions
        .headers
        .iter()
        .filter(|(name, wanted)| !header_holds(q.headers, name, wanted))
    {
        let found = field(q.headers, name).map(|v| readable(v.bytes()));
        reasons.push(Reason::Header {
            name: name.clone(),
            wanted: wanted.to_string(),
            found,
        });
    }
    let failed =
        |(name, wanted): &&(String, ValueMatch)| !wanted.accepts(parameter(q.query, name).as_ref());
    for (name, wanted) in conditions.query.iter().filter(failed) {
        let found = parameter(q.query, name).map(readable);
        reasons.push(Reason::Parameter {
            name: name.clone(),
            wanted: wanted.to_string(),
            found,
        });
    }
    reasons
}

fn readable(value: impl Iterator<Item = u8>) -> String {
    String::from_utf8_lossy(&value.collect::<Vec<u8>>()).into_owned()
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_deref().unwrap_or("any path");
        write!(
            f,
            "`{}` (host `{}`, {path}) {}",
            self.name, self.host, self.verdict
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Won { .. } => f.write_str("takes the request"),
            Self::Outranked { by, because } => write!(f, "goes after `{by}`, which {because}"),
            Self::Failed { reasons } => {
                f.write_str("does not match: ")?;
                for (i, reason) in reasons.iter().enumerate() {
                    let separator = if i == 0 { "" } else { "; " };
                    write!(f, "{separator}{reason}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "has the more specific host",
            Self::PathKind => "has the more specific kind of path",
            Self::Path => "has the more specific path",
            Self::RegexLength => "has the longer regular expression",
            Self::Conditions => "has more conditions",
            Self::Head => "names `HEAD`",
            Self::Name => "comes first by name",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener { listener } => write!(f, "the route is not on listener {listener}"),
            Self::Method { method, wanted } => {
                write!(f, "the method is {method}, and the route takes {wanted}")
            }
            Self::Header {
                name,
                wanted,
                found,
            } => {
                write!(f, "the route wants that header `{name}` {wanted}, and ")?;
                write_found(f, found.as_deref())
            }
            Self::Parameter {
                name,
                wanted,
                found,
            } => {
                write!(
                    f,
                    "the route wants that query parameter `{name}` {wanted}, and "
                )?;
                write_found(f, found.as_deref())
            }
        }
    }
}

fn write_found(f: &mut fmt::Formatter<'_>, found: Option<&str>) -> fmt::Result {
    match found {
        Some(value) => write!(f, "it is `{value}`"),
        None => f.write_str("the request has none"),
    }
}
