//! What the tests of several policies need.

#![allow(clippy::unwrap_used)]

use std::{rc::Rc, sync::Arc, time::Duration};

use http::{Request, request};
use lintel_http::Body;
use lintel_http::http1::Timer;
use lintel_kernel::{
    Detour, Exchange, Flow, Names, Rejection,
    exchange::{Params, Refused},
    trace::{RequestId, Trace},
};
use lintel_telemetry::Catalogue;
use lintel_upstream::Pools;
use smallvec::SmallVec;
use tokio::time::Instant;

use crate::{Chain, Context, Depth, Directory, RoutePolicies, Wait};

struct Nameless;

impl Names for Nameless {
    fn listener(&self, _: u16) -> &str {
        ""
    }
    fn route(&self, _: u32) -> &str {
        ""
    }
    fn params(&self, _: u32) -> &[Arc<str>] {
        &[]
    }
    fn service(&self, _: u32) -> &str {
        ""
    }
}

/// A request of 192.0.2.1 with some header fields.
pub(crate) fn exchange(target: &str, fields: &[(&str, &str)]) -> Exchange {
    let mut request = Request::get(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    of(request)
}

/// A request that came from 192.0.2.1 and matched no route.
pub(crate) fn of(request: request::Builder) -> Exchange {
    let (request, ()) = request.body(()).unwrap().into_parts();
    Exchange {
        target: request.uri.path_and_query().unwrap().clone(),
        request,
        names: Rc::new(Nameless),
        received: std::time::Instant::now(),
        peer: None,
        client: [192, 0, 2, 1].into(),
        secure: false,
        certificate: None,
        listener: 0,
        id: RequestId::random(),
        trace: Trace::begin(false),
        host: SmallVec::new(),
        canonical: None,
        grpc: false,
        route: None,
        params: Params::default(),
        service: None,
        endpoint: None,
        attempts: 0,
        upstream_time: Duration::ZERO,
        identity: None,
        refused: None,
        detour: Detour::default(),
        held: SmallVec::new(),
        cause: None,
        status: 0,
    }
}

/// A chain of policies before consumers, all as JSON.
pub(crate) fn chain(policies: serde_json::Value, consumers: serde_json::Value) -> Chain {
    let policies: RoutePolicies = serde_json::from_value(policies).unwrap();
    let consumers: std::collections::BTreeMap<String, crate::ConsumerConfig> =
        serde_json::from_value(consumers).unwrap();
    let all = consumers.iter().map(|(name, own)| (name.as_str(), own));
    let context = Context {
        consumers: Arc::new(Directory::build(all).unwrap()),
        ..Context::default()
    };
    Chain::build(&policies, &context).ok().unwrap()
}

/// Sends a request through a chain and its answer back; the answer's status.
pub(crate) async fn pass_and_answer(chain: &Chain, exchange: &mut Exchange) -> u16 {
    let mut depth = Depth::default();
    let (flow, _) = send(chain, &mut depth, exchange).await;
    let mut response = http::Response::new(Body::empty());
    if let Flow::Refuse(no) = flow {
        *response.status_mut() = no.status;
        exchange.refused = Some(Refused {
            by: no.by,
            code: no.code,
            detail: no.detail,
        });
    }
    chain.on_response(depth, exchange, &mut response);
    response.status().as_u16()
}

/// Sends a request through a chain, waiting where it has to; and whether it had to.
pub(crate) async fn pass(chain: &Chain, exchange: &mut Exchange) -> (Result<(), Rejection>, bool) {
    match send(chain, &mut Depth::default(), exchange).await {
        (Flow::Refuse(rejection), waited) => (Err(rejection), waited),
        (_, waited) => (Ok(()), waited),
    }
}

async fn send(
    chain: &Chain,
    depth: &mut Depth,
    exchange: &mut Exchange,
) -> (Flow<http::Response<Body>>, bool) {
    let mut body = Body::empty();
    let flow = chain.on_request(depth, exchange, &mut body);
    if !matches!(flow, Flow::Wait) {
        return (flow, false);
    }
    let (timer, pools) = (Timer::new(), pools());
    let wait = Wait {
        timer: &timer,
        deadline: Instant::now() + Duration::from_secs(30),
        pools: &pools,
    };
    let flow = chain.resume(depth, exchange, &mut body, &wait).await;
    (flow, true)
}

/// The connections of a worker that has none yet.
pub(crate) fn pools() -> Rc<Pools> {
    Pools::new(0, Catalogue::new().worker())
}
