use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderName, StatusCode, uri::PathAndQuery};
use lintel_kernel::{ByteSize, Duration, Fault, config, expr::Expr};

use super::{
    ExtAuthz,
    counted::Counted,
    grpc::Grpc,
    memory::Remembered,
    names::Names,
    plain::{Plain, Target},
    runtime::{BodyRule, Check, Failure, Way},
};
use crate::{
    Backend, Context, ServiceRef, described,
    verdict::{no_name, settable},
};

/// Which service says whether a request may pass, and how it is asked: exactly one of `grpc` and
/// `http`.
#[config]
#[derive(PartialEq)]
#[schemars(rename = "ExtAuthz")]
pub struct Config {
    /// The service that is asked: the name of one under `services`. It has its own connections,
    /// health checks, retries and breaker there.
    pub service: String,

    /// Asks over gRPC, as Envoy does (`envoy.service.auth.v3.Authorization/Check`).
    #[serde(default)]
    #[schemars(example = serde_json::json!({}))]
    pub grpc: Option<GrpcConfig>,

    /// Asks over plain HTTP.
    #[serde(default)]
    pub http: Option<HttpConfig>,

    /// Which requests it is asked about: a condition. Default: all.
    #[serde(default)]
    #[schemars(with = "Option<described::Expression>")]
    pub when: Option<String>,

    /// How long it has for a whole answer, within the timeout of the route.
    #[serde(default = "timeout")]
    pub timeout: Duration,

    /// What holds while it does not answer, or not in a way that can be understood.
    #[serde(default)]
    pub on_failure: OnFailure,

    /// What requests are answered with that nobody could judge. Envoy's default is 403.
    #[serde(default = "unavailable")]
    #[schemars(range(min = 400, max = 599))]
    pub status_on_error: u16,

    /// Lets it see the body of requests. Bodies of gRPC calls, which may be streams, it never sees.
    #[serde(default)]
    pub body: Option<BodyConfig>,

    /// Header fields that it alone may set for the upstream: what clients send under these names is
    /// always removed. Over HTTP these are taken from its answer; over gRPC it may set others too.
    #[serde(default)]
    #[schemars(example = ["X-User-Id"])]
    pub upstream_headers: Vec<String>,

    /// Remembers what it said, so that it is not asked again for each request. Without it, it is.
    #[serde(default)]
    pub cache: Option<CacheConfig>,

    /// The largest answer that is read.
    #[serde(default = "max_answer")]
    pub max_answer: ByteSize,
}

/// What it is told over gRPC.
#[config]
#[derive(Default, PartialEq)]
#[schemars(rename = "ExtAuthzGrpc")]
pub struct GrpcConfig {
    /// Header fields of the request that it sees; a trailing `*` means every field with that
    /// prefix. Default: all that are left when credentials have been stripped.
    #[serde(default)]
    pub headers: Option<Vec<String>>,
    /// What else it is told, in `context_extensions`: names, and the expressions that give their
    /// values.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "user": "claims.sub" }))]
    pub context: BTreeMap<String, String>,
}

/// What it is asked over HTTP, and what is taken from its answers: exactly one of `path` and
/// `path_prefix`.
#[config]
#[derive(PartialEq)]
#[schemars(rename = "ExtAuthzHttp")]
pub struct HttpConfig {
    /// The path that is always asked, by GET, as NGINX's `auth_request` and Traefik's `forwardAuth`
    /// do. It learns the request from `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri` and `-For`, and
    /// from `X-Original-Method` and `X-Original-URI`.
    #[serde(default)]
    #[schemars(example = &"/verify")]
    pub path: Option<String>,
    /// What is put before the request's own path, which is asked with the request's method, as Envoy
    /// does. `/` for nothing.
    #[serde(default)]
    #[schemars(example = &"/check")]
    pub path_prefix: Option<String>,
    /// Header fields of the request that it sees; a trailing `*` means every field with that
    /// prefix, and `*` every field.
    #[serde(default = "authorization")]
    #[schemars(example = ["Authorization", "Cookie"])]
    pub headers: Vec<String>,
    /// Further fields that it sees: names, and the expressions that give their values.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Expression>")]
    #[schemars(example = serde_json::json!({ "X-User": "claims.sub" }))]
    pub add: BTreeMap<String, String>,
    /// Fields of its answer that clients get who are turned away; a trailing `*` as above. Default:
    /// all.
    #[serde(default)]
    #[schemars(example = ["WWW-Authenticate", "Location", "Set-Cookie"])]
    pub client_headers: Option<Vec<String>>,
    /// Fields of its answer that clients get who pass, with the answer of the upstream; a trailing
    /// `*` as above.
    #[serde(default)]
    #[schemars(example = ["Set-Cookie"])]
    pub success_headers: Vec<String>,
}

/// What holds while a check service does not answer.
#[config]
#[derive(Copy, Default, PartialEq, Eq)]
#[schemars(rename = "ExtAuthzOnFailure")]
pub enum OnFailure {
    /// Requests are refused.
    #[default]
    Deny,
    /// Requests pass as they are.
    Allow,
}

/// How much of bodies it sees.
#[config]
#[derive(PartialEq)]
#[schemars(rename = "ExtAuthzBody")]
pub struct BodyConfig {
    /// So much; it is held in memory meanwhile.
    pub max: ByteSize,
    /// What becomes of requests with more.
    #[serde(default)]
    pub larger: Larger,
}

/// What becomes of requests with a larger body.
#[config]
#[derive(Copy, Default, PartialEq, Eq)]
#[schemars(rename = "ExtAuthzLarger")]
pub enum Larger {
    /// They are refused with 413.
    #[default]
    Refuse,
    /// It sees the beginning, and `x-envoy-auth-partial-body: true`.
    Cut,
}

/// Which requests are judged alike, and how long.
#[config]
#[derive(PartialEq)]
#[schemars(rename = "ExtAuthzCache")]
pub struct CacheConfig {
    /// What requests have in common that are judged alike: expressions. Whatever the service looks
    /// at has to be among them.
    #[schemars(with = "Vec<described::Expression>", length(min = 1))]
    #[schemars(example = ["claims.sub", "request.method", "request.path"])]
    pub by: Vec<String>,
    /// How long a request that passed lets others pass.
    pub ttl: Duration,
    /// How long one that was turned away has others turned away. Default: as long as `ttl`.
    #[serde(default)]
    pub denied_ttl: Option<Duration>,
    /// Memory for it, in each worker.
    #[serde(default = "memory")]
    pub memory: ByteSize,
}

const fn timeout() -> Duration {
    Duration::from_millis(200)
}

const fn unavailable() -> u16 {
    503
}

const fn max_answer() -> ByteSize {
    ByteSize::bytes(64 << 10)
}

const fn memory() -> ByteSize {
    ByteSize::bytes(4 << 20)
}

fn authorization() -> Vec<String> {
    vec!["Authorization".to_owned()]
}

/// Collects what is wrong; gives what is right.
struct Collector(Vec<Fault>);

impl Collector {
    fn take<T>(&mut self, result: Result<T, Vec<Fault>>) -> Option<T> {
        result.map_err(|found| self.0.extend(found)).ok()
    }

    fn take_one<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        self.take(result.map_err(|fault| vec![fault]))
    }
}

impl Config {
    pub(super) fn services(&self) -> Vec<ServiceRef<'_>> {
        vec![ServiceRef {
            path: vec!["service"],
            name: &self.service,
        }]
    }

    pub(super) fn build(&self, context: &Context) -> Result<ExtAuthz, Vec<Fault>> {
        let mut faults = Collector(Vec::new());
        let backend = faults.take_one(self.backend(context));
        let forged = faults.take(settable(&self.upstream_headers, "upstream_headers"));
        let way = faults.take(self.way(context));
        let when = self.when.as_deref().map(|text| {
            let expr = context.request_expression(text);
            faults.take_one(expr.map_err(|fault| fault.under("when")))
        });
        let cache = self
            .cache
            .as_ref()
            .map(|cache| faults.take(cache.build(self, context)));
        if self.timeout.is_zero() {
            let fault = Fault::new("no service answers in no time at all");
            let fault = fault.with_hint("write a time, such as `200ms`");
            faults.0.push(fault.under("timeout"));
        }
        match (backend, way, forged) {
            (Some(backend), Some(way), Some(forged)) if faults.0.is_empty() => Ok(ExtAuthz {
                counted: Counted::new(context.route.as_deref().unwrap_or("")),
                cache: cache.flatten(),
                forged,
                when: when.flatten(),
                check: Check {
                    backend,
                    way,
                    body: self.body.as_ref().map(|body| BodyRule {
                        max: body.max.as_usize(),
                        cut: body.larger == Larger::Cut,
                    }),
                    failure: self.failure(),
                },
            }),
            _ => Err(faults.0),
        }
    }

    fn failure(&self) -> Failure {
        match self.on_failure {
            OnFailure::Allow => Failure::Allow,
            // The schema allows no other status.
            OnFailure::Deny => Failure::Deny(
                StatusCode::from_u16(self.status_on_error)
                    .unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            ),
        }
    }

    fn backend(&self, context: &Context) -> Result<Backend, Fault> {
        let (timeout, most) = (self.timeout.to_std(), self.max_answer.as_usize());
        let backend = Backend::build(context, &self.service, timeout, most);
        let backend = backend.map_err(|fault| fault.under("service"))?;
        if self.grpc.is_some() && !backend.may_speak_http2() {
            let fault = Fault::new(format!(
                "service `{}` speaks HTTP/1.1, and gRPC needs HTTP/2",
                self.service
            ));
            let hint = "write `protocol: grpc` in the service, or ask it over `http`";
            return Err(fault.with_hint(hint).under("service"));
        }
        Ok(backend)
    }

    fn way(&self, context: &Context) -> Result<Way, Vec<Fault>> {
        match (&self.grpc, &self.http) {
            (Some(grpc), None) => grpc.build(context).map(Way::Grpc),
            (None, Some(http)) => {
                let plain = http.build(&self.upstream_headers, context);
                let plain = plain.map(|plain| Way::Plain(Box::new(plain)));
                plain.map_err(|found| under(found, "http"))
            }
            (None, None) => Err(vec![
                Fault::new("it is not said how the service is asked").with_hint(
                    "write `grpc: {}`, or `http: { path: /verify }` with the path that it checks requests at",
                ),
            ]),
            (Some(_), Some(_)) => Err(vec![
                Fault::new("a service is asked over gRPC or over HTTP, not both")
                    .with_hint("remove `grpc` or `http`")
                    .under("http"),
            ]),
        }
    }
}

fn under(faults: Vec<Fault>, key: &str) -> Vec<Fault> {
    faults.into_iter().map(|fault| fault.under(key)).collect()
}

impl GrpcConfig {
    fn build(&self, context: &Context) -> Result<Grpc, Vec<Fault>> {
        let mut faults = Collector(Vec::new());
        let headers = match &self.headers {
            Some(names) => faults.take(Names::build(names, "headers")),
            None => Some(Names::all()),
        };
        let mut told: Vec<(String, Expr)> = Vec::new();
        for (name, text) in &self.context {
            let expr = context.request_expression(text);
            let expr = expr.map_err(|fault| fault.under(name).under("context"));
            told.extend(faults.take_one(expr).map(|expr| (name.clone(), expr)));
        }
        match headers {
            Some(headers) if faults.0.is_empty() => Ok(Grpc {
                headers,
                context: told,
            }),
            _ => Err(under(faults.0, "grpc")),
        }
    }
}

impl HttpConfig {
    fn build(&self, upstream: &[String], context: &Context) -> Result<Plain, Vec<Fault>> {
        let mut faults = Collector(Vec::new());
        let target = faults.take_one(self.target());
        let headers = faults.take(Names::build(&self.headers, "headers"));
        let denied = match &self.client_headers {
            Some(names) => faults.take(Names::build(names, "client_headers")),
            None => Some(Names::all()),
        };
        let allowed = faults.take(Names::build(&self.success_headers, "success_headers"));
        let mut add = Vec::new();
        for (name, text) in &self.add {
            let field = field(name, text, context);
            add.extend(faults.take_one(field.map_err(|fault| fault.under(name).under("add"))));
        }
        // What is wrong with one of them is told where they stand.
        let upstream = settable(upstream, "upstream_headers").unwrap_or_default();
        match (target, headers, denied, allowed) {
            (Some(target), Some(headers), Some(denied), Some(allowed)) if faults.0.is_empty() => {
                Ok(Plain {
                    target,
                    headers,
                    add,
                    upstream,
                    denied,
                    allowed,
                })
            }
            _ => Err(faults.0),
        }
    }

    fn target(&self) -> Result<Target, Fault> {
        let path = |text: &str, key: &str| -> Result<PathAndQuery, Fault> {
            let path = text.parse().ok().filter(|_| text.starts_with('/'));
            path.ok_or_else(|| {
                Fault::new(format!("`{text}` is not a path"))
                    .with_hint("a path begins with `/`, such as `/verify`")
                    .under(key)
            })
        };
        match (&self.path, &self.path_prefix) {
            (Some(text), None) => Ok(Target::Fixed(path(text, "path")?.into())),
            (None, Some(text)) => {
                let prefix = path(text, "path_prefix")?;
                if prefix.query().is_some() {
                    let fault = Fault::new("a query can't stand before a path");
                    let fault = fault.with_hint("leave out what begins with `?`");
                    return Err(fault.under("path_prefix"));
                }
                let prefix = prefix.as_str().trim_end_matches('/');
                Ok(Target::Prefix(prefix.to_owned()))
            }
            (None, None) => Err(Fault::new("it is not said at which path the service checks")
                .with_hint("write `path: /verify`, or `path_prefix: /check` to put before the request's own path")),
            (Some(_), Some(_)) => Err(Fault::new("`path` and `path_prefix` can't stand together")
                .with_hint("remove one of them")
                .under("path_prefix")),
        }
    }
}

fn field(name: &str, text: &str, context: &Context) -> Result<(HeaderName, Expr), Fault> {
    let name = name.parse().map_err(|_| no_name(name))?;
    Ok((name, context.request_expression(text)?))
}

impl CacheConfig {
    fn build(&self, whole: &Config, context: &Context) -> Result<Remembered, Vec<Fault>> {
        let mut faults = Collector(Vec::new());
        let mut by: Vec<Expr> = Vec::new();
        for (index, text) in self.by.iter().enumerate() {
            let expr = context.request_expression(text);
            by.extend(
                faults.take_one(expr.map_err(|fault| fault.under(index.to_string()).under("by"))),
            );
        }
        if self.by.is_empty() {
            let fault = Fault::new("all requests would be judged alike");
            let hint = "write what the service looks at, such as `[claims.sub, request.path]`";
            faults.0.push(fault.with_hint(hint).under("by"));
        }
        if whole.body.is_some() {
            let fault =
                Fault::new("requests that differ in their body alone would be judged alike");
            faults.0.push(fault.with_hint("remove `cache`, or `body`"));
        }
        if !faults.0.is_empty() {
            return Err(under(faults.0, "cache"));
        }
        let allowed = self.ttl.to_std();
        let denied = self.denied_ttl.map_or(allowed, Duration::to_std);
        let route: Option<Arc<str>> = context.route.clone();
        let bytes = self.memory.as_usize();
        Ok(Remembered::new(by, (allowed, denied), bytes, route, whole))
    }
}
