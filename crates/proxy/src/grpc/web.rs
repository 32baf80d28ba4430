//! gRPC-Web (grpc/doc/PROTOCOL-WEB.md): gRPC for callers that can't read trailers, such as scripts
//! in browsers. Messages are as in gRPC; the trailers come as one more message at the end, and with
//! `-text` everything is base64.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::{Frame, SizeHint};
use lintel_grpc::web::{self, NotBase64, Text};
use lintel_http::{Body, BodyError, media::essence};
use lintel_kernel::{Kind, Side};
use tokio::time::Instant;

use super::{Grpc, rest};
use crate::{
    active::Active,
    dispatch::{self, Dispatched, Errand, NoAnswer},
    request,
    snapshot::Route,
};

/// What a caller speaks.
pub(super) struct Dialect {
    text: bool,
    /// `+proto` and the like.
    suffix: Box<str>,
}

impl Dialect {
    /// The dialect of a request, if it is one of gRPC-Web.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let essence = essence(headers.get(header::CONTENT_TYPE)?)?;
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
    let body = match grpc.rest {
        // Counted where it is read.
        true => body,
        false => body.metered(&active.bytes_in),
    };
    let body = if dialect.text && !http_body::Body::is_end_stream(&body) {
        Body::boxed(Decoded {
            body,
            text: Text::default(),
        })
    } else {
        body
    };
    // The caller says how long it waits as one of gRPC does; what is refused here it reads from
    // the status of HTTP.
    active.exchange.grpc = true;
    let answered = if grpc.rest {
        rest::dispatch(active, route, grpc, body, context).await
    } else {
        let errand = Errand {
            service: grpc.service,
            body,
            deadline,
            again: false,
            call: true,
        };
        dispatch::forward(active, route, errand, context).await
    };
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

/// A body without its base64.
struct Decoded {
    body: Body,
    text: Text,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

fn broken(cause: &str) -> BodyError {
    BodyError::new(Kind::Protocol, Side::Client, cause)
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
                    match self.text.push(&data) {
                        Ok(decoded) if decoded.is_empty() => {}
                        Ok(decoded) => return Poll::Ready(Some(Ok(Frame::data(decoded)))),
                        Err(NotBase64) => {
                            return Poll::Ready(Some(Err(broken("the body is not base64"))));
                        }
                    }
                }
                Poll::Ready(None) if self.text.end().is_err() => {
                    self.text = Text::default();
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
            return web::text(&data);
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
                    let message = web::trailers(&trailers);
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

#[cfg(test)]
mod tests {
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
}
