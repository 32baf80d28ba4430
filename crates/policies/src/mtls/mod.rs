#![doc = include_str!("README.md")]

mod config;
mod reject;
mod tell;
#[cfg(test)]
mod tests;

use std::{rc::Rc, time::UNIX_EPOCH};

use http::{HeaderValue, Response};
use lintel_http::Body;
use lintel_kernel::{Exchange, Fault, Flow, wall::time_at};

pub use config::Config;
use reject::Refusals;
use tell::Tell;

use crate::{Context, Policy, consumers::Roll, forward::Forward};

/// Knows callers by the certificate that they have shown.
pub struct Mtls {
    roll: Roll,
    refusals: Refusals,
    forward: Forward,
    tell: Option<Tell>,
    /// Whether a certificate that is no consumer's will do.
    anyone: bool,
}

impl Policy for Mtls {
    type Config = Config;

    fn build(config: &Config, context: &Context) -> Result<Self, Vec<Fault>> {
        config.build(context)
    }

    fn on_request(&self, exchange: &mut Exchange, _: &mut Body) -> Flow<Response<Body>> {
        self.forward.remove_forged(&mut exchange.request.headers);
        tell::remove_forged(&mut exchange.request.headers);
        if exchange.identity.is_some() {
            return Flow::Next;
        }
        let Some(certificate) = exchange.certificate.as_ref().map(Rc::clone) else {
            return Flow::Next;
        };
        let now = time_at(exchange.received);
        if certificate.not_after < now {
            return Flow::Refuse(self.refusals.invalid("certificate_expired"));
        }
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let Ok(identity) = self.roll.view().certificate(&certificate, seconds) else {
            return Flow::Refuse(self.refusals.invalid("certificate_ambiguous"));
        };
        if identity.consumer.is_none() && !self.anyone {
            let whose = identity.credential.as_deref().unwrap_or_default();
            exchange.cause = Some(format!("certificate_unknown: {whose}").into());
            return Flow::Refuse(self.refusals.unknown());
        }
        exchange.identity = Some(identity);
        self.forward.set(exchange);
        if let Some(tell) = self.tell {
            tell.set(&mut exchange.request.headers, &certificate);
        }
        Flow::Next
    }

    fn challenge(&self) -> Option<HeaderValue> {
        Some(self.refusals.challenge.clone())
    }
}
