//! Who may call the admin API.
//!
//! Without a token it is open to whoever can reach it. A browser on such a machine can, and does what any
//! page that its user looks at tells it to: so nothing is changed for a page, and where only the machine
//! itself is to reach it, nothing is told under a name that somebody else gives the address (DNS rebinding).

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use lintel_config::{model, text::Bind};
use lintel_kernel::Secret;

/// Says how a page of which site came to ask (W3C Fetch Metadata §2.4).
const FETCH_SITE: &str = "sec-fetch-site";

/// Those who may call.
pub(super) struct Callers {
    token: Option<Secret>,
    /// It has an address that only this machine reaches.
    local: bool,
}

impl Callers {
    pub(super) fn of(settings: &model::Admin) -> Self {
        Self {
            token: settings.token.clone(),
            local: matches!(&settings.bind, Bind::Tcp(_)) && settings.bind.is_local(),
        }
    }

    /// What is answered to somebody who may not.
    fn refusal(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        let refused = |text: &'static str| Some((StatusCode::FORBIDDEN, text).into_response());
        match &self.token {
            Some(token) => (!is_told(headers, token)).then(unknown),
            None if !request.method().is_safe() && is_of_page(headers) => refused(
                "web pages may not change anything here: use another client, or set `admin.token`\n",
            ),
            None if self.local && !is_own_name(headers) => refused(
                "this API is for its own machine: ask it by its address or as `localhost`, or set `admin.token`\n",
            ),
            None => None,
        }
    }
}

pub(super) async fn admit(
    State(callers): State<Arc<Callers>>,
    request: Request,
    next: Next,
) -> Response {
    match callers.refusal(&request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

fn unknown() -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"lintel admin\"")];
    let text = "send `Authorization: Bearer <admin token>`\n";
    (StatusCode::UNAUTHORIZED, challenge, text).into_response()
}

fn is_told(headers: &HeaderMap, token: &Secret) -> bool {
    let sent = headers.get(header::AUTHORIZATION);
    let sent = sent.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    sent.is_some_and(|sent| same(sent, token.expose().as_bytes()))
}

/// Compares in time that depends on the lengths alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (x, y)| differs | (x ^ y)) == 0
}

/// Browsers say of every request that changes something which page it is of (Fetch standard, "HTTP
/// `Origin` header").
fn is_of_page(headers: &HeaderMap) -> bool {
    let by_hand = headers.get(FETCH_SITE).is_none_or(|site| site == "none");
    headers.contains_key(header::ORIGIN) || !by_hand
}

/// Whether the host that is asked for is an address, this machine (RFC 6761 §6.3) or a name of its own
/// network, without a dot; and no name that anybody could point here.
fn is_own_name(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        return true;
    };
    let host = host.to_str().ok().and_then(|host| host.parse().ok());
    host.is_some_and(|host: Authority| {
        let name = host.host().trim_matches(['[', ']']).to_ascii_lowercase();
        let name = name.trim_end_matches('.');
        !name.contains('.') || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
    })
}
