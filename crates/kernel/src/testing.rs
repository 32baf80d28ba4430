//! A request for the tests of other crates.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Request, request, uri::PathAndQuery};
use smallvec::SmallVec;

use crate::{
    Detour, Exchange, Names,
    exchange::Params,
    trace::{RequestId, Trace},
};

/// No names at all.
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

/// A request of 192.0.2.1 that has just come and has matched no route. One that can't be built is
/// `GET /`.
pub fn exchange(request: request::Builder) -> Exchange {
    let request = request.body(()).unwrap_or_else(|_| Request::new(()));
    let (request, ()) = request.into_parts();
    let root = || PathAndQuery::from_static("/");
    Exchange {
        target: request.uri.path_and_query().cloned().unwrap_or_else(root),
        request,
        names: Rc::new(Nameless),
        received: Instant::now(),
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
        identity: None,
        service: None,
        endpoint: None,
        attempts: 0,
        upstream_time: Duration::ZERO,
        refused: None,
        detour: Detour::default(),
        legs: None,
        held: SmallVec::new(),
        cause: None,
        status: 0,
    }
}
