//! HTTP/1: from the codec to the proxy and back.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use lintel_http::{Body, ClientStream};
use lintel_http1::{
    Refusal, RequestLine,
    server::{Handle, Incoming, Meta, Reply, Service},
};
use lintel_kernel::trace::RequestId;
use lintel_proxy::{
    Answer, Connection, Tracked, Wire,
    malformed::{self, Malformed},
    refuse,
};

use super::{
    Held,
    shield::{Shield, ShieldedBody, apology},
};

/// Serves the requests of one HTTP/1 connection.
pub(super) struct Http1 {
    pub(super) connection: Connection,
    pub(super) held: Held,
}

impl Service<ClientStream> for Http1 {
    type Body = ShieldedBody;

    fn call(
        &self,
        request: Request<Incoming<ClientStream>>,
        meta: Meta,
        handle: Handle<ClientStream>,
    ) -> impl Future<Output = Reply<Self::Body, ClientStream>> {
        let on_panic = handle.clone();
        // Boxed, or every idle connection would have room for a whole request. Written where it is
        // to stay: moving it there would cost a copy of two kilobytes.
        let answering = Box::write(Box::new_uninit(), self.answer(request, meta, handle));
        Shield::new(Box::into_pin(answering), move || {
            on_panic.close_after();
            apology().map(ShieldedBody::new).into()
        })
    }

    fn refused(&self, refusal: Refusal, line: RequestLine) -> Response<Bytes> {
        let code = malformed::code(refusal.status);
        self.held.listener.metrics.malformed(code);
        if refusal.status == StatusCode::INTERNAL_SERVER_ERROR {
            // The answer to a request that has its record.
            let id = RequestId::random();
            return refuse::problem(refusal.status, code, refusal.reason, id.as_str());
        }
        let why = Malformed {
            status: refusal.status,
            code,
            detail: refusal.reason,
        };
        self.refuse(why, line)
    }
}

impl Http1 {
    /// The answer to a message of which no more than `line` is known, recorded.
    pub(super) fn refuse(&self, why: Malformed, line: RequestLine) -> Response<Bytes> {
        let mut head = malformed::head(line.method, line.target);
        head.version = line.version.unwrap_or_default();
        malformed::refuse(&self.connection, why, head).map(Tracked::into_bytes)
    }

    async fn answer(
        &self,
        request: Request<Incoming<ClientStream>>,
        meta: Meta,
        handle: Handle<ClientStream>,
    ) -> Reply<ShieldedBody, ClientStream> {
        let interim = |status, headers: &http::HeaderMap| handle.interim(status, headers);
        let wire = Wire {
            timer: handle.timer().clone(),
            received: meta.completed_at,
            upgrade: meta.upgrade,
            expect_continue: meta.expect_continue,
            te_trailers: meta.te_trailers,
            interim: &interim,
        };
        let Answer { response, tunnel } =
            lintel_proxy::serve(&self.connection, &wire, request.map(Body::from)).await;
        if self.held.listener.closing.is_asked() {
            handle.close_after();
        }
        Reply {
            response: response.map(ShieldedBody::new),
            tunnel: tunnel.map(|tunnel| -> lintel_http1::server::Tunnel<ClientStream> {
                Box::new(move |client| Box::pin(tunnel.run(client)))
            }),
        }
    }
}
