//! The status of a gRPC call, which comes after the answer's head and messages (gRPC over HTTP/2,
//! "Responses"): until then a call has said nothing about its endpoint but how quick it was.

use std::{rc::Rc, sync::Arc, task::Poll};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::Frame;
use lintel_http::BodyError;
use lintel_kernel::Side;
use tokio::time::Instant;

use super::{observe, pool::Pool, trial::Suspense};
use crate::{
    health::Verdict,
    service::{Endpoint, Service},
};

/// gRPC's `UNKNOWN`: what a call has come to that ends without a status.
const UNKNOWN: u8 = 2;

/// Waits for the status of a call.
pub(crate) struct Awaited {
    pub(crate) service: Arc<Service>,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) suspense: Suspense,
}

/// Whether the status is still to come.
pub(crate) fn is_awaited<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let media = headers.get(header::CONTENT_TYPE);
    response.status() == StatusCode::OK
        && media.is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"))
        && !headers.contains_key("grpc-status")
}

impl Awaited {
    /// Looks at what has come of the answer's body. Whether there is nothing more to wait for.
    pub(crate) fn see(&self, polled: &Poll<Option<Result<Frame<Bytes>, BodyError>>>) -> bool {
        match polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(frame))) => match frame.trailers_ref() {
                Some(trailers) => {
                    self.ended(trailers);
                    true
                }
                None => {
                    self.suspense.message();
                    false
                }
            },
            Poll::Ready(None) => {
                self.ended(&HeaderMap::new());
                true
            }
            Poll::Ready(Some(Err(error))) => {
                if error.facts.side == Side::Upstream {
                    self.broke_off();
                }
                true
            }
        }
    }

    /// It has come to its end.
    pub(crate) fn ended(&self, trailers: &HeaderMap) {
        let code = trailers
            .get("grpc-status")
            .and_then(|code| code.to_str().ok()?.parse().ok())
            .unwrap_or(UNKNOWN);
        self.say(Verdict::of_grpc(code), Some(code));
    }

    /// It will not come.
    pub(crate) fn broke_off(&self) {
        self.say(Verdict::Failure, None);
    }

    fn say(&self, verdict: Verdict, code: Option<u8>) {
        let now = Instant::now();
        let load = &self.pool.load;
        observe::count(&self.service, &self.endpoint, load, verdict, now);
        self.suspense.end(code, now);
    }
}
