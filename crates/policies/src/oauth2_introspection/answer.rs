//! What an introspection endpoint says of a token (RFC 7662 §2.2).

use std::{rc::Rc, sync::Arc};

use http::StatusCode;
use lintel_jose::{Claims, Rules};
use lintel_kernel::{Consumer, Identity};
use serde_json::Value;

use super::NAME;
use crate::{Reply, Unanswered, consumers::Claimed};

/// What a token must be, and what becomes of what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Demands {
    pub(super) rules: Rules,
    /// The claim that holds scopes.
    pub(super) scope_claim: Option<String>,
    /// The consumers, by the claim that names them.
    pub(super) consumers: Option<Claimed>,
}

/// What is known of a token.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// It is good: who it speaks for.
    Active(Rc<Identity>),
    /// It is not, and this is why, as a stable word for the log.
    Refused(&'static str),
}

impl Demands {
    /// What an answer means, and until when at most, in seconds since 1970.
    ///
    /// # Errors
    /// It says nothing of the token.
    pub(super) fn understand(
        &self,
        reply: &Reply,
        now: u64,
    ) -> Result<(Known, Option<u64>), Unanswered> {
        match reply.head.status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(bad("a refusal of the gateway's own credentials (`client`)"));
            }
            status => return Err(bad(&format!("status {status}"))),
        }
        let claims = Claims::parse(&reply.body).map_err(|_| bad("what is no JSON object"))?;
        match claims.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Ok((Known::Refused("token_inactive"), None)),
            _ => return Err(bad("an object without `active`")),
        }
        match self.rules.check_claims(&claims, now) {
            Ok(until) => Ok((Known::Active(Rc::new(self.identity(claims))), until)),
            Err(refusal) => Ok((Known::Refused(refusal.code()), None)),
        }
    }

    fn identity(&self, claims: Claims) -> Identity {
        let scopes = match &self.scope_claim {
            Some(name) => claims.get(name),
            None => claims.get("scope"),
        };
        let scopes = match scopes {
            Some(Value::String(text)) => text.split_ascii_whitespace().map(Box::from).collect(),
            Some(Value::Array(all)) => {
                let texts = all.iter().filter_map(Value::as_str);
                texts.map(Box::from).collect()
            }
            _ => Vec::new(),
        };
        Identity {
            method: NAME,
            consumer: self.consumer(&claims),
            credential: claims.text("jti").map(Box::from),
            scopes,
            claims: claims.into_map(),
        }
    }

    fn consumer(&self, claims: &Claims) -> Option<Arc<Consumer>> {
        self.consumers.as_ref()?.consumer(claims)
    }
}

impl Known {
    /// About how much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Refused(_) => 0,
            Self::Active(identity) => {
                let claims = identity.claims.iter();
                let claims: usize = claims
                    .map(|(name, value)| 64 + name.len() + text(value))
                    .sum();
                let scopes = identity.scopes.iter();
                let scopes: usize = scopes.map(|scope| 16 + scope.len()).sum();
                claims + scopes
            }
        }
    }
}

/// About how much memory a value takes, in bytes.
fn text(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(all) => all.iter().map(|value| 32 + text(value)).sum(),
        Value::Object(all) => all
            .iter()
            .map(|(name, value)| 64 + name.len() + text(value))
            .sum(),
        _ => 0,
    }
}

fn bad(what: &str) -> Unanswered {
    Unanswered {
        code: "answer_invalid",
        cause: format!("the introspection endpoint answered with {what}"),
        timeout: false,
    }
}
