//! Any bytes from an upstream, whole and cut in two at the place that the first byte names: same answer, no panic.

use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use lintel_http1::Timer;
use lintel_http1::client::{Conn, Options, Recycle, SendOptions};
use tokio::io::{AsyncWriteExt, DuplexStream};

struct Drop;

impl Recycle<DuplexStream> for Drop {
    fn recycle(&self, _: Conn<DuplexStream>) {}
}

async fn fetch(pieces: [&[u8]; 2]) -> Option<String> {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let (options, timer) = (Options::default(), Timer::new());
    let (head, ()) = Request::get("http://u/").body(()).unwrap().into_parts();
    let upstream = async {
        for piece in pieces {
            let _gone = far.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let _gone = far.shutdown().await;
    };
    let asking = async {
        let back: Rc<dyn Recycle<DuplexStream>> = Rc::new(Drop);
        let how = SendOptions::new(&options, &timer);
        let sent = Conn::new(near)
            .send(&head, Full::new(Bytes::new()), how, |_, _| {}, back)
            .await
            .ok()?;
        let (head, body) = sent.response.into_parts();
        let body = body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .map_err(|error| error.to_string());
        Some(format!("{} {:?} {body:?}", head.status, head.headers))
    };
    tokio::join!(asking, upstream).0
}

pub(crate) fn run(data: &[u8]) {
    crate::same_when_cut(data, fetch);
}
