use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a host, path or value pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// Where in the pattern, in bytes from its beginning.
    pub offset: usize,
    /// What to write instead.
    pub hint: Option<String>,
}

impl PatternError {
    pub(crate) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            offset,
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.offset += by;
        self
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.message, self.offset)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for PatternError {}

/// Two routes of equal precedence that could both take one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguity {
    /// Both names, in alphabetical order.
    pub routes: [Arc<str>; 2],
    /// The host pattern both have; `*` is any host.
    pub host: Arc<str>,
    /// The first route's path pattern there; `None` if both take every path.
    pub path: Option<Arc<str>>,
    /// In how many further combinations of host and path the same two routes tie.
    pub elsewhere: usize,
}

/// Why a set of routes cannot become a [`Router`](crate::Router).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildError {
    /// Two routes tie.
    Ambiguous(Ambiguity),
    /// So many pairs of routes tie that only the first are listed.
    MoreAmbiguities {
        /// How many pairs are not listed.
        omitted: usize,
    },
    /// Two routes have one name.
    DuplicateName {
        /// That name.
        name: Arc<str>,
    },
    /// The regular expressions of one host need too much memory together.
    RegexesTooBig {
        /// The host pattern.
        host: Arc<str>,
        /// What its automata would take, in bytes.
        bytes: usize,
        /// The most they may take, in bytes.
        limit: usize,
    },
}

impl BuildError {
    /// What to change.
    pub fn hint(&self) -> String {
        match self {
            Self::Ambiguous(a) => format!(
                "give `{}` or `{}` another method, header, query or listener so that no request fits both, \
                 or one more condition than the other so that it goes first, or a more specific path or host",
                a.routes[0], a.routes[1]
            ),
            Self::MoreAmbiguities { .. } => "resolve those listed, then check again".to_owned(),
            Self::DuplicateName { name } => format!("rename one of the routes `{name}`"),
            Self::RegexesTooBig { .. } => {
                "use `{param}` and `*` patterns where they suffice, ASCII classes such as `[a-z]` or `(?-u:\\w)`, \
                 and smaller repetitions"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous(a) => {
                let [first, second] = &a.routes;
                let path = a.path.as_deref().unwrap_or("any path");
                write!(
                    f,
                    "routes `{first}` and `{second}` tie: both match host `{}` and {path} with conditions of equal number that one request can meet",
                    a.host
                )?;
                match a.elsewhere {
                    0 => Ok(()),
                    1 => write!(f, ", and in 1 more place"),
                    n => write!(f, ", and in {n} more places"),
                }
            }
            Self::MoreAmbiguities { omitted } => write!(f, "{omitted} more pairs of routes tie"),
            Self::DuplicateName { name } => write!(f, "two routes are named `{name}`"),
            Self::RegexesTooBig { host, bytes, limit } => write!(
                f,
                "the regular expressions for host `{host}` need {bytes} bytes together, more than the {limit} allowed"
            ),
        }
    }
}

impl Error for BuildError {}

/// What is legal in a set of routes and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// No request can reach the route.
    Unreachable {
        /// The route.
        route: Arc<str>,
        /// The routes that take its requests; empty if its own conditions contradict each other.
        by: Vec<Arc<str>>,
    },
    /// No request can reach the route by one of its hosts and paths.
    Shadowed {
        /// The route.
        route: Arc<str>,
        /// The route that takes those requests.
        by: Arc<str>,
        /// The host pattern.
        host: Arc<str>,
        /// The path pattern; `None` is every path.
        path: Option<Arc<str>>,
    },
    /// A route lists one host or path twice, perhaps in two spellings.
    Repeated {
        /// The route.
        route: Arc<str>,
        /// The second spelling, which has no effect.
        pattern: Arc<str>,
    },
    /// Two different regular expressions of one length match the same path; the route names decide.
    RegexOrder {
        /// The route that goes first.
        first: Arc<str>,
        /// The route that goes second.
        second: Arc<str>,
        /// A path that both match.
        example: String,
    },
}

impl Warning {
    /// The route it is about.
    pub fn route(&self) -> &str {
        match self {
            Self::Unreachable { route, .. }
            | Self::Shadowed { route, .. }
            | Self::Repeated { route, .. } => route,
            Self::RegexOrder { second, .. } => second,
        }
    }

    /// What to change.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { by, .. } if by.is_empty() => "remove one of the contradicting conditions".to_owned(),
            Self::Unreachable { .. } | Self::Shadowed { .. } => {
                "remove it, or make its host or path more specific; a regular expression goes after every pattern \
                 such as `/orders/*`, and a route without a path after both"
                    .to_owned()
            }
            Self::Repeated { .. } => "remove it".to_owned(),
            Self::RegexOrder { .. } => {
                "give one of them one more condition, or make the one that shall go first the longer one".to_owned()
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { route, by } if by.is_empty() => {
                write!(
                    f,
                    "route `{route}` can never match: its own conditions contradict each other"
                )
            }
            Self::Unreachable { route, by } => {
                write!(
                    f,
                    "route `{route}` can never match: its requests are taken by "
                )?;
                for (i, name) in by.iter().enumerate() {
                    let separator = if i == 0 { "" } else { ", " };
                    write!(f, "{separator}`{name}`")?;
                }
                Ok(())
            }
            Self::Shadowed {
                route,
                by,
                host,
                path,
            } => {
                let path = path.as_deref().unwrap_or("any path");
                write!(
                    f,
                    "route `{route}` can never match by host `{host}` and {path}: `{by}` takes those requests"
                )
            }
            Self::Repeated { route, pattern } => {
                write!(f, "route `{route}` already has what `{pattern}` says")
            }
            Self::RegexOrder {
                first,
                second,
                example,
            } => write!(
                f,
                "routes `{first}` and `{second}` both match `{example}` by regular expressions of equal length; \
                 `{first}` goes first only because of its name"
            ),
        }
    }
}
