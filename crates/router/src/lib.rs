//! Route matching: one immutable index from a request to the route that serves it.
//!
//! [`Router::build`] takes every [`RouteSpec`] at once and either returns an index or *all* the ambiguities in them.
//! [`Router::find`] answers one request without locks and, for every route without regular expressions, without
//! allocation. [`Router::explain`] lists each candidate in order and says why it won or lost.
//!
//! # Match precedence
//!
//! A route is a *candidate* for a request when one of its hosts and one of its paths match. Candidates are tried in
//! this order; a line decides only where all lines above it are equal:
//!
//! | # | what is compared | order |
//! |---|---|---|
//! | 1 | host | exact `api.example.com`, then wildcards `*.example.com` (most labels first), then any |
//! | 2 | kind of path | exact, parametrised and prefix patterns, then regular expressions, then routes without a path |
//! | 3 | path, segment by segment from the left | literal text beats `{param}` beats `*` and `{rest..}`; a pattern that ends with the path beats one whose `*` takes nothing |
//! | 3 | regular expressions | longer text first |
//! | 4 | number of conditions | more first: `methods` counts one, each header and each query condition counts one |
//! | 5 | for `HEAD` requests | a route that names `HEAD` beats one that takes it only because it names `GET` |
//! | 6 | different regular expressions | a route that names `HEAD`, then by route name ([`Router::warnings`] tells where) |
//!
//! The first candidate whose listener, methods, headers and query all hold wins. One whose conditions fail falls
//! through to the next, across paths and across hosts. Two routes that are equal after line 5 and could both take
//! the same request are refused by [`Router::build`]: nothing is left to chance or to the order in a file.
//!
//! If nothing matches, the answer is [`Outcome::MethodNotAllowed`] when some candidate failed on its methods alone
//! (`Allow` then names every method that would have found a route), else [`Outcome::NotFound`].
//!
//! # Conditions
//!
//! - **methods**: `GET` implies `HEAD` (RFC 9110 §9.3.2).
//! - **headers**: several lines of one name are one value joined by `", "` (RFC 9110 §5.3), so a request has at most
//!   one value per name and two routes that want different values can never both match.
//! - **query**: names and values are percent-decoded and `+` is a space; a repeated name counts with its first value.
//! - **listeners**: not a condition that counts; a route is invisible on listeners that it does not name.
//!
//! # Paths
//!
//! [`Query::path`] is the canonical path (RFC 3986 §6.2.2); literal text is compared with it byte for byte. See
//! [`PathPattern`] for what each pattern takes.

mod build;
mod conditions;
mod error;
mod explain;
mod host;
mod leaf;
mod method;
mod params;
mod path;
mod regex;
mod route;
mod router;
mod search;
mod trie;
mod value;

pub use error::{Ambiguity, BuildError, PatternError, Warning};
pub use explain::{Candidate, Rank, Reason, Verdict};
pub use host::HostPattern;
pub use method::Allow;
pub use params::Params;
pub use path::PathPattern;
pub use route::{Outcome, Query, RouteSpec};
pub use router::Router;
pub use value::{ValueMatch, ValueRegex};
