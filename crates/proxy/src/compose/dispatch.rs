//! A request of a composition, from its turn to its answer.

use std::rc::Rc;

use bytes::Bytes;
use lintel_compose::Reason;
use lintel_http::Body;
use lintel_kernel::Rejection;
use tokio::time::Instant;

use super::{Compose, answer, answer::Answered, call::Calls, coalesce::Turn, record, sent, stream};
use crate::{
    active::Active,
    dispatch::{self, Dispatched, NoAnswer},
    request::Context,
    snapshot::Route,
};

pub(crate) async fn dispatch(
    active: &mut Active,
    route: &Route,
    compose: &Compose,
    body: Body,
    context: &Context<'_>,
) -> Result<Dispatched, Box<NoAnswer>> {
    dispatch::set_out(active, route, context)?;
    let bodiless = http_body::Body::is_end_stream(&body);
    let (body, pair) = match &route.mirror {
        Some(mirror) if context.wire.upgrade.is_none() => mirror.begin(active, body, false),
        _ => (body, None),
    };
    let sent = match compose.sent {
        Some(max) => {
            let until = deadline(active, route, context);
            sent::read(active, body, max, (&context.wire.timer, until)).await?
        }
        None => sent::NOTHING,
    };
    let alone = active.told.is_some();
    let key = match &compose.coalesce {
        Some(coalesce) if !alone => coalesce.key(&active.exchange, bodiless),
        _ => None,
    };
    let answered = match (key, &compose.coalesce) {
        (Some(key), Some(coalesce)) => {
            let most = coalesce.max_waiting;
            Box::pin(together(active, route, compose, context, (key, most))).await?
        }
        _ => Rc::new(run(active, route, compose, context, sent).await),
    };
    let response = answered.give(active, compose)?;
    Ok(Dispatched::from(match pair {
        Some(pair) => pair.watch(response),
        None => response,
    }))
}

/// Runs the legs, or waits for another request that does. Such requests have no body.
async fn together(
    active: &mut Active,
    route: &Route,
    compose: &Compose,
    context: &Context<'_>,
    (key, most): (Vec<u8>, usize),
) -> Result<Rc<Answered>, Rejection> {
    let local = Rc::clone(&active.local);
    let lead = match local.flights.turn(key, most) {
        Turn::Alone => {
            let answered = run(active, route, compose, context, sent::NOTHING).await;
            return Ok(Rc::new(answered));
        }
        Turn::Lead(lead) => lead,
        Turn::Wait(wait) => {
            record::joined(active);
            let begun = Instant::now();
            let deadline = context.wire.received + route.timeout;
            let landed = context.wire.timer.timeout_at(deadline, wait.landed()).await;
            active.exchange.upstream_time += begun.elapsed();
            match landed.map_err(|_elapsed| answer::rejection(Reason::Timeout))? {
                Ok(answered) => {
                    active.exchange.detour.coalesced = true;
                    record::count_answer(active, &answered);
                    return Ok(answered);
                }
                Err(lead) => lead,
            }
        }
    };
    let answered = Rc::new(run(active, route, compose, context, sent::NOTHING).await);
    lead.land(&answered);
    Ok(answered)
}

/// When the answer must be there.
fn deadline(active: &Active, route: &Route, context: &Context<'_>) -> Instant {
    let deadline = context.wire.received + route.timeout;
    active.told.map_or(deadline, |told| told.at.min(deadline))
}

/// Runs the legs; `sent` is what the client sent.
async fn run(
    active: &mut Active,
    route: &Route,
    compose: &Compose,
    context: &Context<'_>,
    sent: Bytes,
) -> Answered {
    let (local, pools) = (Rc::clone(&active.local), Rc::clone(&active.worker().pools));
    let deadline = deadline(active, route, context);
    let calls = Calls {
        compose,
        exchange: &active.exchange,
        rules: crate::receive::listener_rules(&local, context.connection),
        services: &local.snapshot.services,
        pools: &pools,
        timer: &context.wire.timer,
        retry: route.terms.retry.as_ref(),
        deadline,
        sent,
        spans: Default::default(),
        along: Default::default(),
    };
    let begun = Instant::now();
    let mut results = lintel_compose::run(&compose.plan, &active.exchange, &calls).await;
    let streamed = match compose.plan.streamed() {
        // Boxed: the other compositions should not carry the room for it.
        Some(_) => Box::pin(stream::begin(&calls, &mut results)).await,
        None => None,
    };
    let spans = calls.spans.into_inner();
    let took = begun.elapsed();
    active.exchange.upstream_time += took;
    let answered = match streamed {
        Some(answer) => stream::response(active, compose, &results, answer),
        None => Answered::of(&active.exchange, compose, &results),
    };
    record::record(active, compose, &results, &spans);
    record::count_answer(active, &answered);
    record::sample(active, compose, &answered, took);
    answered
}
