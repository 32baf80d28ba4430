//! Content that is held until it is known to be what was signed.

use std::{collections::VecDeque, future::poll_fn, pin::Pin};

use http_body::{Body as _, Frame};
use lintel_http::Body;
use lintel_kernel::{Kind, Rejection};

use super::reject::{INCOMPLETE, TOO_LARGE};
use crate::replayed::Replayed;

/// Waits for all of a body, up to so many bytes, and shows each piece to `see`; what comes back is the
/// same body.
///
/// # Cancel safety
/// What has arrived is lost with it, and so is the request.
pub(super) async fn whole(
    body: &mut Body,
    most: usize,
    mut see: impl FnMut(&[u8]),
) -> Result<Replayed, Rejection> {
    let most = most as u64;
    if body.size_hint().lower() > most {
        return Err(TOO_LARGE);
    }
    let (mut frames, mut size) = (VecDeque::new(), 0);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| match error.facts.kind {
            Kind::Limit => TOO_LARGE,
            _ => INCOMPLETE,
        })?;
        if let Some(data) = Frame::data_ref(&frame) {
            size += data.len() as u64;
            if size > most {
                return Err(TOO_LARGE);
            }
            see(data);
        }
        frames.push_back(frame);
    }
    Ok(Replayed::new(frames, Body::empty()))
}
