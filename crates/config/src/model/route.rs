use std::{collections::BTreeMap, sync::Arc};

use lintel_kernel::{Duration, config};
use lintel_router::ValueMatch;

use super::{
    Action, Fallback, Mirror, OneOrMany, Priority, Retry, RouteBreaker, RoutePolicies, Table, To,
};
use crate::text::{FieldName, Host, MethodName, Name, Path, Regex};

/// Which requests go where, and what is done with them on the way.
#[config]
pub struct Route {
    /// What a request must be like. All of it must hold; what is left out holds for every request.
    #[serde(rename = "match")]
    #[schemars(example = serde_json::json!({ "path": "/orders/*" }))]
    pub matches: Match,

    /// The group that it belongs to. A route that is written in a group belongs to it already.
    #[serde(default)]
    pub group: Option<Name>,

    /// What is done with the request and its answer. They run in the order of their phases,
    /// however they are written.
    #[serde(default)]
    pub policies: RoutePolicies,

    /// How long a request may take until the head of its answer has arrived, all tries together.
    /// The body is held to the service's `timeout`. Default: that of `defaults`, else `30s`.
    #[serde(default)]
    pub timeout: Option<Duration>,

    /// How important its requests are: when the gateway is overloaded (see `overload`), the least
    /// important are refused first.
    #[serde(default)]
    pub priority: Priority,

    /// What is answered when the service can't answer.
    #[serde(default)]
    pub fallback: Option<Box<Fallback>>,

    /// A second service that gets a share of the requests as well.
    #[serde(default)]
    pub mirror: Option<Box<Mirror>>,

    /// When a request is tried again, in place of what the service says as a whole.
    #[serde(default)]
    pub retry: Option<Retry>,

    /// How many of its requests may be under way at a time, so that one route can't take all that a
    /// service has. Requests beyond are answered with 503. Default: no limit.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_concurrent: Option<u32>,

    /// When its service counts as failing, by the requests of this route alone. Default: only the
    /// service's own breaker is asked.
    #[serde(default)]
    pub breaker: Option<RouteBreaker>,

    /// Where the request goes: the name of a service, or one action.
    #[schemars(example = &"orders")]
    pub to: To,
}

impl Route {
    /// The parameters that every path of the route captures, in the order of the first.
    pub fn params(&self) -> Vec<String> {
        let mut paths = self.matches.paths().iter().map(Path::params);
        let first = paths.next().unwrap_or_default();
        paths.fold(first, |mut common, names| {
            common.retain(|name| names.contains(name));
            common
        })
    }

    /// The services that it sends requests to, each once: its own, and those of its split, its
    /// fallback and its mirror.
    pub fn targets(&self) -> Arc<[Arc<str>]> {
        let (one, split) = match &self.to {
            To::Service(name) | To::Action(Action::Service(name)) => (Some(name), None),
            To::Action(Action::Split(split)) => (None, Some(split.services.keys())),
            To::Action(Action::Grpc(grpc)) => (Some(&grpc.service), None),
            To::Action(Action::Compose(_) | Action::Respond(_) | Action::Redirect(_)) => {
                (None, None)
            }
        };
        let legs = match &self.to {
            To::Action(Action::Compose(compose)) => Some(compose.services()),
            _ => None,
        };
        let legs = legs.into_iter().flatten().map(|(_, name)| name);
        let fallback = self.fallback.as_ref().and_then(|own| own.service.as_ref());
        let mirror = self.mirror.as_ref().map(|mirror| &mirror.service);
        let mut names: Vec<Arc<str>> = Vec::new();
        let all = one.into_iter().chain(split.into_iter().flatten());
        for name in all.chain(legs).chain(fallback).chain(mirror) {
            if !names.iter().any(|known| **known == *name.as_str()) {
                names.push(name.as_str().into());
            }
        }
        names.into()
    }
}

/// What a request must be like.
///
/// Where several routes match, the most specific wins: an exact host before a wildcard before any;
/// then an exact path before the longest prefix or parametrised path before a regular expression;
/// then the one with more conditions. Two that are equal in all this are an error.
#[config]
#[derive(Default)]
pub struct Match {
    /// The host it asks for, without a port; or several, of which one must match.
    #[serde(default)]
    pub host: Option<OneOrMany<Host>>,

    /// The path it asks for, in its one form (see `path` of the listener); or several, of which one
    /// must match.
    #[serde(default)]
    pub path: Option<OneOrMany<Path>>,

    /// Its method, one of these. `GET` takes `HEAD` as well.
    #[serde(default)]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub methods: Option<Vec<MethodName>>,

    /// Header fields it must have: a value, or a test.
    #[serde(default)]
    pub headers: Table<FieldName, ValueCondition>,

    /// Query parameters it must have: a value, or a test. A parameter that is repeated counts with
    /// its first value.
    #[serde(default)]
    pub query: BTreeMap<String, ValueCondition>,

    /// Listeners it must have come in by. Default: all.
    #[serde(default)]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub listeners: Option<Vec<Name>>,
}

impl Match {
    /// The host patterns; none means every host.
    pub fn hosts(&self) -> &[Host] {
        self.host.as_ref().map_or(&[], OneOrMany::as_slice)
    }

    /// The path patterns; none means every path.
    pub fn paths(&self) -> &[Path] {
        self.path.as_ref().map_or(&[], OneOrMany::as_slice)
    }

    /// The methods; none means every method.
    pub fn methods(&self) -> &[MethodName] {
        self.methods.as_deref().unwrap_or(&[])
    }

    /// The listeners; none means every listener.
    pub fn listeners(&self) -> &[Name] {
        self.listeners.as_deref().unwrap_or(&[])
    }
}

/// What a header or query parameter must be: this very value, or what a test says.
#[config(untagged)]
pub enum ValueCondition {
    /// Exactly this value, case included.
    Exact(String),
    /// What the test says.
    Test(ValueTest),
}

impl ValueCondition {
    /// The same, ready to be held against values.
    pub fn value_match(&self) -> ValueMatch {
        match self {
            Self::Exact(value) | Self::Test(ValueTest::Exact(value)) => {
                ValueMatch::Exact(value.clone())
            }
            Self::Test(ValueTest::OneOf(values)) => ValueMatch::OneOf(values.clone()),
            Self::Test(ValueTest::Prefix(prefix)) => ValueMatch::Prefix(prefix.clone()),
            Self::Test(ValueTest::Regex(regex)) => ValueMatch::Regex(regex.pattern().clone()),
            Self::Test(ValueTest::Present(true) | ValueTest::Absent(false)) => ValueMatch::Present,
            Self::Test(ValueTest::Present(false) | ValueTest::Absent(true)) => ValueMatch::Absent,
        }
    }
}

/// A test of a value.
#[config]
pub enum ValueTest {
    /// Exactly this value, case included.
    Exact(String),
    /// One of these values.
    OneOf(#[schemars(length(min = 1))] Vec<String>),
    /// A value that begins so.
    Prefix(String),
    /// A value that the regular expression matches as a whole.
    Regex(Regex),
    /// `true`: there is a value, whatever it is. `false`: there is none.
    Present(bool),
    /// `true`: there is no value. `false`: there is one.
    Absent(bool),
}
