//! What the tests of several policies need.

#![allow(clippy::unwrap_used)]

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::Request;
use lintel_http::Body;
use lintel_http::http1::Timer;
pub(crate) use lintel_kernel::testing::exchange as of;
use lintel_kernel::{
    ClientCertificate, Consumer, Exchange, Flow, Identity, Rejection, exchange::Refused,
};
use lintel_telemetry::Catalogue;
use lintel_upstream::Pools;
use tokio::time::Instant;

use crate::{Chain, Context, Depth, Directory, RoutePolicies, Wait};

/// A chain of one policy, as JSON.
pub(crate) fn chain_of(key: &str, config: serde_json::Value, context: &Context) -> Chain {
    Chain::build(&policies(key, config), context).unwrap()
}

/// One policy of a route, as JSON.
pub(crate) fn policies(key: &str, config: serde_json::Value) -> RoutePolicies {
    serde_json::from_value(serde_json::json!({ key: config })).unwrap()
}

/// Passes a request through a chain that does not wait; the refusal, if it is one.
pub(crate) fn refusal(chain: &Chain, exchange: &mut Exchange) -> Option<Rejection> {
    match chain.on_request(&mut Depth::default(), exchange, &mut Body::empty()) {
        Flow::Refuse(rejection) => Some(rejection),
        _ => None,
    }
}

/// How many of `count` requests are admitted.
pub(crate) fn admitted(chain: &Chain, count: usize, make: impl Fn() -> Exchange) -> usize {
    (0..count)
        .filter(|_| refusal(chain, &mut make()).is_none())
        .count()
}

/// A request of 192.0.2.1.
pub(crate) fn get() -> Exchange {
    of(Request::get("/"))
}

/// A request of an address.
pub(crate) fn from(address: &str) -> Exchange {
    let mut exchange = get();
    exchange.client = address.parse().unwrap();
    exchange
}

/// A request of a consumer.
pub(crate) fn by(name: &str, plan: Option<&str>) -> Exchange {
    let mut exchange = get();
    let consumer = Consumer {
        name: name.into(),
        plan: plan.map(Into::into),
        groups: Vec::new(),
    };
    exchange.identity = Some(Rc::new(Identity {
        consumer: Some(Arc::new(consumer)),
        ..Identity::default()
    }));
    exchange
}

/// A request of 192.0.2.1 with some header fields.
pub(crate) fn exchange(target: &str, fields: &[(&str, &str)]) -> Exchange {
    let mut request = Request::get(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    of(request)
}

/// A certificate of a client; those of different numbers differ in their fingerprints alone.
pub(crate) fn certificate(number: u8) -> ClientCertificate {
    ClientCertificate {
        subject: "C=DE, O=Example, CN=billing".to_owned(),
        issuer: "CN=CA".to_owned(),
        serial: "0a".to_owned(),
        common_name: Some("billing".to_owned()),
        dns_names: vec!["Billing.Example.com".to_owned(), "b.example.com".to_owned()],
        uris: vec!["spiffe://example.com/billing".to_owned()],
        emails: vec!["ops@example.com".to_owned()],
        fingerprint: [number; 32],
        not_after: SystemTime::now() + Duration::from_secs(3600),
        der: vec![1, 2, 3],
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
    while chain.on_response(&mut depth, exchange, &mut response) {
        chain.remake(depth, exchange, &mut response).await.unwrap();
    }
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
