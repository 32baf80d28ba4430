//! *dispatch*: what a route does with a request that passed its policies.

use std::{rc::Rc, sync::Arc};

use http::{HeaderMap, Response, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::{Facts, Kind, Rejection, Side, expr::Scope};
use lintel_upstream::{Call, Failure, Service, Tried};
use tokio::time::Instant;

use crate::{
    active::Active,
    connection::Connection,
    date,
    receive::{listener_rules, stamp},
    request::Context,
    respond,
    snapshot::{Action, Route},
};

/// An answer, and the upstream's connection where it switched protocols.
pub(crate) struct Dispatched {
    pub(crate) response: Response<Body>,
    pub(crate) upgraded: Option<lintel_upstream::Tunnel>,
}

impl From<Response<Body>> for Dispatched {
    fn from(response: Response<Body>) -> Self {
        Self {
            response,
            upgraded: None,
        }
    }
}

pub(crate) async fn dispatch(
    active: &mut Active,
    route: &Route,
    body: Body,
    context: &Context<'_>,
) -> Result<Dispatched, Rejection> {
    let service = match &route.action {
        Action::Service(service) => *service,
        Action::Split(split) => {
            let (service, choice) = split.send(active).ok_or_else(no_service)?;
            let result = forward(active, route, service, body, context).await;
            return split.answer(&active.exchange, choice, result);
        }
        Action::Respond(page) => {
            return Ok(respond::page(page, Scope::request(&active.exchange)).into());
        }
        Action::Redirect(redirect) => {
            return respond::redirect(redirect, Scope::request(&active.exchange)).map(Into::into);
        }
    };
    forward(active, route, service, body, context).await
}

/// Sends the request to a service and waits for the head of its answer.
async fn forward(
    active: &mut Active,
    route: &Route,
    index: usize,
    body: Body,
    context: &Context<'_>,
) -> Result<Dispatched, Rejection> {
    let local = Rc::clone(&active.local);
    let service: &Arc<Service> = local.snapshot.services.get(index).ok_or_else(no_service)?;
    active.exchange.service = u32::try_from(index).ok();
    stamp(active, context.connection, context.client);

    let pools = Rc::clone(&active.worker().pools);
    let begun = Instant::now();
    let body = if http_body::Body::is_end_stream(&body) {
        body
    } else {
        body.metered(&active.bytes_in)
    };
    let call = Call {
        head: &mut active.exchange.request,
        body,
        upgrade: context.wire.upgrade.clone(),
        expect_continue: context.wire.expect_continue,
        te_trailers: context.wire.te_trailers,
        deadline: Some(context.wire.received + route.timeout),
        timer: &context.wire.timer,
        interim: &|status, headers| (context.wire.interim)(status, &headers),
        key: None,
        tried: Tried::default(),
    };
    let sent = pools.send(service, call).await;
    active.exchange.upstream_time += begun.elapsed();
    match sent {
        Ok(answer) => {
            active.exchange.endpoint = answer.endpoint;
            active.exchange.attempts = answer.attempts;
            Ok(Dispatched {
                response: answer.response,
                upgraded: answer.upgraded,
            })
        }
        Err(failure) => Err(failed(active, failure)),
    }
}

/// What the client is told of a failure: what went wrong in general, never where or why.
fn failed(active: &mut Active, failure: Failure) -> Rejection {
    active.exchange.endpoint = failure.endpoint;
    active.exchange.attempts = failure.attempts;
    let Failure {
        facts, code, cause, ..
    } = failure;
    tracing::debug!(
        service = active.exchange.service_name(),
        request_id = active.exchange.id.as_str(),
        code,
        cause,
        "the service did not answer"
    );
    let rejection = Rejection::new("dispatch", facts.status(), code, detail(facts));
    if facts.status() == StatusCode::SERVICE_UNAVAILABLE {
        return rejection.with_retry_after(std::time::Duration::from_secs(1));
    }
    rejection
}

const fn detail(facts: Facts) -> &'static str {
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

fn no_service() -> Rejection {
    Rejection::new(
        "dispatch",
        StatusCode::SERVICE_UNAVAILABLE,
        "no_service",
        "The service can't take requests now.",
    )
}

/// The fields that every answer gets.
pub(crate) fn finish_head(active: &Active, connection: &Connection, response: &mut Response<Body>) {
    let version = response.version();
    let headers: &mut HeaderMap = response.headers_mut();
    if !headers.contains_key(header::DATE) {
        // RFC 9110 §6.6.1: a recipient with a clock adds the date that an origin left out.
        headers.insert(header::DATE, date::now());
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
