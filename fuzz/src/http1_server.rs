//! Any bytes from a client, whole and cut in two at the place that the first byte names: same requests, same answers, no panic.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use lintel_http1::server::{self, Drain, Handle, Incoming, Meta, Options, Reply, Service};
use lintel_http1::{Refusal, RequestLine};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

struct Echo(Rc<RefCell<Vec<String>>>);

impl Service<DuplexStream> for Echo {
    type Body = Full<Bytes>;

    async fn call(
        &self,
        request: Request<Incoming<DuplexStream>>,
        meta: Meta,
        _: Handle<DuplexStream>,
    ) -> Reply<Full<Bytes>, DuplexStream> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        let seen = format!(
            "{} {} {:?} {:?} {body:?}",
            head.method, head.uri, head.headers, meta.upgrade
        );
        self.0.borrow_mut().push(seen);
        Response::new(Full::new(body.unwrap_or_default())).into()
    }

    fn refused(&self, refusal: Refusal, _: RequestLine) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(refusal.to_string()));
        *response.status_mut() = refusal.status;
        response
    }
}

async fn serve(pieces: [&[u8]; 2]) -> (Vec<String>, Vec<u8>) {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let (service, drain) = (Echo(Rc::clone(&seen)), Drain::new());
    let options = Options {
        half_close: true,
        ..Options::default()
    };
    let mut output = Vec::new();
    let serving = async {
        drop(server::serve(near, BytesMut::new(), &service, &options, &drain).await);
    };
    let feeding = async {
        for piece in pieces {
            let _gone = far.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let _gone = far.shutdown().await;
        let _reset = far.read_to_end(&mut output).await;
    };
    tokio::join!(serving, feeding);
    (seen.take(), output)
}

pub(crate) fn run(data: &[u8]) {
    crate::same_when_cut(data, serve);
}
