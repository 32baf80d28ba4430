//! The end of the phase *authenticate*: whoever has not been identified by then does not pass.

use http::{HeaderValue, StatusCode, header};
use lintel_kernel::{Exchange, Rejection};

/// Refuses requests that no policy of the phase has identified, and tells which credentials would
/// do. A chain has one after its last policy of that phase, if it has any.
#[derive(Debug)]
pub(crate) struct Gate {
    challenges: Vec<HeaderValue>,
}

const STEP: &str = "authenticate";

const NO_CREDENTIALS: Rejection = Rejection::new(
    STEP,
    StatusCode::UNAUTHORIZED,
    "no_credentials",
    "The request needs credentials.",
);

impl Gate {
    pub(crate) const NAME: &str = STEP;

    pub(crate) const fn new(challenges: Vec<HeaderValue>) -> Self {
        Self { challenges }
    }

    /// RFC 9110 §11.6.1: a 401 has at least one challenge; each way in gives its own.
    pub(crate) fn check(&self, exchange: &Exchange) -> Result<(), Rejection> {
        if exchange.identity.is_some() {
            return Ok(());
        }
        let refusal = self
            .challenges
            .iter()
            .fold(NO_CREDENTIALS, |refusal, challenge| {
                refusal.with_header(header::WWW_AUTHENTICATE, challenge.clone())
            });
        Err(refusal)
    }
}
