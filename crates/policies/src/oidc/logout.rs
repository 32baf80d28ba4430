//! Logouts (OpenID Connect RP-Initiated Logout 1.0).

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::{Exchange, Flow};

use super::{
    callback::from_own_page,
    login::with_query,
    party::{Party, redirect, set_cookies},
    reject,
    session::Found,
};
use crate::form::encoded;

/// For browsers whose way here can't be told: one more click, on a page of this site.
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>Log out</title>\
    <form method=post><button autofocus>Log out</button></form>\n";

impl Party {
    /// Ends the session in this browser, and at the provider if that is wanted. Other sites can't
    /// do it: a link or a form of theirs says whose it is.
    pub(super) fn logout(&self, exchange: &mut Exchange, now: u64) -> Flow<Response<Body>> {
        let headers = &exchange.request.headers;
        let own = from_own_page(headers, &self.origin);
        match (&exchange.request.method, own) {
            (&Method::POST, Some(true)) | (&Method::GET, Some(true)) => {}
            (&Method::POST, _) => return Flow::Refuse(reject::FOREIGN),
            (&Method::GET, _) => return page(),
            _ => return Flow::Refuse(reject::method()),
        }
        let session = self.sessions.find(headers, now);
        let gone = self.sessions.cookies().clear_session(headers);
        set_cookies(exchange, gone);
        let hint = match &session {
            Found::Session(session) => Some(session.kept.id_token.clone()),
            Found::Nothing | Found::Useless => None,
        };
        redirect(StatusCode::SEE_OTHER, &self.after_logout(hint))
    }

    fn after_logout(&self, hint: Option<String>) -> String {
        let local = format!("{}{}", self.origin, self.after_logout);
        let published = self.issuer.published().endpoints();
        let discovered = published.as_ref().and_then(|all| all.end_session.as_ref());
        let end_session = self.end_session.as_ref().or(discovered);
        let Some(url) = end_session.filter(|_| self.logout_at_provider) else {
            return local;
        };
        let mut parameters = vec![
            ("client_id", self.client_id.clone()),
            ("post_logout_redirect_uri", local),
        ];
        parameters.extend(hint.map(|hint| ("id_token_hint", hint)));
        with_query(url, &encoded(&parameters))
    }
}

fn page() -> Flow<Response<Body>> {
    let mut response = Response::new(Body::from(Bytes::from_static(PAGE.as_bytes())));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            // Nothing of `form-action`: browsers hold the redirect after it to that, too.
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Flow::Answer(response)
}
