//! Signatures of AWS (Signature Version 4).

use std::borrow::Cow;

use lintel_httpsig::{
    Message,
    sigv4::{Payload, Request},
};

use super::Cause;
use crate::consumers::{Signer, SigningKey, View};

/// Which signatures will do.
pub(super) struct Aws {
    pub(super) region: String,
    pub(super) service: String,
    pub(super) presigned: bool,
    pub(super) unsigned_content: bool,
    /// Seconds.
    pub(super) max_age: u64,
    /// Seconds.
    pub(super) leeway: u64,
}

impl Aws {
    /// What holds, for `lintel explain`.
    pub(super) fn describe(&self) -> String {
        format!(
            "signatures of AWS for {}/{}, up to {} s old{}",
            self.region,
            self.service,
            self.max_age,
            if self.presigned {
                ", and presigned URLs"
            } else {
                ""
            }
        )
    }

    /// The signature of a request; `None` if it has none.
    pub(super) fn find(&self, message: &Message<'_>) -> Result<Option<Request>, Cause> {
        Request::of(message, self.presigned)
            .map_err(|bad| format!("credential_malformed: {}", bad.0).into())
    }

    /// Who has signed, at a time in seconds since 1970. `hash` is the SHA-256 of the content in hex,
    /// where the signature does not tell it.
    pub(super) fn verify<'a>(
        &self,
        view: &'a View<'_>,
        found: &Request,
        message: &Message<'_>,
        hash: &str,
        has_content: bool,
        now: u64,
    ) -> Result<&'a Signer, Cause> {
        let known = signer(view, found);
        let signer = known
            .or_else(|| view.signer_decoy(|key| matches!(key, SigningKey::Aws(_))))
            .ok_or(Cow::from("key_unknown"))?;
        let SigningKey::Aws(secret) = &signer.key else {
            return Err("key_unknown".into());
        };
        // Whatever else is wrong is told no sooner.
        let signed = found.is_signed_by(secret.expose(), message, hash);
        let wrong = |why: &str| Err(Cow::from(format!("{why}: {}", signer.id())));
        if known.is_none() {
            return Err("key_unknown".into());
        }
        if !signed {
            return wrong("signature_wrong");
        }
        if signer.has_expired(now) {
            return wrong("key_expired");
        }
        if *found.region != *self.region || *found.service != *self.service {
            return wrong("signature_scope");
        }
        if found.signed_at > now + self.leeway {
            return wrong("signature_not_yet_valid");
        }
        let lifetime = found.lifetime.unwrap_or(self.max_age);
        if now
            >= found
                .signed_at
                .saturating_add(lifetime)
                .saturating_add(self.leeway)
        {
            return wrong("signature_expired");
        }
        if has_content && found.payload == Payload::Unsigned && !self.unsigned_content {
            return wrong("content_unsigned");
        }
        Ok(signer)
    }
}

fn signer<'a>(view: &'a View<'_>, found: &Request) -> Option<&'a Signer> {
    let signer = view.signer(&found.key_id)?;
    matches!(signer.key, SigningKey::Aws(_)).then_some(signer)
}
