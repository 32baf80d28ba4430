//! What failures of an exchange over HTTP/2 mean.

use lintel_kernel::{Facts, Kind, Side};

use crate::worker::failure::{Cause, code};

/// What a failed exchange means, and whether the peer certainly did not process it: it refused the
/// stream (RFC 9113 §8.7), or said with GOAWAY that it would not look at it (§6.8).
pub(crate) fn sort(error: &h2::Error) -> (Cause, bool) {
    let text = error.to_string();
    let reset = Facts::new(Kind::Reset, Side::Upstream);
    // Of the streams on a connection, h2 fails with the peer's GOAWAY those alone that are above
    // its last stream.
    let unprocessed = error.is_remote()
        && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM));
    if unprocessed {
        return (Cause::new(reset.retryable(), code::RESET, text), true);
    }
    if error.is_library() {
        return (bad_response(text), false);
    }
    (Cause::new(reset, code::RESET, text), false)
}

/// The peer does not keep to the rules.
pub(crate) fn bad_response(text: String) -> Cause {
    let facts = Facts::new(Kind::Protocol, Side::Upstream);
    Cause::new(facts, code::BAD_RESPONSE, text)
}
