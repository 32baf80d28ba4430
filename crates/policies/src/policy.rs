//! What a policy is.

use std::{collections::BTreeMap, future::poll_fn, path::PathBuf, rc::Rc, sync::Arc};

use http::{HeaderValue, Response};
use lintel_http::{Body, http1::Timer};
use lintel_kernel::{
    Ending, Exchange, Fault, Flow, Priority, Rejection,
    expr::{Expr, Template},
};
use lintel_state::{
    in_flight::InFlight,
    ledger::{Book, Keep},
    limit::Table,
    revoked::Revoked,
    store::{Redis, Replicas},
};
use lintel_upstream::{Control, Pools, Service};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::{
    Directory, Issuer, Outside, ServiceRef,
    consumers::{Claimed, Roll},
    quota,
    rate_limit::Callers,
};

/// One cross-cutting rule, built from its part of a route's configuration and shared by all
/// workers.
///
/// Hooks are synchronous and must neither block nor wait. They run on the request path: what can
/// be computed at load is computed in [`build`](Self::build).
///
/// A policy that can't decide without waiting — for a store, another service, a time — answers
/// [`Flow::Wait`] from `on_request`, and decides in [`resume`](Self::resume). Only requests that
/// really wait pay for it: decide in `on_request` what can be decided at once (from a cache, say).
pub trait Policy: Sized + Send + Sync {
    /// What the operator writes under the policy's key.
    type Config: DeserializeOwned + schemars::JsonSchema + Clone;

    /// Builds the policy.
    ///
    /// # Errors
    /// Every mistake in the configuration, each with its path below the policy's key.
    fn build(config: &Self::Config, context: &Context) -> Result<Self, Vec<Fault>>;

    /// What holds on a route that inherits something from the defaults. Unless a policy says
    /// otherwise, the route's own takes its place as a whole.
    fn merge(own: Option<&Self::Config>, inherited: &Self::Config) -> Self::Config {
        own.unwrap_or(inherited).clone()
    }

    /// The services that it asks, as its configuration names them. A name that is not declared is
    /// refused before anything is built; one that is counts as used.
    fn services(_config: &Self::Config) -> Vec<ServiceRef<'_>> {
        Vec::new()
    }

    /// What holds in the end, a line each, for `lintel explain`.
    fn describe(&self) -> Vec<String> {
        Vec::new()
    }

    /// Starts what runs beside the requests, on the control runtime. Called before the policy
    /// sees its first request, and again whenever a reload has taken it, or a part that it shares,
    /// over. What was started ends when nobody holds the policy any more.
    ///
    /// [`build`](Self::build) may read, but must start nothing: what is built need not come into
    /// use. Nor is this called for a rehearsal.
    fn start(&self, _control: &Control) {}

    /// Issuers of credentials whose keys are fetched, for the admin API.
    fn issuers(&self) -> Vec<Arc<Issuer>> {
        Vec::new()
    }

    /// Quotas, for the admin API.
    fn quotas(&self) -> Vec<Arc<quota::Quota>> {
        Vec::new()
    }

    /// The share of requests that is held back now, by priority, for the metrics.
    fn held_back(&self) -> Option<[f64; 3]> {
        None
    }

    /// Sees a request on its way in.
    fn on_request(&self, _exchange: &mut Exchange, _body: &mut Body) -> Flow<Response<Body>> {
        Flow::Next
    }

    /// Decides about a request for which [`on_request`](Self::on_request) said [`Flow::Wait`].
    /// Called at once; what it needs to know of that decision it leaves in the exchange, or
    /// computes anew. [`Flow::Wait`] from here calls it again.
    ///
    /// The future is boxed by the chain, and dropped when the client goes away or the route's
    /// timeout has passed; the request is then refused with 504. Whatever it has begun must stand
    /// that.
    fn resume(
        &self,
        _exchange: &mut Exchange,
        _body: &mut Body,
        _wait: &Wait<'_>,
    ) -> impl Future<Output = Flow<Response<Body>>> {
        std::future::ready(Flow::Next)
    }

    /// What a 401 tells callers who brought nothing that this policy takes for a credential: a
    /// challenge (RFC 9110 §11.6.1). For policies of the phase *authenticate* that know one.
    fn challenge(&self) -> Option<HeaderValue> {
        None
    }

    /// Whether it makes sense only where a policy of the phase *authenticate* runs before.
    fn needs_identity(&self) -> bool {
        false
    }

    /// Whether it must read this answer whole before anything of it goes out. If so,
    /// [`remake`](Self::remake) is called, and [`on_response`](Self::on_response) is not.
    fn remakes(&self, _exchange: &Exchange, _response: &Response<Body>) -> bool {
        false
    }

    /// Makes another answer of one, or refuses it. The future is boxed by the chain, and dropped as
    /// that of [`resume`](Self::resume) is.
    fn remake(
        &self,
        _exchange: &mut Exchange,
        _response: &mut Response<Body>,
    ) -> impl Future<Output = Result<(), Rejection>> {
        std::future::ready(Ok(()))
    }

    /// Sees the answer on its way out; also answers that the gateway made itself.
    fn on_response(&self, _exchange: &mut Exchange, _response: &mut Response<Body>) {}

    /// Sees the end of the request, whatever way it ended.
    fn on_end(&self, _exchange: &Exchange, _ending: &Ending) {}
}

/// What a policy has while it waits.
pub struct Wait<'a> {
    /// The timer of the task that the request runs in. Cheaper than a timer of one's own.
    pub timer: &'a Timer,
    /// When the route's timeout passes: nothing is waited for beyond that.
    pub deadline: Instant,
    /// The worker's connections, for policies that ask a service; see [`Backend`](crate::Backend).
    pub pools: &'a Rc<Pools>,
}

impl Wait<'_> {
    /// Waits until a time.
    pub async fn until(&self, time: Instant) {
        poll_fn(|cx| self.timer.poll_deadline(cx, time)).await;
    }
}

/// What a policy may use while it is built.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The folder that relative paths in the configuration start from.
    pub folder: PathBuf,
    /// Names of the path parameters that every match of the route has; `None` where the route is
    /// not known, as in `defaults`.
    pub params: Option<Vec<String>>,
    /// For `check` and `test`: nothing outside the process is to be opened or made. Requests may
    /// still come.
    pub dry: bool,
    /// The declared consumers.
    pub consumers: Arc<Directory>,
    /// Consumers and plans that come from outside the configuration.
    pub outside: Option<Arc<Outside>>,
    /// The route; `None` where policies are built for all, as in `defaults`.
    pub route: Option<Arc<str>>,
    /// The group of the route; `None` where it has none.
    pub group: Option<Arc<str>>,
    /// The services that the route sends requests to, whichever way; `None` where the route is not
    /// known.
    pub targets: Option<Arc<[Arc<str>]>>,
    /// How important the requests of the route are.
    pub priority: Priority,
    /// The limits of consumers and plans.
    pub callers: Arc<Callers>,
    /// The stores that replicas share, by name.
    pub stores: Arc<BTreeMap<String, Arc<Redis>>>,
    /// The declared services, by name. Empty in `check`, where only their names are known.
    pub services: Arc<BTreeMap<String, Arc<Service>>>,
    /// How many replicas of the gateway there are.
    pub replicas: Arc<Replicas>,
    /// Credentials that are taken back before they end.
    pub revoked: Arc<Revoked>,
    /// Where limits are counted. Without it, a small one is made.
    pub table: Option<Arc<Table>>,
    /// Where it is counted what is under way. Without it, a small one is made.
    pub in_flight: Option<Arc<InFlight>>,
    /// The quotas of consumers and plans.
    pub quotas: Arc<quota::Callers>,
    /// Where quotas are counted. Without it, a small one is made that is not kept.
    pub book: Option<Arc<Book<1>>>,
    /// Where it is counted who has used what. Without it, a small one is made that is not kept.
    pub usage: Option<Arc<Book<3>>>,
}

/// Where a setting that adds up was written: on the route, or further up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// What is being built itself.
    #[default]
    Own,
    /// The group of the route.
    Group,
    /// The defaults.
    Defaults,
}

impl Origin {
    /// The same, seen from one level further down.
    pub(crate) const fn inherited(self) -> Self {
        match self {
            Self::Own => Self::Group,
            Self::Group | Self::Defaults => Self::Defaults,
        }
    }

    /// What counts together: the name of the place where it was written.
    pub(crate) fn scope(self, context: &Context) -> String {
        let (section, name) = match self {
            Self::Own => ("routes", &context.route),
            Self::Group => ("groups", &context.group),
            Self::Defaults => ("", &None),
        };
        let named = name.as_deref().map(|name| format!("{section}.{name}"));
        named.unwrap_or_else(|| "defaults".to_owned())
    }
}

impl Context {
    /// Where consumers are looked up.
    pub(crate) fn roll(&self) -> Roll {
        Roll::new(Arc::clone(&self.consumers), self.outside.clone())
    }

    /// Consumers as a claim names them.
    pub(crate) fn claimed(&self, claim: Option<&String>) -> Option<Claimed> {
        claim.map(|claim| Claimed::new(claim.clone(), self.roll()))
    }

    /// Where limits are counted.
    pub(crate) fn table(&self) -> Arc<Table> {
        let made = || Arc::new(Table::new(64));
        self.table.clone().unwrap_or_else(made)
    }

    /// Where it is counted what is under way.
    pub(crate) fn in_flight(&self) -> Arc<InFlight> {
        let made = || Arc::new(InFlight::new(64));
        self.in_flight.clone().unwrap_or_else(made)
    }

    /// Where quotas are counted.
    pub(crate) fn book(&self) -> Arc<Book<1>> {
        let made = || Arc::new(Book::new(64, None, Keep::Accounts));
        self.book.clone().unwrap_or_else(made)
    }

    /// Where it is counted who has used what.
    pub(crate) fn usage(&self) -> Arc<Book<3>> {
        let made = || Arc::new(Book::new(64, None, Keep::Accounts));
        self.usage.clone().unwrap_or_else(made)
    }

    /// A declared store.
    ///
    /// # Errors
    /// There is none of that name; the mistake of the key `store`.
    pub(crate) fn store(&self, name: &str) -> Result<&Arc<Redis>, Fault> {
        self.stores.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.stores.keys().map(String::as_str).collect();
            let fault = Fault::new(format!("there is no store `{name}`"));
            let fault = match known.as_slice() {
                [] => fault.with_hint(format!(
                    "add `stores: {{ {name}: {{ redis: {{ url: redis://127.0.0.1:6379 }} }} }}`"
                )),
                known => fault.with_hint(format!("the stores are `{}`", known.join("`, `"))),
            };
            fault.under("store")
        })
    }

    /// Compiles a text with `${…}` that is rendered while the request goes in.
    ///
    /// # Errors
    /// The text does not compile, or reads what is not there yet.
    pub fn request_template(&self, text: &str) -> Result<Template, Fault> {
        let template = self.response_template(text)?;
        let early = template
            .exprs()
            .find(|expr| expr.needs_response())
            .map(|expr| early(expr).at(text.find(expr.source())));
        early.map_or(Ok(template), Err)
    }

    /// Compiles an expression that is evaluated while the request goes in.
    ///
    /// # Errors
    /// It does not compile, or reads what is not there yet, or a path parameter that the route does
    /// not have.
    pub fn request_expression(&self, text: &str) -> Result<Expr, Fault> {
        let expr = Expr::parse(text)?;
        if expr.needs_response() {
            return Err(early(&expr));
        }
        self.known(&expr).map_or(Ok(expr), Err)
    }

    /// Compiles a text with `${…}` that is rendered while the answer goes out.
    ///
    /// # Errors
    /// The text does not compile, or reads a path parameter that the route does not have.
    pub fn response_template(&self, text: &str) -> Result<Template, Fault> {
        let template = Template::parse(text)?;
        let unknown = template
            .exprs()
            .find_map(|expr| Some(self.known(expr)?.at(text.find(expr.source()))));
        unknown.map_or(Ok(template), Err)
    }

    /// The mistake of an expression that reads a path parameter which the route does not have.
    fn known(&self, expr: &Expr) -> Option<Fault> {
        let params = self.params.as_ref()?;
        let mut read = expr.path_params().into_iter();
        let missing = read.find(|name| !params.iter().any(|known| known == name))?;
        let fault = Fault::new(format!("no path of the route has a parameter `{missing}`"));
        Some(match params.as_slice() {
            [] => fault.with_hint(format!(
                "write `{{{missing}}}` in the route's path, such as `/users/{{{missing}}}`"
            )),
            known => fault.with_hint(format!("the parameters are `{}`", known.join("`, `"))),
        })
    }
}

fn early(expr: &Expr) -> Fault {
    Fault::new(format!(
        "`{}` is not known yet when the request goes in",
        expr.source()
    ))
    .with_hint("read something of the request, or do this to the answer")
}

/// A policy's setting on a route: its configuration, or `off` to drop one inherited from
/// `defaults`.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Setting<T> {
    /// Switched off on this route.
    Off(Off),
    /// The policy's configuration.
    On(T),
}

impl<T> Setting<T> {
    /// The configuration, unless it is switched off.
    pub const fn on(&self) -> Option<&T> {
        match self {
            Self::On(config) => Some(config),
            Self::Off(_) => None,
        }
    }
}

/// The word `off`.
#[derive(Debug, Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// Switched off.
    Off,
}
