//! WebSockets over HTTP/2 (RFC 8441): the opening handshake as HTTP/1.1 has it (RFC 6455 §4), so that
//! routes, policies and upstreams see the request that they know.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use h2::ext::Protocol;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION},
    request,
};
use lintel_http::websocket::accept;
use lintel_kernel::trace::RequestId;
use lintel_proxy::{Answer, Tracked, Tunnel, malformed::Malformed, refuse};

/// What the upstream is asked to switch to.
pub(super) const PROTOCOL: HeaderValue = HeaderValue::from_static("websocket");

/// RFC 9220 §3 recommends the status, for HTTP/2 as well.
const OTHER_PROTOCOL: Malformed = Malformed {
    status: StatusCode::NOT_IMPLEMENTED,
    code: "connect_protocol_unknown",
    detail: "Of protocols over CONNECT, only `websocket` is offered here.",
};

/// A handshake that an upstream is to answer.
pub(super) struct Opening {
    key: HeaderValue,
}

/// Turns an extended CONNECT into the GET that opens a WebSocket over HTTP/1.1. Nothing for every
/// other request.
///
/// # Errors
///
/// The client asks for another protocol.
pub(super) fn translate(head: &mut request::Parts) -> Result<Option<Opening>, Malformed> {
    if head.method != Method::CONNECT {
        return Ok(None);
    }
    let Some(protocol) = head.extensions.remove::<Protocol>() else {
        return Ok(None);
    };
    if !protocol.as_str().eq_ignore_ascii_case("websocket") {
        return Err(OTHER_PROTOCOL);
    }
    head.method = Method::GET;
    let key = STANDARD.encode(fastrand::u128(..).to_ne_bytes());
    // Base64 is always a valid field value.
    let key = HeaderValue::from_str(&key).unwrap_or(HeaderValue::from_static(""));
    head.headers.insert(SEC_WEBSOCKET_KEY, key.clone());
    head.headers
        .entry(SEC_WEBSOCKET_VERSION)
        .or_insert(HeaderValue::from_static("13"));
    Ok(Some(Opening { key }))
}

impl Opening {
    /// The answer to the CONNECT. Where the upstream has switched, its bytes are to go to and fro on
    /// the stream from now on.
    pub(super) fn answer(self, answer: Answer) -> (Response<Tracked>, Option<Tunnel>) {
        let Answer {
            mut response,
            tunnel,
        } = answer;
        let Some(tunnel) = tunnel else {
            // Success would open a tunnel that leads nowhere (RFC 8441 §5).
            let response = if response.status().is_success() {
                not_switched()
            } else {
                response
            };
            return (response, None);
        };
        if response.headers().get(SEC_WEBSOCKET_ACCEPT) != Some(&accept(&self.key)) {
            return (not_switched(), None);
        }
        *response.status_mut() = StatusCode::OK;
        // `Upgrade` and `Connection` go with what HTTP/2 has not.
        response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
        (response, Some(tunnel))
    }
}

fn not_switched() -> Response<Tracked> {
    let id = RequestId::random();
    let detail = "The service did not open a WebSocket.";
    let (status, code) = (StatusCode::BAD_GATEWAY, "upgrade_not_answered");
    refuse::problem(status, code, detail, id.as_str()).map(Tracked::unrecorded)
}
