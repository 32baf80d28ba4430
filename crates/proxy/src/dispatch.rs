//! *dispatch*: what a route does with a request that passed its policies.

use std::{rc::Rc, sync::Arc, time::Duration};

use http::{HeaderMap, Response, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::{Facts, Kind, Rejection, Side, expr::Scope};
use lintel_upstream::{Answer, Call, Failure, Rules, Service, Tried, deadline::Deadline};
use tokio::time::Instant;

use crate::{
    active::Active,
    compose,
    connection::Connection,
    date, fallback, grpc,
    mirror::Pair,
    receive::{listener_rules, stamp},
    request::Context,
    respond,
    snapshot::{Action, Peers, Route},
};

/// `Retry-After` where nothing better is known.
const SOON: Duration = Duration::from_secs(1);

const ROUTE_FULL: Rejection = Rejection::new(
    "dispatch",
    StatusCode::SERVICE_UNAVAILABLE,
    "concurrency_full",
    "Too many requests are under way; come back in a moment.",
)
.with_retry_after(SOON);

/// An answer, and what is beyond it where it switches protocols.
pub(crate) struct Dispatched {
    pub(crate) response: Response<Body>,
    pub(crate) upgraded: Option<Upgraded>,
}

/// What is at the other end after a switch of protocols.
pub(crate) enum Upgraded {
    /// The upstream's connection.
    Upstream(lintel_upstream::Tunnel),
    /// A call that begins now.
    Call(Box<grpc::Session>),
}

impl From<Response<Body>> for Dispatched {
    fn from(response: Response<Body>) -> Self {
        Self {
            response,
            upgraded: None,
        }
    }
}

/// Why there is no answer, and what is left for another try.
pub(crate) struct NoAnswer {
    /// What the client is told.
    pub(crate) rejection: Rejection,
    /// What happened to the request on its way to the service.
    pub(crate) facts: Option<Facts>,
    /// The body, if nothing was taken from it.
    pub(crate) body: Option<Body>,
}

impl From<Rejection> for Box<NoAnswer> {
    fn from(rejection: Rejection) -> Self {
        Self::new(NoAnswer {
            rejection,
            facts: None,
            body: None,
        })
    }
}

/// One way to a service.
pub(crate) struct Errand {
    pub(crate) service: usize,
    pub(crate) body: Body,
    /// When the head of the answer must be there.
    pub(crate) deadline: Instant,
    /// Whether the request has been to another service before.
    pub(crate) again: bool,
    /// Whether it is a gRPC call that was made here of a request that is none.
    pub(crate) call: bool,
}

pub(crate) async fn dispatch(
    active: &mut Active,
    route: &Route,
    body: Body,
    context: &Context<'_>,
) -> Result<Dispatched, Rejection> {
    let answered = match &route.fallback {
        None => act(active, route, body, context).await,
        Some(fallback) => {
            Box::pin(fallback::dispatch(active, route, fallback, body, context)).await
        }
    };
    answered.map_err(|lost| lost.rejection)
}

/// What the route says, without its fallback.
pub(crate) async fn act(
    active: &mut Active,
    route: &Route,
    body: Body,
    context: &Context<'_>,
) -> Result<Dispatched, Box<NoAnswer>> {
    let errand = |service, body| Errand {
        service,
        body,
        deadline: context.wire.received + route.timeout,
        again: false,
        call: false,
    };
    match &route.action {
        Action::Service(service) => forward(active, route, errand(*service, body), context).await,
        Action::Split(split) => {
            let (service, choice) = split.send(active).ok_or_else(no_service)?;
            let result = forward(active, route, errand(service, body), context).await;
            split.answer(&active.exchange, choice, result)
        }
        Action::Grpc(to) => {
            let to = Arc::clone(&to.current());
            // Boxed: the other requests should not carry the room for it.
            Box::pin(grpc::dispatch(active, route, &to, body, context)).await
        }
        Action::Compose(to) => Box::pin(compose::dispatch(active, route, to, body, context)).await,
        Action::Respond(page) => Ok(respond::page(page, Scope::request(&active.exchange)).into()),
        Action::Redirect(redirect) => {
            let redirected = respond::redirect(redirect, Scope::request(&active.exchange));
            Ok(redirected.map(Dispatched::from)?)
        }
    }
}

/// Sends the request to a service and waits for the head of its answer.
pub(crate) async fn forward(
    active: &mut Active,
    route: &Route,
    errand: Errand,
    context: &Context<'_>,
) -> Result<Dispatched, Box<NoAnswer>> {
    let local = Rc::clone(&active.local);
    let services = &local.snapshot.services;
    let service: &Arc<Service> = services.get(errand.service).ok_or_else(no_service)?;
    active.exchange.service = u32::try_from(errand.service).ok();
    let (body, again, call) = (errand.body, errand.again, errand.call);
    if !again {
        set_out(active, route, context)?;
    }

    let key = service.key(&active.exchange);
    let pools = Rc::clone(&active.worker().pools);
    let begun = Instant::now();
    let body = if again || call || http_body::Body::is_end_stream(&body) {
        body
    } else {
        body.metered(&active.bytes_in)
    };
    let wire = context.wire;
    let (body, pair) = match &route.mirror {
        Some(mirror) if !again && wire.upgrade.is_none() => {
            mirror.begin(active, body, wire.te_trailers)
        }
        _ => (body, None),
    };
    let deadline = errand.deadline;
    let hurried = active.told.is_some_and(|told| told.at < deadline);
    let told = told_on(active, deadline, call);
    let call = Call {
        head: &mut active.exchange.request,
        body,
        // A call is not what the client asked to switch.
        upgrade: wire.upgrade.as_ref().filter(|_| !call),
        expect_continue: wire.expect_continue && !again && !call,
        te_trailers: wire.te_trailers || call,
        deadline: Some(told.map_or(deadline, |told| told.at.min(deadline))),
        timer: &wire.timer,
        interim: &|status, headers| (wire.interim)(status, &headers),
        key,
        tried: Tried::default(),
        retry: (route.terms.retry.as_ref()).map_or(Rules::Service, Rules::Route),
        // The route's breaker watches its own service; another one steps in whatever it says.
        guard: route.terms.guard.as_ref().filter(|_| !again),
        hurried,
        told,
    };
    let sent = pools.send(service, call).await;
    active.exchange.upstream_time += begun.elapsed();
    match sent {
        Ok(answer) => Ok(answered(active, service, answer, pair)),
        Err(failure) => Err(failed(active, failure)),
    }
}

/// What the service is told of how long is left: what the client said. A call that is made here says
/// it whether the client did or not.
fn told_on(active: &mut Active, deadline: Instant, call: bool) -> Option<Deadline> {
    if !call {
        return active.told;
    }
    let told = active.told.map_or(deadline, |told| told.at.min(deadline));
    Deadline::remove(&mut active.exchange.request.headers, false);
    Some(Deadline::of_call(told))
}

/// What is done once, however many services the request is sent to.
pub(crate) fn set_out(
    active: &mut Active,
    route: &Route,
    context: &Context<'_>,
) -> Result<(), Rejection> {
    if let Some(guard) = &route.terms.guard {
        active.places[0] = guard.enter().map_err(|_limit| ROUTE_FULL)?;
    }
    stamp(active, context.connection, context.client);
    active.told = told(active, context);
    Ok(())
}

/// Notes who answered, and gives the client the cookie of the session that begins with it.
fn answered(
    active: &mut Active,
    service: &Service,
    mut answer: Answer,
    pair: Option<Rc<Pair>>,
) -> Dispatched {
    let exchange = &mut active.exchange;
    let cookie = |session| service.set_cookie(session, exchange.secure);
    if let Some(cookie) = answer.session.and_then(cookie) {
        let headers = answer.response.headers_mut();
        headers.append(header::SET_COOKIE, cookie);
    }
    exchange.endpoint = answer.endpoint;
    exchange.attempts = exchange.attempts.saturating_add(answer.attempts);
    if let Some(hedged) = answer.hedged {
        exchange.detour.hedge = Some(hedged.name());
    }
    active.places[1] = answer.place;
    Dispatched {
        response: match pair {
            Some(pair) => pair.watch(answer.response),
            None => answer.response,
        },
        upgraded: answer.upgraded.map(Upgraded::Upstream),
    }
}

/// What the client said of how long it waits, if it may say so. If not, the service is not told
/// either.
fn told(active: &mut Active, context: &Context<'_>) -> Option<Deadline> {
    let Active {
        exchange, local, ..
    } = active;
    let headers = &mut exchange.request.headers;
    let accepted = match listener_rules(local, context.connection).accept_deadline {
        Peers::Anyone => true,
        Peers::Trusted => context.client.trusted,
        Peers::Nobody => false,
    };
    if accepted {
        return Deadline::read(headers, exchange.grpc, context.wire.received);
    }
    Deadline::remove(headers, exchange.grpc);
    None
}

/// What the client is told of a failure: what went wrong in general, never where or why.
fn failed(active: &mut Active, failure: Failure) -> Box<NoAnswer> {
    let exchange = &mut active.exchange;
    exchange.endpoint = failure.endpoint;
    exchange.attempts = exchange.attempts.saturating_add(failure.attempts);
    let Failure {
        facts,
        code,
        cause,
        body,
        retry_after,
        ..
    } = failure;
    tracing::debug!(
        service = exchange.service_name(),
        request_id = exchange.id.as_str(),
        code,
        cause,
        "the service did not answer"
    );
    exchange.cause = Some(cause.into_boxed_str());
    let mut rejection = Rejection::new("dispatch", facts.status(), code, detail(facts));
    if facts.status() == StatusCode::SERVICE_UNAVAILABLE {
        rejection = rejection.with_retry_after(retry_after.unwrap_or(SOON));
    }
    Box::new(NoAnswer {
        rejection,
        facts: Some(facts),
        body,
    })
}

pub(crate) const fn detail(facts: Facts) -> &'static str {
    match (facts.side, facts.kind) {
        (Side::Client, Kind::Limit) => "The request body is larger than allowed.",
        (Side::Client, Kind::Timeout) => "The request body did not arrive in time.",
        (Side::Client, _) => "The request could not be read to its end.",
        (_, Kind::Timeout) => "The service did not answer in time.",
        (_, Kind::Unavailable | Kind::Limit) => "The service can't take requests now.",
        (_, Kind::Protocol) => "The service gave an invalid answer.",
        _ => "The service could not be reached.",
    }
}

pub(crate) fn no_service() -> Rejection {
    Rejection::new(
        "dispatch",
        StatusCode::SERVICE_UNAVAILABLE,
        "no_service",
        "The service can't take requests now.",
    )
}

/// The fields that every answer gets.
pub(crate) fn finish_head(
    active: &Active,
    connection: &Connection,
    response: &mut Response<Body>,
    now: std::time::Instant,
) {
    let version = response.version();
    let headers: &mut HeaderMap = response.headers_mut();
    if !headers.contains_key(header::DATE) {
        // RFC 9110 §6.6.1: a recipient with a clock adds the date that an origin left out.
        headers.insert(header::DATE, date::at(now));
    }
    let rules = listener_rules(&active.local, connection);
    if let Some(server) = &rules.server {
        headers.insert(header::SERVER, server.clone());
    }
    headers.insert(&rules.request_id, active.exchange.id.to_header());
    if let Some(via) = rules
        .forward
        .via
        .as_ref()
        .filter(|_| active.exchange.attempts > 0)
    {
        via.add(version, headers);
    }
}
