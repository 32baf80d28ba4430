//! What HTTP/2's own layer refuses: counted and recorded like every other refusal.

use h2::Reason;
use http::{StatusCode, Version};
use lintel_proxy::malformed::{self, Malformed};

use super::Session;

/// A request whose head broke the rules (RFC 9113 §8.1.1); its stream was reset.
const MALFORMED: Malformed = Malformed {
    status: StatusCode::BAD_REQUEST,
    code: "bad_request",
    detail: "The head of the request is malformed.",
};

/// A request with more header fields than are taken; h2 has answered it.
const TOO_LARGE: Malformed = Malformed {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    code: "headers_too_large",
    detail: "The request has more header fields than are taken here.",
};

/// How h2 refused a request that it did not hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its stream was reset.
    Reset,
    /// It was answered.
    Answered,
}

/// Records the requests that were refused since this was last called.
pub(super) fn record(session: &Session) {
    for refusal in session.traffic.take_refusals() {
        let why = match refusal {
            Refusal::Reset => MALFORMED,
            Refusal::Answered => TOO_LARGE,
        };
        refuse(session, why);
    }
}

/// Records that a connection was ended for what its client sent.
pub(super) fn record_end(session: &Session, error: &h2::Error) {
    let code = match (session.traffic.flood(), error.reason()) {
        (Some(flood), _) => flood,
        (None, Some(reason)) if error.is_library() && error.is_go_away() => code(reason),
        // The client itself has ended it, or the network has.
        _ => return,
    };
    let detail = "The connection broke the rules of HTTP/2.";
    refuse(
        session,
        Malformed {
            status: StatusCode::BAD_REQUEST,
            code,
            detail,
        },
    );
}

/// The answer goes nowhere: it is made for its record.
fn refuse(session: &Session, why: Malformed) {
    session.held.listener.metrics.malformed(why.code);
    let mut head = malformed::head(None, None);
    head.version = Version::HTTP_2;
    malformed::refuse(&session.connection, why, head).map(|body| drop(body.into_bytes()));
}

/// A label of `malformed_requests_total` (RFC 9113 §7).
fn code(reason: Reason) -> &'static str {
    match reason {
        Reason::FLOW_CONTROL_ERROR => "h2_flow_control_error",
        Reason::FRAME_SIZE_ERROR => "h2_frame_size_error",
        Reason::COMPRESSION_ERROR => "h2_compression_error",
        Reason::STREAM_CLOSED => "h2_stream_closed",
        // Rapid resets, CONTINUATION without end, DATA in crumbs.
        Reason::ENHANCE_YOUR_CALM => "h2_excess",
        _ => "h2_protocol_error",
    }
}
