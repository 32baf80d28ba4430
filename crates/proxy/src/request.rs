//! The life of a request, on one page. The names of the steps are those of the docs, the metrics
//! and `lintel explain`.

use http::StatusCode;
use lintel_http::{Body, Request};
use lintel_kernel::{Flow, Rejection};
use lintel_policies::{Depth, Wait};
use lintel_router::Outcome as Matched;

use crate::{
    active::Active,
    connection::{Connection, Wire},
    dispatch::{self, Dispatched},
    receive::{Received, listener_rules, receive},
    refuse,
    snapshot::Route,
    tracked::Tracked,
    tunnel::Tunnel,
};

/// The answer to a request, and the tunnel it opens where it is `101 Switching Protocols`.
pub struct Answer {
    /// What goes to the client.
    pub response: http::Response<Tracked>,
    /// The way to the upstream after a switch of protocols.
    pub tunnel: Option<Tunnel>,
}

/// Serves one request from its head to the head of its answer.
pub async fn serve(connection: &Connection, wire: &Wire<'_>, request: Request) -> Answer {
    // receive: path contract, client address, ids.
    let Received {
        mut active,
        body,
        client,
        refusal,
    } = receive(connection, wire, request);
    let mut depth = Depth::default();
    let passed = match refusal {
        Some(rejection) => Err(rejection),
        None => {
            let depth = &mut depth;
            let context = Context {
                connection,
                wire,
                client,
                depth,
            };
            pass(&mut active, body, context).await
        }
    };
    let Dispatched {
        mut response,
        upgraded,
    } = match passed {
        Ok(dispatched) => dispatched,
        Err(rejection) => refuse::response(&mut active, rejection).into(),
    };

    // Answers run backwards through the policies that the request passed.
    while back(&mut active, &mut depth, &mut response) {
        // Boxed: few answers are read whole here.
        response = Box::pin(remade(&mut active, depth, response, wire)).await;
    }
    let now = std::time::Instant::now();
    dispatch::finish_head(&active, connection, &mut response, now);
    active.answered(response.status(), now);

    // Observe runs when the last byte has left: the body, or the tunnel, carries the record there.
    match upgraded {
        Some(far) => {
            let tunnel = Tunnel::new(far, active, wire.timer.clone());
            Answer {
                response: response.map(|_| Tracked::detached()),
                tunnel: Some(tunnel),
            }
        }
        None => Answer {
            response: response.map(|body| Tracked::new(body, active)),
            tunnel: None,
        },
    }
}

/// What the steps between receiving and answering share.
pub(crate) struct Context<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) wire: &'a Wire<'a>,
    pub(crate) client: lintel_http::forwarded::Client,
    depth: &'a mut Depth,
}

/// Route match, the policies in the order of their phases, dispatch.
async fn pass(
    active: &mut Active,
    mut body: Body,
    mut context: Context<'_>,
) -> Result<Dispatched, Rejection> {
    let local = std::rc::Rc::clone(&active.local);

    // Route match; an overloaded gateway refuses the least important here.
    let index = route_match(active)?;
    let route = local.snapshot.routes.get(index).ok_or(refuse::NO_ROUTE)?;
    active.worker().shed.admit(active, route.priority)?;
    body.limit(listener_rules(&local, context.connection).max_body);
    if body.is_over_limit() {
        return Err(refuse::BODY_TOO_LARGE);
    }

    // Edge, Authenticate, Authorize, Admit, Inspect, Cache, Transform.
    let flow = route
        .chain
        .on_request(context.depth, &mut active.exchange, &mut body);
    let flow = match flow {
        // Boxed: few requests wait, and the others should not carry the room for it.
        Flow::Wait => Box::pin(wait(active, route, &mut body, &mut context)).await?,
        flow => flow,
    };
    match flow {
        Flow::Next | Flow::Wait => {}
        Flow::Answer(response) => return Ok(response.into()),
        Flow::Refuse(rejection) => return Err(rejection),
    }

    // Dispatch: a service, a split, an answer of the gateway's own.
    dispatch::dispatch(active, route, body, &context).await
}

/// Policies that have to wait, up to the timeout of the route.
async fn wait(
    active: &mut Active,
    route: &Route,
    body: &mut Body,
    context: &mut Context<'_>,
) -> Result<Flow<http::Response<Body>>, Rejection> {
    let timer = &context.wire.timer;
    let deadline = context.wire.received + route.timeout;
    let pools = &std::rc::Rc::clone(&active.worker().pools);
    let waits = Wait {
        timer,
        deadline,
        pools,
    };
    let resumed = route
        .chain
        .resume(context.depth, &mut active.exchange, body, &waits);
    let resumed = timer.timeout_at(deadline, resumed).await;
    resumed.map_err(|_elapsed| refuse::POLICY_TIMEOUT)
}

/// Runs an answer back through the policies, up to one that must read it whole.
fn back(active: &mut Active, depth: &mut Depth, response: &mut http::Response<Body>) -> bool {
    let local = std::rc::Rc::clone(&active.local);
    let Some(route) = local.route_of(&active.exchange) else {
        return false;
    };
    let exchange = &mut active.exchange;
    route.chain.on_response(depth, exchange, response)
}

/// An answer that a policy makes another one of, up to the timeout of the route.
async fn remade(
    active: &mut Active,
    depth: Depth,
    mut response: http::Response<Body>,
    wire: &Wire<'_>,
) -> http::Response<Body> {
    let local = std::rc::Rc::clone(&active.local);
    let Some(route) = local.route_of(&active.exchange) else {
        return response;
    };
    let deadline = wire.received + route.timeout;
    let begun = tokio::time::Instant::now();
    let exchange = &mut active.exchange;
    let remade = route.chain.remake(depth, exchange, &mut response);
    let remade = wire.timer.timeout_at(deadline, remade).await;
    active.exchange.upstream_time += begun.elapsed();
    match remade.unwrap_or(Err(refuse::ANSWER_TIMEOUT)) {
        Ok(()) => response,
        Err(rejection) => refuse::response(active, rejection),
    }
}

fn route_match(active: &mut Active) -> Result<usize, Rejection> {
    let Active {
        exchange, local, ..
    } = active;
    let matched = local.snapshot.router.find(&lintel_router::Query {
        listener: exchange.listener,
        host: exchange.host(),
        path: exchange.path(),
        query: exchange.request.uri.query(),
        method: &exchange.request.method,
        headers: &exchange.request.headers,
    });
    match matched {
        Matched::Matched { route, params } => {
            exchange.route = u32::try_from(route).ok();
            let (names, spans) = params.into_parts();
            exchange.params = lintel_kernel::exchange::Params { names, spans };
            Ok(route)
        }
        Matched::MethodNotAllowed { allow } => {
            let rejection = refuse::METHOD_NOT_ALLOWED;
            Err(rejection.with_header(http::header::ALLOW, refuse::allow_value(&allow)))
        }
        Matched::NotFound => Err(refuse::NO_ROUTE),
    }
}

/// The status a client is told when serving its request panicked.
pub const PANICKED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
