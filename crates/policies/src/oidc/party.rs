//! What becomes of requests.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use lintel_http::Body;
use lintel_kernel::{Exchange, Flow, Rejection};
use lintel_state::revoked::{Bearer, Revoked};

use super::{
    callback::{Refusal, wanted},
    id_token::Expected,
    login::{Terms, is_navigation},
    reject,
    session::{Found, Kept, Session, Sessions},
};
use crate::{
    Issuer, Wait, credential::strip_cookies, forward::Forward, issuer::Url, revocation::bearer,
    token_endpoint::TokenEndpoint,
};

/// What a relying party (OpenID Connect Core 1.0 §1.2) has to know.
pub(super) struct Party {
    /// The provider, as its tokens name it.
    pub(super) provider: String,
    pub(super) issuer: Arc<Issuer>,
    pub(super) endpoint: Arc<TokenEndpoint>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) terms: Terms,
    pub(super) expected: Expected,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    /// Scheme, host and port of the site.
    pub(super) origin: String,
    pub(super) paths: Paths,
    /// Where browsers are sent, where that was not left to the provider's metadata.
    pub(super) authorization: Option<Url>,
    pub(super) end_session: Option<Url>,
    /// Whether people without a session are sent to the provider at once.
    pub(super) redirect: bool,
    /// Seconds before the tokens end from which on they are refreshed.
    pub(super) ahead: u64,
    pub(super) refreshes: bool,
    pub(super) hold_access: bool,
    pub(super) logout_at_provider: bool,
    /// Path and query.
    pub(super) after_logout: String,
    pub(super) forward: Forward,
    pub(super) challenge: HeaderValue,
    /// How long a request waits for what is fetched from the provider.
    pub(super) patience: Duration,
    pub(super) revoked: Arc<Revoked>,
}

/// Paths that the gateway answers itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) callback: String,
    pub(super) login: String,
    pub(super) logout: String,
}

/// Fields for the answer, left in the request until there is one.
#[derive(Clone)]
pub(super) struct SetCookies(pub(super) Vec<HeaderValue>);

/// What a session needs before it is believed.
enum Need {
    Nothing,
    Refresh,
    Login,
}

impl Party {
    /// A request for something else than a login.
    pub(super) fn enter(&self, exchange: &mut Exchange, now: u64) -> Flow<Response<Body>> {
        if exchange.identity.is_some() {
            self.strip(exchange);
            return Flow::Next;
        }
        match self.found(&exchange.request.headers, now) {
            Found::Session(session) => match self.need(&session.kept, now) {
                Need::Nothing => self.admit(exchange, &session),
                Need::Refresh => Flow::Wait,
                Need::Login => self.absent(exchange, now),
            },
            Found::Useless | Found::Nothing => self.absent(exchange, now),
        }
    }

    /// The session of a request; one that is revoked is of no use.
    pub(super) fn found(&self, headers: &HeaderMap, now: u64) -> Found {
        match self.sessions.find(headers, now) {
            Found::Session(session) if self.is_revoked(&session, now) => Found::Useless,
            found => found,
        }
    }

    /// By the ID token's number, the session's, or whom it is of: what counts is when the login was,
    /// and not when tokens were last refreshed.
    fn is_revoked(&self, session: &Session, now: u64) -> bool {
        if self.revoked.is_empty() {
            return false;
        }
        let by_token = Bearer {
            issued: Some(session.kept.begun),
            ..bearer(&session.identity.claims)
        };
        let by_session = Bearer {
            token: Some(&session.kept.number),
            subject: None,
            ..by_token
        };
        self.revoked.means(&by_token, now) || self.revoked.means(&by_session, now)
    }

    const fn need(&self, kept: &Kept, now: u64) -> Need {
        if !kept.ends_within(self.ahead, now) {
            Need::Nothing
        } else if kept.refresh_token.is_some() {
            Need::Refresh
        } else if self.hold_access && kept.ends_within(0, now) {
            // What goes upstream is worth nothing any more.
            Need::Login
        } else {
            Need::Nothing
        }
    }

    /// Lets a request pass as that of the session's person.
    fn admit(&self, exchange: &mut Exchange, session: &Session) -> Flow<Response<Body>> {
        exchange.identity = Some(self.sessions.who(session));
        self.strip(exchange);
        self.forward.set(exchange);
        let access = session.kept.access_token.as_ref();
        let bearer = access.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
        if let Some(mut bearer) = bearer.filter(|_| self.hold_access) {
            bearer.set_sensitive(true);
            let headers = &mut exchange.request.headers;
            headers.insert(header::AUTHORIZATION, bearer);
        }
        Flow::Next
    }

    /// What becomes of a request without a session: people log in, programs are told to.
    fn absent(&self, exchange: &mut Exchange, now: u64) -> Flow<Response<Body>> {
        let request = &exchange.request;
        let useless = self.sessions.cookies().clear_session(&request.headers);
        let person = self.redirect && is_navigation(&request.method, &request.headers);
        set_cookies(exchange, useless);
        let begun = person.then(|| self.begin(exchange, &target(exchange), now));
        self.strip(exchange);
        match begun {
            Some(begun) => begun.unwrap_or(Flow::Wait),
            None => Flow::Next,
        }
    }

    /// The path where logins begin on demand. None while it is not known where to send browsers.
    pub(super) fn login(&self, exchange: &mut Exchange, now: u64) -> Option<Flow<Response<Body>>> {
        if exchange.request.method != Method::GET {
            return Some(Flow::Refuse(reject::method()));
        }
        let to = wanted(exchange.request.uri.query());
        self.begin(exchange, to.as_deref().unwrap_or("/"), now)
    }

    /// Sends a browser to the provider. None while it is not known where that is.
    pub(super) fn begin(
        &self,
        exchange: &mut Exchange,
        to: &str,
        now: u64,
    ) -> Option<Flow<Response<Body>>> {
        let published = self.issuer.published().endpoints();
        let discovered = published
            .as_ref()
            .and_then(|known| known.authorization.as_ref());
        let authorization = self.authorization.as_ref().or(discovered)?;
        let headers = &exchange.request.headers;
        let begun = self
            .terms
            .begin(&self.sessions, authorization, (to, headers), now);
        let Some(begun) = begun else {
            return Some(Flow::Refuse(reject::FAILED.with_cause("login_too_large")));
        };
        set_cookies(exchange, begun.cookies);
        Some(redirect(StatusCode::FOUND, &begun.location))
    }

    /// The end of a login: the browser gets its session and goes where it wanted to.
    pub(super) async fn finish(
        &self,
        exchange: &mut Exchange,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        match self.session_of(exchange, wait).await {
            Ok(to) => redirect(StatusCode::FOUND, &format!("{}{to}", self.origin)),
            Err(rejection) => Flow::Refuse(rejection),
        }
    }

    async fn session_of(
        &self,
        exchange: &mut Exchange,
        wait: &Wait<'_>,
    ) -> Result<String, Rejection> {
        let agreed = self.answered(exchange, now())?;
        let (kept, to) = self.complete(exchange, agreed, wait).await?;
        let headers = &exchange.request.headers;
        let fields = self.sessions.hand_over(&kept, headers);
        set_cookies(exchange, fields.ok_or(reject::TOO_LARGE)?);
        Ok(to)
    }

    /// Refreshes a session, and lets its request pass.
    pub(super) async fn renew(
        &self,
        exchange: &mut Exchange,
        session: &Session,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let refreshed = self.refresh(&session.kept, wait).await;
        let now = now();
        let over = session.kept.ends_within(0, now);
        let kept = match refreshed {
            Ok(kept) => kept,
            Err(Refusal::Over) if over => return self.over(exchange, now),
            Err(Refusal::Away) if over && self.hold_access => {
                return Flow::Refuse(reject::UNAVAILABLE.with_cause("tokens_not_refreshed"));
            }
            Err(_) => return self.admit(exchange, session),
        };
        let headers = &exchange.request.headers;
        let fields = self.sessions.hand_over(&kept, headers);
        match (fields, self.sessions.session(kept)) {
            (Some(fields), Some(session)) => {
                set_cookies(exchange, fields);
                self.admit(exchange, &session)
            }
            _ => Flow::Refuse(reject::TOO_LARGE),
        }
    }

    /// The provider has ended the session.
    fn over(&self, exchange: &mut Exchange, now: u64) -> Flow<Response<Body>> {
        match self.absent(exchange, now) {
            // It was refreshed just now, so there is no hope of metadata in a moment.
            Flow::Wait => Flow::Refuse(reject::UNAVAILABLE),
            flow => flow,
        }
    }

    /// What upstreams need not know.
    fn strip(&self, exchange: &mut Exchange) {
        let cookies = self.sessions.cookies();
        strip_cookies(&mut exchange.request.headers, |name| cookies.own(name));
    }
}

/// Remembers fields for the answer.
pub(super) fn set_cookies(exchange: &mut Exchange, fields: Vec<HeaderValue>) {
    if fields.is_empty() {
        return;
    }
    let extensions = &mut exchange.request.extensions;
    match extensions.get_mut::<SetCookies>() {
        Some(SetCookies(known)) => {
            let new = fields.into_iter().filter(|field| !known.contains(field));
            let new: Vec<HeaderValue> = new.collect();
            known.extend(new);
        }
        None => {
            extensions.insert(SetCookies(fields));
        }
    }
}

/// What the browser asked for, to come back to.
pub(super) fn target(exchange: &Exchange) -> String {
    exchange.target.as_str().to_owned()
}

pub(super) fn redirect(status: StatusCode, to: &str) -> Flow<Response<Body>> {
    let Ok(location) = HeaderValue::try_from(to) else {
        return Flow::Refuse(reject::FAILED.with_cause("no_location"));
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Flow::Answer(response)
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
