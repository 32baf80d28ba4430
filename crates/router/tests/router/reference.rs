//! The router against a slow matcher that follows the documented rules word by word, and ambiguity detection against
//! a search over every combination of a small world.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::common::{self, Request, Route, method, route};
use lintel_router::{BuildError, Outcome, Router, ValueMatch, ValueRegex};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

const HOSTS: &[&str] = &["a.x", "b.x", "x", "a.b.x", "y", "", "a.x."];
const HOST_PATTERNS: &[&str] = &["a.x", "b.x", "x", "a.b.x", "*.x", "*.b.x", "*"];
const PATHS: &[&str] = &[
    "/", "/a", "/a/", "/a/b", "/a/b/", "/b", "/b/a", "/a/1", "/a/b/1", "/a/b/a/b", "/1", "/1/a",
    "/b/1/a/", "/ab", "/a//b", "*", "//",
];
const REGEXES: &[&str] = &[
    "/a(/.*)?",
    "/[ab]/[0-9]+",
    "/.*",
    "(?s).*",
    "/(?<first>[^/]+)/.*",
    "/a/..?",
    "/b.*",
    "/a.*",
];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PURGE"];
const VALUES: &[&str] = &["", "a", "b", "ab", "abc", "1"];
const LISTENERS: &[u16] = &[1, 2];

/// A value condition as text, so that the reference can read it in its own way.
#[derive(Debug, Clone)]
enum Wanted {
    OneOf(Vec<&'static str>),
    Prefix(&'static str),
    Regex(&'static str),
    Present,
    Absent,
}

#[derive(Debug, Clone)]
struct Spec {
    hosts: Vec<&'static str>,
    paths: Vec<String>,
    methods: Vec<&'static str>,
    header: Option<Wanted>,
    other_header: Option<Wanted>,
    query: Option<Wanted>,
    listeners: Vec<u16>,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        select(VALUES).prop_map(|v| Wanted::OneOf(vec![v])),
        subsequence(VALUES, 2).prop_map(Wanted::OneOf),
        select(&["a", "ab", "b"][..]).prop_map(Wanted::Prefix),
        select(&["a.*", "[0-9]+", ".*b", "(?-u:[a-z])"][..]).prop_map(Wanted::Regex),
        Just(Wanted::Present),
        Just(Wanted::Absent),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        3 => select(&["a", "b", "1"][..]).prop_map(|s| Some(s.to_owned())),
        2 => Just(None),
    ];
    let end = select(&["", "/", "/*", "/{rest..}", "", "/*"][..]);
    let segments =
        (prop::collection::vec(segment, 0..4), end, any::<bool>()).prop_map(|(list, end, name)| {
            let mut text = String::new();
            for (i, segment) in list.iter().enumerate() {
                text += "/";
                text += &segment
                    .clone()
                    .unwrap_or_else(|| format!("{{{}{i}}}", if name { "p" } else { "q" }));
            }
            text += end;
            if text.is_empty() {
                "/".to_owned()
            } else {
                text
            }
        });
    prop_oneof![5 => segments, 1 => select(REGEXES).prop_map(|r| format!("~{r}"))]
}

fn few<T: Clone + std::fmt::Debug + 'static>(
    all: &'static [T],
    most: usize,
) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![Just(Vec::new()), subsequence(all, 1..=most)]
}

fn spec(conditioned: f64) -> impl Strategy<Value = Spec> {
    let condition = || prop::option::weighted(conditioned, wanted());
    (
        few(HOST_PATTERNS, 2),
        prop::collection::vec(path(), 0..3),
        few(METHODS, 2),
        condition(),
        condition(),
        condition(),
        few(LISTENERS, 1),
    )
        .prop_map(
            |(hosts, paths, methods, header, other_header, query, listeners)| Spec {
                hosts,
                paths,
                methods,
                header,
                other_header,
                query,
                listeners,
            },
        )
}

fn request() -> impl Strategy<Value = Request> {
    let value = || prop::option::of(select(VALUES));
    (
        select(HOSTS),
        select(PATHS),
        select(METHODS),
        value(),
        value(),
        value(),
        select(LISTENERS),
    )
        .prop_map(|(host, path, name, header, other, query, listener)| {
            let mut request = common::request("GET h/").listener(listener);
            (request.host, request.path, request.method) =
                (host.to_owned(), path.to_owned(), method(name));
            request.query = query.map(|v| format!("z=1&q={v}"));
            let request = header.into_iter().fold(request, |r, v| r.header("x-a", v));
            other.into_iter().fold(request, |r, v| r.header("x-b", v))
        })
}

impl Wanted {
    fn holds(&self, value: Option<&str>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::Absent);
        };
        match self {
            Self::OneOf(list) => list.contains(&value),
            Self::Prefix(prefix) => value.starts_with(prefix),
            Self::Regex(text) => whole(text).is_match(value),
            Self::Present => true,
            Self::Absent => false,
        }
    }

    fn value_match(&self) -> ValueMatch {
        match self {
            Self::OneOf(list) if list.len() == 1 => ValueMatch::Exact(list[0].to_owned()),
            Self::OneOf(list) => ValueMatch::OneOf(list.iter().map(|v| (*v).to_owned()).collect()),
            Self::Prefix(prefix) => ValueMatch::Prefix((*prefix).to_owned()),
            Self::Regex(text) => ValueMatch::Regex(ValueRegex::parse(text).unwrap()),
            Self::Present => ValueMatch::Present,
            Self::Absent => ValueMatch::Absent,
        }
    }
}

fn whole(text: &str) -> regex::Regex {
    thread_local! {
        static COMPILED: std::cell::RefCell<BTreeMap<String, regex::Regex>> = const { std::cell::RefCell::new(BTreeMap::new()) };
    }
    COMPILED.with_borrow_mut(|known| {
        known
            .entry(text.to_owned())
            .or_insert_with(|| regex::Regex::new(&format!("^(?:{text})$")).unwrap())
            .clone()
    })
}

/// Lines 2 and 3 of the precedence; the smallest goes first.
type Rank = (u8, Vec<u8>, Reverse<usize>);
type Captured = Vec<(String, String)>;
type PathPlace<'s> = (Rank, Option<&'s str>, Captured);

fn host_rank(pattern: &str, host: &str) -> Option<(u8, Reverse<usize>)> {
    let host = host.strip_suffix('.').unwrap_or(host);
    match pattern.strip_prefix("*.") {
        Some(suffix) => {
            let left = host.strip_suffix(suffix)?.strip_suffix('.')?;
            (!left.is_empty()).then_some((1, Reverse(suffix.split('.').count())))
        }
        None if pattern == "*" => Some((2, Reverse(0))),
        None => (pattern == host).then_some((0, Reverse(0))),
    }
}

/// The rank of a path pattern and what it captures.
fn path_rank(pattern: &str, path: &str) -> Option<(Rank, Captured)> {
    if let Some(text) = pattern.strip_prefix('~') {
        let captures = whole(text).captures(path)?;
        let names = whole(text);
        let found = names.capture_names().flatten();
        let params = found
            .filter_map(|n| Some((n.to_owned(), captures.name(n)?.as_str().to_owned())))
            .collect();
        return Some(((1, Vec::new(), Reverse(text.len())), params));
    }
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let (mut ranks, mut params) = (Vec::new(), Vec::new());
    let wanted: Vec<&str> = pattern[1..].split('/').collect();
    for (i, want) in wanted.iter().enumerate() {
        let name = want.strip_prefix('{').and_then(|n| n.strip_suffix('}'));
        if *want == "*" || name.is_some_and(|n| n.ends_with("..")) {
            if let Some(name) = name {
                let rest = segments.get(i..).unwrap_or(&[]).join("/");
                params.push((name.trim_end_matches('.').to_owned(), rest));
            }
            ranks.push(3);
            return Some(((0, ranks, Reverse(0)), params));
        }
        let segment = *segments.get(i)?;
        match name {
            Some(name) if !segment.is_empty() => {
                params.push((name.to_owned(), segment.to_owned()));
                ranks.push(2);
            }
            None if *want == segment => ranks.push(1),
            _ => return None,
        }
    }
    ranks.push(0);
    (segments.len() == wanted.len()).then_some(((0, ranks, Reverse(0)), params))
}

impl Spec {
    fn hosts(&self) -> Vec<&'static str> {
        if self.hosts.is_empty() {
            vec!["*"]
        } else {
            self.hosts.clone()
        }
    }

    fn paths(&self) -> Vec<Option<&str>> {
        if self.paths.is_empty() {
            vec![None]
        } else {
            self.paths.iter().map(|p| Some(&**p)).collect()
        }
    }

    fn count(&self) -> usize {
        usize::from(!self.methods.is_empty())
            + [&self.header, &self.other_header, &self.query]
                .into_iter()
                .flatten()
                .count()
    }

    fn takes(&self, name: &str) -> bool {
        self.methods.is_empty()
            || self.methods.contains(&name)
            || (name == "HEAD" && self.methods.contains(&"GET"))
    }

    fn on(&self, listener: u16) -> bool {
        self.listeners.is_empty() || self.listeners.contains(&listener)
    }

    fn values_hold(&self, request: &Request) -> bool {
        let header = |name: &str| request.headers.get(name).map(|v| v.to_str().unwrap());
        let query = request
            .query
            .as_deref()
            .map(|q| q.split_once("q=").unwrap().1);
        self.header.as_ref().is_none_or(|w| w.holds(header("x-a")))
            && self
                .other_header
                .as_ref()
                .is_none_or(|w| w.holds(header("x-b")))
            && self.query.as_ref().is_none_or(|w| w.holds(query))
    }

    /// Every way in which the path matches: rank, path pattern, captures.
    fn path_places(&self, path: &str) -> Vec<PathPlace<'_>> {
        let place = |pattern: Option<&'_ str>| match pattern {
            Some(pattern) => path_rank(pattern, path),
            None => Some(((2, Vec::new(), Reverse(0)), Vec::new())),
        };
        self.paths()
            .into_iter()
            .filter_map(|p| place(p).map(|(rank, params)| (rank, p, params)))
            .collect()
    }

    fn route(&self, name: &str) -> Route {
        let mut built = route(name);
        built = self.hosts.iter().fold(built, |r, h| r.host(h));
        built = self.paths.iter().fold(built, |r, p| r.path(p));
        built = self.methods.iter().fold(built, |r, m| r.methods(m));
        built = self.listeners.iter().fold(built, |r, l| r.listener(*l));
        built = self
            .header
            .iter()
            .fold(built, |r, w| r.header("x-a", w.value_match()));
        built = self
            .other_header
            .iter()
            .fold(built, |r, w| r.header("x-b", w.value_match()));
        self.query
            .iter()
            .fold(built, |r, w| r.query("q", w.value_match()))
    }
}

fn name(i: usize) -> String {
    format!("r{i:02}")
}

/// The answer by the rules: `r01 p0=a`, `405 GET, HEAD` or `404`.
fn reference(specs: &[(usize, Spec)], request: &Request) -> String {
    let mut best: Option<(_, String)> = None;
    let mut allow = BTreeSet::new();
    for (i, spec) in specs {
        if !spec.on(request.listener) || !spec.values_hold(request) {
            continue;
        }
        let hosts: Vec<_> = spec
            .hosts()
            .into_iter()
            .filter_map(|p| host_rank(p, &request.host))
            .collect();
        let places = spec.path_places(&request.path);
        for (host, (rank, pattern, params)) in hosts
            .into_iter()
            .flat_map(|h| places.iter().map(move |p| (h, p)))
        {
            if !spec.takes(request.method.as_str()) {
                allow.extend(spec.methods.iter().copied());
                continue;
            }
            let names_head = spec.methods.contains(&"HEAD");
            let head = request.method == "HEAD" && !names_head;
            let last = pattern
                .as_ref()
                .filter(|p| p.starts_with('~'))
                .map(|p| (!names_head, name(*i), p.to_owned()));
            let key = (host, rank.clone(), Reverse(spec.count()), head, last);
            if best.as_ref().is_none_or(|(known, _)| key < *known) {
                let params = params.iter().map(|(n, v)| format!(" {n}={v}"));
                best = Some((key, name(*i) + &params.collect::<String>()));
            }
        }
    }
    if let Some((_, answer)) = best {
        return answer;
    }
    if allow.contains("GET") {
        allow.insert("HEAD");
    }
    let listed: Vec<&str> = METHODS
        .iter()
        .copied()
        .filter(|m| allow.contains(m))
        .collect();
    if listed.is_empty() {
        "404".to_owned()
    } else {
        format!("405 {}", listed.join(", "))
    }
}

/// Whether some request of the small world meets both routes with equal precedence.
fn tie(a: &Spec, b: &Spec) -> bool {
    let values = || std::iter::once(None).chain(VALUES.iter().map(|v| Some(*v)));
    let both = |a: &Option<Wanted>, b: &Option<Wanted>| {
        let holds = |w: &Option<Wanted>, v| w.as_ref().is_none_or(|w| w.holds(v));
        values().any(|v| holds(a, v) && holds(b, v))
    };
    let names_head = |s: &Spec| s.methods.contains(&"HEAD");
    // Line 5 tells a named `HEAD` from one that `GET` implies, and from nothing else.
    let decided = |m: &str| {
        m == "HEAD"
            && !a.methods.is_empty()
            && !b.methods.is_empty()
            && names_head(a) != names_head(b)
    };
    let method = |m: &str| a.takes(m) && b.takes(m) && !decided(m);
    a.count() == b.count()
        && LISTENERS.iter().any(|l| a.on(*l) && b.on(*l))
        && METHODS.iter().any(|m| method(m))
        && both(&a.header, &b.header)
        && both(&a.other_header, &b.other_header)
        && both(&a.query, &b.query)
        && places_tie(a, b)
}

/// A route matches every host of its list with every path of its list, so the two can be looked at apart.
fn places_tie(a: &Spec, b: &Spec) -> bool {
    let regex = |p: &Option<&str>| p.is_some_and(|p| p.starts_with('~'));
    let hosts = HOSTS.iter().any(|host| {
        let ranks = |s: &Spec| {
            s.hosts()
                .into_iter()
                .filter_map(|p| host_rank(p, host))
                .collect::<Vec<_>>()
        };
        ranks(a).iter().any(|rank| ranks(b).contains(rank))
    });
    hosts
        && small_world().iter().any(|path| {
            let others = b.path_places(path);
            let same = |(rank, pattern, _): &PathPlace<'_>| {
                others
                    .iter()
                    .any(|(other, p, _)| rank == other && (!regex(p) || p == pattern))
            };
            a.path_places(path).iter().any(same)
        })
}

/// A path for every shape of pattern that the strategies make.
fn small_world() -> Vec<String> {
    let mut paths: Vec<String> = PATHS.iter().map(|p| (*p).to_owned()).collect();
    let mut level = vec![String::new()];
    for _ in 0..3 {
        level = level
            .iter()
            .flat_map(|p| ["a", "b", "1"].map(|s| format!("{p}/{s}")))
            .collect();
        paths.extend(level.iter().flat_map(|p| [p.clone(), format!("{p}/")]));
    }
    paths
}

fn build(specs: &[(usize, Spec)]) -> Result<Router, Vec<BuildError>> {
    Router::build(
        specs
            .iter()
            .map(|(i, spec)| spec.route(&name(*i)).0)
            .collect(),
    )
}

fn pairs(errors: &[BuildError]) -> BTreeSet<(String, String)> {
    let pair = |error: &BuildError| match error {
        BuildError::Ambiguous(a) => (a.routes[0].to_string(), a.routes[1].to_string()),
        other => panic!("unexpected {other}"),
    };
    errors.iter().map(pair).collect()
}

fn check(specs: Vec<Spec>, requests: &[Request]) -> Result<(), TestCaseError> {
    let mut specs: Vec<(usize, Spec)> = specs.into_iter().enumerate().collect();
    let mut expected = BTreeSet::new();
    for (i, a) in &specs {
        for (j, b) in specs.iter().skip(i + 1) {
            if tie(a, b) {
                expected.insert((name(*i), name(*j)));
            }
        }
    }
    let reported = build(&specs).err().map(|e| pairs(&e)).unwrap_or_default();
    prop_assert_eq!(&reported, &expected);
    specs.retain(|(i, _)| !expected.iter().any(|(_, second)| *second == name(*i)));
    let router = build(&specs).unwrap();
    for request in requests {
        prop_assert_eq!(
            common::answer(&router, request),
            reference(&specs, request),
            "{:?}",
            request
        );
        let won = router
            .explain(&request.as_query())
            .into_iter()
            .find_map(|c| match c.verdict {
                lintel_router::Verdict::Won { .. } => Some(c.route),
                _ => None,
            });
        let found = match router.find(&request.as_query()) {
            Outcome::Matched { route, .. } => Some(route),
            _ => None,
        };
        prop_assert_eq!(won, found, "explain differs for {:?}", request);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_router_answers_by_the_rules(
        specs in prop::collection::vec(spec(0.3), 0..7),
        requests in prop::collection::vec(request(), 60),
    ) {
        check(specs, &requests)?;
    }

    /// Many routes in few places, so that fall-through and the index by value get work.
    #[test]
    fn crowded_places_answer_by_the_rules(
        crowd in prop::collection::vec(spec(0.8), 16..36),
        at in any::<Index>(),
        requests in prop::collection::vec(request(), 40),
    ) {
        let place = ["/a", "/{p0}", "/a/*"][at.index(3)].to_owned();
        let squeeze = |mut spec: Spec| {
            (spec.hosts, spec.paths) = (Vec::new(), vec![place.clone()]);
            spec
        };
        let requests: Vec<Request> = requests
            .into_iter()
            .map(|mut request| {
                request.path = "/a".to_owned();
                request
            })
            .collect();
        check(crowd.into_iter().map(squeeze).collect(), &requests)?;
    }
}
