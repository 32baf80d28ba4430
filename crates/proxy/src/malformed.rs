//! Messages that never became a request: answered and recorded like every other refusal.

use std::time::Instant;

use http::{Method, Response, StatusCode, Uri, request, uri::PathAndQuery};
use lintel_kernel::{
    Rejection,
    exchange::{UNKNOWN_METHOD, UNKNOWN_TARGET},
};

use crate::{
    active::Active,
    connection::Connection,
    dispatch,
    receive::{self, STEP, listener_rules},
    refuse,
    tracked::Tracked,
};

/// Why a message was refused by the codec.
#[derive(Clone, Copy, Debug)]
pub struct Malformed {
    /// The status of the answer.
    pub status: StatusCode,
    /// Its stable code.
    pub code: &'static str,
    /// What the client is told.
    pub detail: &'static str,
}

/// The head of a message of which not all could be made out.
pub fn head(method: Option<Method>, target: Option<PathAndQuery>) -> request::Parts {
    let unknown = || Method::from_bytes(UNKNOWN_METHOD.as_bytes()).unwrap_or(Method::OPTIONS);
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = method.unwrap_or_else(unknown);
    let unknown = || PathAndQuery::from_static(UNKNOWN_TARGET);
    head.uri = Uri::from(target.unwrap_or_else(unknown));
    head
}

/// The answer to a message that its codec refused: the operator's page or problem details. Its
/// record goes with its body, to the default access log. `head` is what is known of the message.
pub fn refuse(
    connection: &Connection,
    malformed: Malformed,
    mut head: request::Parts,
) -> Response<Tracked> {
    let local = connection.worker.local();
    let target = receive::origin_form(&mut head);
    let rules = listener_rules(&local, connection);
    let (exchange, _) = receive::exchange(
        connection,
        rules,
        &local,
        Instant::now(),
        receive::Head {
            head,
            target,
            canonical: None,
        },
    );
    let mut active = Active::begin(&connection.worker, local, exchange);
    let Malformed {
        status,
        code,
        detail,
    } = malformed;
    let rejection = Rejection::new(STEP, status, code, detail);
    let mut response = refuse::response(&mut active, rejection);
    let now = std::time::Instant::now();
    dispatch::finish_head(&active, connection, &mut response, now);
    active.answered(response.status(), now);
    response.map(|body| Tracked::new(body, active))
}

/// The stable code of a refusal by the codec; a label of `malformed_requests_total`.
pub fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        408 => "request_timeout",
        414 => "uri_too_long",
        417 => "expectation_failed",
        431 => "headers_too_large",
        501 => "not_implemented",
        505 => "version_not_supported",
        500.. => "answer_malformed",
        _ => "bad_request",
    }
}
