//! What a request costs in memory.

use std::{mem::size_of_val, sync::Arc};

use http::Method;
use lintel_http::Body;
use lintel_http1::{Timer, client::Conn};
use lintel_telemetry::Catalogue;
use lintel_tls::Stream;

use super::{call, head, spec, worker};
use crate::{Pools, service::Service};

#[test]
fn the_future_of_a_request_stays_small() {
    worker(async {
        let pools = Pools::new(0, Catalogue::new().worker());
        let service = Service::build(spec(&["127.0.0.1:1".parse().unwrap()]), None).unwrap();
        let (timer, mut head) = (Timer::new(), head(Method::GET, "/"));
        let sending = pools.send(&service, call(&mut head, Body::empty(), &timer));
        let size = size_of_val(&sending);
        println!("send: {size} bytes");
        assert!(size <= 2560, "{size} bytes");
    });
}

#[test]
fn idle_connections_can_change_threads() {
    const fn is_send<T: Send>() {}
    is_send::<Conn<Stream>>();
    is_send::<Arc<Service>>();
    const fn is_sync<T: Sync>() {}
    is_sync::<Service>();
}
