//! Looking into a body before it goes on.

use std::{collections::VecDeque, future::poll_fn, pin::Pin};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use lintel_http::{Body, BodyError};

use crate::replayed::Replayed;

/// The beginning of a body, and whether it is all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) bytes: Bytes,
    pub(crate) whole: bool,
}

/// Reads up to `max` bytes of a body, which afterwards is as if nobody had.
///
/// # Errors
/// The body broke before that.
pub(crate) async fn begin(body: &mut Body, max: usize) -> Result<Beginning, BodyError> {
    let (mut frames, mut size) = (VecDeque::new(), 0_usize);
    let mut whole = body.is_end_stream();
    while !whole && size <= max {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => whole = true,
            Some(frame) => {
                let frame = frame?;
                size += frame.data_ref().map_or(0, Bytes::len);
                frames.push_back(frame);
                whole = body.is_end_stream();
            }
        }
    }
    let data: Vec<&[u8]> = frames
        .iter()
        .filter_map(Frame::data_ref)
        .map(|data| &**data)
        .collect();
    let mut bytes = Bytes::from(data.concat());
    whole &= bytes.len() <= max;
    bytes.truncate(max);
    if !frames.is_empty() {
        let rest = std::mem::replace(body, Body::empty());
        *body = Body::boxed(Replayed::new(frames, rest));
    }
    Ok(Beginning { bytes, whole })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures_util::stream;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    /// Pieces that come one by one, and a trailer.
    fn pieces(texts: &[&'static str]) -> Body {
        let data = texts.iter().map(|text| Frame::data(Bytes::from(*text)));
        let end = [(http::header::ETAG, http::HeaderValue::from_static("end"))];
        let end = Frame::trailers(end.into_iter().collect());
        let frames: Vec<_> = data.chain([end]).map(Ok).collect();
        Body::boxed(StreamBody::new(stream::iter(frames)))
    }

    #[tokio::test]
    async fn what_was_read_goes_on() {
        for (max, bytes, whole) in [
            (0, "", false),
            (3, "abc", false),
            (4, "abcd", false),
            (6, "abcdef", true),
            (99, "abcdef", true),
        ] {
            let mut body = pieces(&["abc", "", "d", "ef"]);
            let found = begin(&mut body, max).await.unwrap();
            let bytes = Bytes::from_static(bytes.as_bytes());
            assert_eq!(found, Beginning { bytes, whole }, "{max}");
            let collected = body.collect().await.unwrap();
            let end = collected.trailers().unwrap()[http::header::ETAG].clone();
            assert_eq!(
                (end, collected.to_bytes()),
                ("end".parse().unwrap(), "abcdef".into())
            );
        }
    }

    #[tokio::test]
    async fn the_length_stays_known() {
        let mut body = Body::from(Bytes::from_static(b"abcdef"));
        assert!(!begin(&mut body, 2).await.unwrap().whole);
        assert_eq!(body.size_hint().exact(), Some(6));
        let mut none = Body::empty();
        let found = begin(&mut none, 2).await.unwrap();
        assert!(found.whole && found.bytes.is_empty() && none.is_end_stream());
    }
}
