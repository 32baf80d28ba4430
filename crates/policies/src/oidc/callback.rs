//! The provider's answer, as the browser brings it (RFC 6749 §4.1.2, RFC 9207).

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, Method};
use lintel_kernel::{Exchange, Rejection};
use serde_json::Value;

use super::{
    id_token::Bound,
    login::Pending,
    party::{Party, now, set_cookies},
    reject, seal,
    session::{Kept, claims},
};
use crate::{
    Wait,
    credential::Source,
    form,
    token_endpoint::{Failure, Grant, Granted, Question, shown},
};

/// Codes that a provider refuses by (RFC 6749 §4.1.2.1, OpenID Connect Core 1.0 §3.1.2.6). Others
/// are for the log: whoever made up the answer chose them.
const CODES: [&str; 11] = [
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_request",
    "invalid_scope",
    "login_required",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_response_type",
];
/// How long tokens hold where nothing is said of it, in seconds.
const USUAL_LIFE: u64 = 300;

/// A login that the provider has agreed to.
pub(super) struct Agreed {
    pending: Pending,
    code: String,
}

/// What the query says. A parameter that is there twice is none.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(own, _)| *own == name);
        let (_, value) = values.next()?;
        if values.next().is_some() {
            return None;
        }
        form::decoded(value)
    }
}

/// Takes what must not be logged out of what is logged.
pub(super) fn mask(exchange: &mut Exchange) {
    for name in ["code", "state"] {
        Source::Query(name.to_owned()).mask(exchange);
    }
}

impl Party {
    /// Finds out what the browser brings.
    ///
    /// # Errors
    /// It is no answer to a login of this browser, or the provider has refused.
    pub(super) fn answered(&self, exchange: &mut Exchange, now: u64) -> Result<Agreed, Rejection> {
        if exchange.request.method != Method::GET {
            return Err(reject::method());
        }
        let query = exchange.request.uri.query().unwrap_or("").to_owned();
        let query = Query(&query);
        let unknown = |cause| Err(reject::UNKNOWN.with_cause(cause));
        let Some(state) = query.get("state") else {
            return unknown("state_missing");
        };
        let headers = &exchange.request.headers;
        let found = self.terms.find(&self.sessions, &state, headers, now);
        let Some((pending, cookie)) = found else {
            return unknown("state_unknown");
        };
        let spent = self.sessions.cookies().gone(&cookie);
        set_cookies(exchange, spent.into_iter().collect());
        self.check_issuer(query.get("iss").as_deref())?;
        if let Some(error) = query.get("error") {
            return Err(self.refused(exchange, &error, query.get("error_description").as_deref()));
        }
        match query.get("code") {
            Some(code) if !code.is_empty() => Ok(Agreed {
                pending,
                code: code.into_owned(),
            }),
            _ => unknown("code_missing"),
        }
    }

    /// RFC 9207 §2.4: an answer of another provider is not for us, and one that hides whose it is
    /// neither, where ours always says so.
    fn check_issuer(&self, named: Option<&str>) -> Result<(), Rejection> {
        let endpoints = self.issuer.published().endpoints();
        let always = endpoints.as_ref().is_some_and(|known| known.names_itself);
        match named {
            Some(named) if named != self.provider => {
                Err(reject::UNKNOWN.with_cause("issuer_differs"))
            }
            None if always => Err(reject::UNKNOWN.with_cause("issuer_missing")),
            _ => Ok(()),
        }
    }

    fn refused(&self, exchange: &mut Exchange, error: &str, detail: Option<&str>) -> Rejection {
        let text = format!("{}: {}", shown(error), shown(detail.unwrap_or_default()));
        exchange.cause = Some(text.into());
        if matches!(error, "server_error" | "temporarily_unavailable") {
            return reject::UNAVAILABLE;
        }
        match CODES.iter().find(|code| **code == error) {
            Some(code) => reject::REFUSED
                .with_detail(format!("The identity provider refused the login: {code}.")),
            None => reject::REFUSED,
        }
    }

    /// Gets tokens for the code and checks them. The answer is the session, and where to go.
    pub(super) async fn complete(
        &self,
        exchange: &mut Exchange,
        agreed: Agreed,
        wait: &Wait<'_>,
    ) -> Result<(Kept, String), Rejection> {
        let pending = agreed.pending;
        let question = Question {
            grant: Grant::Code,
            form: vec![
                ("code", agreed.code),
                ("redirect_uri", self.redirect_uri.clone()),
                ("code_verifier", pending.verifier),
            ],
            flight: None,
        };
        let granted = match self.endpoint.ask(question, wait).await {
            Ok(granted) => granted,
            Err(failure) => {
                exchange.cause = Some(failure.to_string().into());
                return Err(match failure {
                    Failure::Refused { .. } => reject::FAILED,
                    Failure::Unavailable(_) => reject::UNAVAILABLE,
                });
            }
        };
        let now = now();
        let failed = |cause| reject::FAILED.with_cause(cause);
        let text = granted.id_token.as_deref();
        let text = text.ok_or_else(|| failed("id_token_missing"))?;
        let bound = Bound::Nonce(&pending.nonce);
        self.believe(text, &granted, &bound, now, wait)
            .await
            .map_err(|cause| match cause {
                "keys_unavailable" => reject::UNAVAILABLE.with_cause(cause),
                cause => failed(cause),
            })?;
        let number = seal::random().ok_or_else(|| failed("no_random_numbers"))?;
        let kept = Kept {
            expires: expiry(&granted, text, now),
            begun: now,
            // Enough to tell sessions apart in the log.
            number: number.chars().take(12).collect(),
            id_token: text.to_owned(),
            access_token: granted.access_token.clone().filter(|_| self.hold_access),
            refresh_token: granted.refresh_token.clone().filter(|_| self.refreshes),
            scope: granted.scope.clone(),
        };
        Ok((kept, pending.to))
    }

    async fn believe(
        &self,
        text: &str,
        granted: &Granted,
        bound: &Bound<'_>,
        now: u64,
        wait: &Wait<'_>,
    ) -> Result<(), &'static str> {
        let access = granted.access_token.as_deref();
        let by = (&*self.issuer, now);
        let checked = self
            .expected
            .check(text, access, bound, by, (wait, self.patience));
        checked.await.map(|_| ())
    }

    /// New tokens for a session that has a refresh token.
    pub(super) async fn refresh(&self, kept: &Kept, wait: &Wait<'_>) -> Result<Kept, Refusal> {
        let Some(token) = &kept.refresh_token else {
            return Err(Refusal::Over);
        };
        let question = Question {
            grant: Grant::Refresh,
            form: vec![("refresh_token", token.clone())],
            flight: Some(lintel_jose::fingerprint(token)),
        };
        let granted = match self.endpoint.ask(question, wait).await {
            Ok(granted) => granted,
            // Only this one is about the token; the others are about the gateway.
            Err(Failure::Refused { code, .. }) if &*code == "invalid_grant" => {
                return Err(Refusal::Over);
            }
            Err(_) => return Err(Refusal::Away),
        };
        let now = now();
        let id_token = granted.id_token.as_deref();
        if let Some(text) = id_token {
            let before = claims(&kept.id_token).ok_or(Refusal::Over)?;
            let bound = Bound::Before(&before);
            let believed = self.believe(text, &granted, &bound, now, wait).await;
            believed.map_err(|cause| match cause {
                "keys_unavailable" => Refusal::Away,
                cause => {
                    let session = &*kept.number;
                    tracing::warn!(session, cause, "a refreshed ID token is not believed");
                    Refusal::Over
                }
            })?;
        }
        let or_before = |new: &Option<String>, before: &Option<String>| {
            new.as_ref().or(before.as_ref()).cloned()
        };
        let access = or_before(&granted.access_token, &kept.access_token);
        Ok(Kept {
            expires: expiry(&granted, id_token.unwrap_or_default(), now),
            begun: kept.begun,
            number: kept.number.clone(),
            id_token: id_token.unwrap_or(&kept.id_token).to_owned(),
            access_token: access.filter(|_| self.hold_access),
            refresh_token: or_before(&granted.refresh_token, &kept.refresh_token),
            scope: or_before(&granted.scope, &kept.scope),
        })
    }
}

/// Why there are no new tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The provider has ended the session.
    Over,
    /// Nothing is known: the provider does not answer.
    Away,
}

/// When tokens end: as the endpoint says, or else as the ID token does.
fn expiry(granted: &Arc<Granted>, id_token: &str, now: u64) -> u64 {
    let received = granted.received;
    let said = granted.expires_in.map(|life| received.saturating_add(life));
    let claimed = || claims(id_token)?.get("exp").and_then(Value::as_u64);
    said.or_else(claimed)
        .unwrap_or_else(|| now.saturating_add(USUAL_LIFE))
}

/// The page that a request for a login names.
pub(super) fn wanted(query: Option<&str>) -> Option<String> {
    Query(query?).get("return_to").map(Cow::into_owned)
}

/// Whether a request comes from a page of the site itself, or from nowhere: Fetch Metadata say so,
/// or `Origin` does. None if neither says anything.
pub(super) fn from_own_page(headers: &HeaderMap, origin: &str) -> Option<bool> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => Some(matches!(site, "same-origin" | "none")),
        (None, Some(own)) => Some(own == origin),
        (None, None) => None,
    }
}
