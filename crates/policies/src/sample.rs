//! A request for tests.

use std::{rc::Rc, sync::Arc, time::Duration};

use http::request;
use lintel_kernel::{
    Detour, Exchange, Names,
    exchange::Params,
    trace::{RequestId, Trace},
};
use smallvec::SmallVec;

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

/// A request that came from 192.0.2.1 and matched no route.
pub(crate) fn exchange(request: request::Builder) -> Exchange {
    let request = request.body(()).unwrap_or_default();
    Exchange {
        request: request.into_parts().0,
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
        target: http::uri::PathAndQuery::from_static("/"),
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
        cause: None,
        status: 0,
    }
}
