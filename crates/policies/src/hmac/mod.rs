#![doc = include_str!("README.md")]

mod aws;
mod config;
mod content;
mod message;
mod nonces;
mod reject;
#[cfg(test)]
mod tests;
mod verify;

use http::{HeaderValue, Response, header};
use http_body::Body as _;
use lintel_http::Body;
use lintel_httpsig::sigv4;
use lintel_kernel::{Exchange, Fault, Flow};

pub use config::Config;
use reject::Refusals;
use verify::{Cause, Verdict};

use crate::{Context, Policy, Wait, consumers::Roll, credential::Source, forward::Forward};

/// Knows consumers by the signature of their request.
pub struct Hmac {
    format: Format,
    roll: Roll,
    max_content: usize,
    refusals: Refusals,
    forward: Forward,
    keep_signature: bool,
}

enum Format {
    Message(message::Messages),
    Aws(aws::Aws),
}

impl Policy for Hmac {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn describe(&self) -> Vec<String> {
        vec![self.format.describe()]
    }

    fn on_request(&self, exchange: &mut Exchange, body: &mut Body) -> Flow<Response<Body>> {
        self.forward.remove_forged(&mut exchange.request.headers);
        if exchange.identity.is_some() {
            self.strip(exchange);
            return Flow::Next;
        }
        let found = match self.find(exchange) {
            Ok(None) => return Flow::Next,
            Ok(Some(found)) => found,
            Err(cause) => return self.decide(exchange, Verdict::Wrong(cause)),
        };
        let has_content = !body.is_end_stream();
        if has_content && found.needs_content() {
            return Flow::Wait;
        }
        let view = self.roll.view();
        let verdict = match self.signer(&view, &found, exchange, sigv4::EMPTY, has_content) {
            Err(cause) => Verdict::Wrong(cause),
            // What there is may be nothing, and not what was signed.
            Ok(_) if !has_content && !found.is_of_nothing() => {
                Verdict::Wrong("content_wrong".into())
            }
            Ok(signer) => Verdict::Signed(view.signed_by(signer)),
        };
        self.decide(exchange, verdict)
    }

    async fn resume(
        &self,
        exchange: &mut Exchange,
        body: &mut Body,
        wait: &Wait<'_>,
    ) -> Flow<Response<Body>> {
        let verdict = match self.find(exchange) {
            Ok(None) => return Flow::Next,
            Ok(Some(found)) => self.with_content(&found, exchange, body, wait).await,
            Err(cause) => Verdict::Wrong(cause),
        };
        self.decide(exchange, verdict)
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(self.refusals.challenge.clone())
    }
}

impl Hmac {
    fn decide(&self, exchange: &mut Exchange, verdict: Verdict) -> Flow<Response<Body>> {
        self.mask(exchange);
        match verdict {
            Verdict::Signed(identity) => {
                exchange.identity = identity;
                self.strip(exchange);
                self.forward.set(exchange);
                Flow::Next
            }
            Verdict::Wrong(cause) => {
                exchange.cause = Some(cause.into());
                Flow::Refuse(self.refusals.invalid())
            }
            Verdict::Refused(rejection) => Flow::Refuse(rejection),
        }
    }

    /// Takes the signature away.
    fn strip(&self, exchange: &mut Exchange) {
        self.mask(exchange);
        if self.keep_signature {
            return;
        }
        match &self.format {
            Format::Message(_) => {
                for name in ["signature-input", "signature"] {
                    exchange.request.headers.remove(name);
                }
            }
            Format::Aws(aws) => {
                let headers = &mut exchange.request.headers;
                let signed = headers
                    .get(header::AUTHORIZATION)
                    .is_some_and(|value| value.as_bytes().starts_with(sigv4::SCHEME.as_bytes()));
                if signed {
                    headers.remove(header::AUTHORIZATION);
                }
                if aws.presigned {
                    for name in sigv4::PARAMETERS {
                        Source::Query(name.to_owned()).strip(exchange);
                    }
                }
            }
        }
    }

    /// Makes a signature in the query unreadable in logs: it is good until it ends.
    fn mask(&self, exchange: &mut Exchange) {
        if matches!(&self.format, Format::Aws(aws) if aws.presigned) {
            Source::Query(sigv4::SIGNATURE.to_owned()).mask(exchange);
        }
    }
}
