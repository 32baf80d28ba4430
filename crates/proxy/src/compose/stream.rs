//! A leg that is passed on as it is: its answer streams through, once all others are done.

use std::cell::RefCell;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, header};
use lintel_compose::{Reply, Results};
use lintel_upstream::Answer;

use super::{
    Compose,
    answer::{Answered, Said},
    call::Calls,
};
use crate::active::Active;

/// Fields that say what a body is.
const OF_THE_BODY: [HeaderName; 11] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_DISPOSITION,
    header::CONTENT_RANGE,
    header::ACCEPT_RANGES,
    header::ETAG,
    header::LAST_MODIFIED,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// Asks for the leg that streams, if there is one and nothing has failed. None where something else
/// stands in its place.
pub(super) async fn begin(calls: &Calls<'_>, results: &mut Results<'_>) -> Option<Answer> {
    let (leg, request) = results.begin_last(calls.exchange)?;
    let answer = match calls.open(leg, request).await {
        Ok(answer) => answer,
        Err(missed) => {
            results.miss_last(missed);
            return None;
        }
    };
    let head = Reply {
        status: answer.response.status(),
        headers: answer.response.headers().clone(),
        body: Bytes::new(),
        call: None,
        endpoint: answer.endpoint,
        attempts: answer.attempts,
    };
    results.take_last(head).then_some(answer)
}

/// The answer that streams.
pub(super) fn response(
    active: &mut Active,
    compose: &Compose,
    results: &Results<'_>,
    answer: Answer,
) -> Answered {
    // The request counts as in flight until all of it has gone.
    active.places[1] = answer.place;
    let said = Said::of(&active.exchange, compose, results);
    let (head, body) = answer.response.into_parts();
    let mut response = Response::new(body);
    *response.status_mut() = said.status.unwrap_or(head.status);
    let mut headers = of_the_body(&head.headers);
    for (name, value) in said.headers {
        // Each name comes once.
        name.and_then(|name| headers.insert(name, value));
    }
    *response.headers_mut() = headers;
    Answered::Streams {
        response: RefCell::new(Some(response)),
        partial: said.partial,
    }
}

fn of_the_body(fields: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(OF_THE_BODY.len());
    for name in &OF_THE_BODY {
        for value in fields.get_all(name) {
            kept.append(name, value.clone());
        }
    }
    kept
}
