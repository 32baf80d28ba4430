//! gRPC-Web (grpc/doc/PROTOCOL-WEB.md): gRPC for callers that can't read trailers, such as scripts
//! in browsers. Messages are as in gRPC; the trailers come as one more message at the end, and with
//! `-text` everything is base64.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::{Frame, SizeHint};
use lintel_http::{Body, BodyError};
use lintel_kernel::{Facts, Kind, Side};
use tokio::time::Instant;

use super::Grpc;
use crate::{
    active::Active,
    dispatch::{self, Dispatched, Errand, NoAnswer},
    request,
    snapshot::Route,
};

/// The flag of the message that holds the trailers.
const TRAILERS: u8 = 0x80;

/// What a caller speaks.
pub(super) struct Dialect {
    text: bool,
    /// `+proto` and the like.
    suffix: Box<str>,
}

impl Dialect {
    /// The dialect of a request, if it is one of gRPC-Web.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let media = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = media.split(';').next()?.trim().to_ascii_lowercase();
        let rest = essence.strip_prefix("application/grpc-web")?;
        let (text, suffix) = match rest.strip_prefix("-text") {
            Some(suffix) => (true, suffix),
            None => (false, rest),
        };
        (suffix.is_empty() || suffix.starts_with('+')).then(|| Self {
            text,
            suffix: suffix.into(),
        })
    }

    fn media(&self, web: bool) -> HeaderValue {
        let kind = match (web, self.text) {
            (false, _) => "application/grpc",
            (true, false) => "application/grpc-web",
            (true, true) => "application/grpc-web-text",
        };
        // The suffix comes out of a field.
        HeaderValue::try_from(format!("{kind}{}", self.suffix))
            .unwrap_or(HeaderValue::from_static("application/grpc"))
    }
}

/// Passes a call of gRPC-Web on as one of gRPC.
pub(super) async fn dispatch(
    active: &mut Active,
    route: &Route,
    grpc: &Arc<Grpc>,
    (body, dialect): (Body, Dialect),
    context: &request::Context<'_>,
    deadline: Instant,
) -> Result<Dispatched, Box<NoAnswer>> {
    let headers = &mut active.exchange.request.headers;
    let kept = route.fallback.as_ref().map(|_| headers.clone());
    set_head(headers, &dialect);
    let body = body.metered(&active.bytes_in);
    let body = if dialect.text && !http_body::Body::is_end_stream(&body) {
        Body::boxed(Decoded {
            body,
            left: BytesMut::new(),
        })
    } else {
        body
    };
    let errand = Errand {
        service: grpc.service,
        body,
        deadline,
        again: false,
        call: true,
    };
    // The caller says how long it waits as one of gRPC does; what is refused here it reads from
    // the status of HTTP.
    active.exchange.grpc = true;
    let answered = dispatch::forward(active, route, errand, context).await;
    active.exchange.grpc = false;
    if let Some(kept) = kept {
        active.exchange.request.headers = kept;
    }
    match answered {
        Ok(answered) => Ok(encoded(answered, &dialect)),
        Err(mut lost) => {
            lost.body = None;
            Err(lost)
        }
    }
}

/// The answer of a service in the caller's dialect; one that is not of gRPC stays as it is.
fn encoded(mut answered: Dispatched, dialect: &Dialect) -> Dispatched {
    let headers = answered.response.headers_mut();
    let media = headers.get(header::CONTENT_TYPE);
    let is_grpc = media.is_some_and(|media| {
        let media = media.as_bytes();
        media.starts_with(b"application/grpc") && !media.starts_with(b"application/grpc-web")
    });
    if is_grpc {
        headers.insert(header::CONTENT_TYPE, dialect.media(true));
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRAILER);
        answered.response = answered.response.map(|body| {
            Body::boxed(Encoded {
                body,
                text: dialect.text,
                ended: false,
            })
        });
    }
    answered
}

fn set_head(headers: &mut HeaderMap, dialect: &Dialect) {
    for name in [
        header::CONTENT_LENGTH,
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        HeaderName::from_static("x-grpc-web"),
    ] {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, dialect.media(false));
}

/// A body without its base64. Each part that was encoded by itself may end with padding.
struct Decoded {
    body: Body,
    left: BytesMut,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl Decoded {
    /// Decodes the groups of four characters that are whole.
    fn take(&mut self) -> Result<Bytes, BodyError> {
        let whole = self.left.len() - self.left.len() % 4;
        let text = self.left.split_to(whole);
        let mut out = Vec::with_capacity(whole / 4 * 3);
        // Up to and with the padding that ends a part.
        let groups = text.as_chunks::<4>().0;
        for part in groups.split_inclusive(|group| group.ends_with(b"=")) {
            STANDARD
                .decode_vec(part.as_flattened(), &mut out)
                .map_err(|_| broken("the body is not base64"))?;
        }
        Ok(Bytes::from(out))
    }
}

fn broken(cause: &str) -> BodyError {
    BodyError {
        facts: Facts::new(Kind::Protocol, Side::Client),
        cause: cause.to_owned(),
    }
}

impl http_body::Body for Decoded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    self.left.extend_from_slice(&data);
                    match self.take() {
                        Ok(decoded) if decoded.is_empty() => {}
                        decoded => return Poll::Ready(Some(decoded.map(Frame::data))),
                    }
                }
                Poll::Ready(None) if !self.left.is_empty() => {
                    self.left.clear();
                    return Poll::Ready(Some(Err(broken("the base64 of the body is cut off"))));
                }
                polled => return polled,
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// A body whose trailers come as a message.
struct Encoded {
    body: Body,
    text: bool,
    ended: bool,
}

impl Encoded {
    fn encode(&self, data: Bytes) -> Bytes {
        if self.text {
            return Bytes::from(STANDARD.encode(data));
        }
        data
    }
}

impl http_body::Body for Encoded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        if self.ended {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Poll::Ready(Some(Ok(Frame::data(self.encode(data))))),
                Err(frame) => {
                    self.ended = true;
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let message = Bytes::from(message(&trailers));
                    Poll::Ready(Some(Ok(Frame::data(self.encode(message)))))
                }
            },
            Poll::Ready(None) => {
                self.ended = true;
                Poll::Ready(None)
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Trailers as a message: a block of fields as HTTP/1 has them, with names in lower case.
fn message(trailers: &HeaderMap) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in trailers {
        block.extend_from_slice(name.as_str().as_bytes());
        block.extend_from_slice(b": ");
        block.extend_from_slice(value.as_bytes());
        block.extend_from_slice(b"\r\n");
    }
    let mut out = vec![TRAILERS];
    // Header lists are bounded far below 4 GiB.
    let length = u32::try_from(block.len()).unwrap_or_default();
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&block);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn knows_its_media_types() {
        let of = |media: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media))]);
            let dialect = Dialect::of(&headers)?;
            Some((dialect.text, dialect.media(false), dialect.media(true)))
        };
        let value = HeaderValue::from_static;
        for (media, text, plain, web) in [
            (
                "application/grpc-web",
                false,
                "application/grpc",
                "application/grpc-web",
            ),
            (
                "application/grpc-web+proto",
                false,
                "application/grpc+proto",
                "application/grpc-web+proto",
            ),
            (
                "Application/gRPC-Web-Text; a=b",
                true,
                "application/grpc",
                "application/grpc-web-text",
            ),
            (
                "application/grpc-web-text+json",
                true,
                "application/grpc+json",
                "application/grpc-web-text+json",
            ),
        ] {
            assert_eq!(of(media), Some((text, value(plain), value(web))), "{media}");
        }
        for other in [
            "application/grpc",
            "application/grpc-webs",
            "application/json",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn base64_may_be_in_parts_however_they_are_cut() {
        let parts = [b"a".as_slice(), b"bcd", b"efghi", b""];
        let text: String = parts.iter().map(|part| STANDARD.encode(part)).collect();
        for cut in 1..text.len() {
            let mut decoded = Decoded {
                body: Body::empty(),
                left: BytesMut::new(),
            };
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(cut) {
                decoded.left.extend_from_slice(piece);
                out.extend(decoded.take().unwrap());
            }
            assert_eq!(out, b"abcdefghi", "{cut}");
        }
        for bad in ["a===", "ab=c", "a!bc", "===="] {
            let mut decoded = Decoded {
                body: Body::empty(),
                left: BytesMut::from(bad),
            };
            assert!(decoded.take().is_err(), "{bad}");
        }
    }
}
