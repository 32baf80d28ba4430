#![doc = include_str!("README.md")]

mod build;
mod callback;
mod config;
mod cookies;
mod id_token;
mod login;
mod logout;
mod party;
mod reject;
mod seal;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{HeaderValue, Response, header};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow};
use lintel_upstream::Control;
use tokio::time::Instant;

use self::{
    callback::mask,
    party::{Party, Paths, SetCookies, now, target},
    session::Found,
};
use crate::{Context, Issuer, Policy, Wait};
pub use config::Config;

/// Knows people by their login at an OpenID Connect provider.
pub struct Oidc(Box<Party>);

impl Policy for Oidc {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn describe(&self) -> Vec<String> {
        let Paths {
            callback,
            login,
            logout,
        } = &self.0.paths;
        vec![
            format!("logins at {} as {}", self.0.provider, self.0.client_id),
            format!("answers {callback}, {login} and {logout} itself"),
        ]
    }

    fn start(&self, control: &Control) {
        self.0.issuer.start(control);
        self.0.endpoint.start(control);
    }

    fn issuers(&self) -> Vec<Arc<Issuer>> {
        vec![Arc::clone(&self.0.issuer)]
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        self.0.forward.remove_forged(&mut exchange.request.headers);
        let now = now();
        match exchange.path() {
            path if path == self.0.paths.callback => {
                mask(exchange);
                match self.0.answered(exchange, now) {
                    Ok(_) => Flow::Wait,
                    Err(rejection) => Flow::Refuse(rejection),
                }
            }
            path if path == self.0.paths.login => self.0.login(exchange, now).unwrap_or(Flow::Wait),
            path if path == self.0.paths.logout => self.0.logout(exchange, now),
            _ => self.0.enter(exchange, now),
        }
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        _: &mut Body,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let now = now();
        let path = exchange.path();
        if path == self.0.paths.callback {
            return self.0.finish(exchange, wait).await;
        }
        if path != self.0.paths.login
            && let Found::Session(session) = self.0.found(&exchange.request.headers, now)
        {
            return self.0.renew(exchange, &session, wait).await;
        }
        // What there is when this has ended decides.
        let until = wait.deadline.min(Instant::now() + self.0.patience);
        let settled = self.0.issuer.published().settled();
        let _ = wait.timer.timeout_at(until, settled).await;
        let begun = match exchange.path() == self.0.paths.login {
            true => self.0.login(exchange, now),
            false => self.0.begin(exchange, &target(exchange), now),
        };
        begun.unwrap_or_else(|| {
            exchange.cause = Some("the provider's metadata could not be fetched".into());
            Flow::Refuse(reject::UNAVAILABLE)
        })
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(self.0.challenge.clone())
    }

    fn on_response(&self, exchange: &mut Exchange, response: &mut Response<Body>) {
        let Some(SetCookies(fields)) = exchange.request.extensions.remove::<SetCookies>() else {
            return;
        };
        for field in fields {
            response.headers_mut().append(header::SET_COOKIE, field);
        }
        // No cache may give one person's session to another.
        let none = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, none);
    }
}
