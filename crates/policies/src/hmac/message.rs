//! Signatures of RFC 9421.

use std::borrow::Cow;

use lintel_httpsig::{Digests, Message, Signature, signatures};

use super::{Cause, nonces::Nonces};
use crate::consumers::{Signer, SigningKey, View};

/// Which signatures will do.
pub(super) struct Messages {
    /// What must be covered.
    pub(super) components: Vec<Box<str>>,
    pub(super) tag: Option<String>,
    pub(super) nonces: Option<Nonces>,
    pub(super) unsigned_content: bool,
    /// Seconds.
    pub(super) max_age: u64,
    /// Seconds.
    pub(super) leeway: u64,
}

/// The signature of a request that counts.
pub(super) struct Found {
    signature: Signature,
    /// What the content must be, where the signature covers that.
    pub(super) digests: Option<Digests>,
}

impl Messages {
    /// What holds, for `lintel explain`.
    pub(super) fn describe(&self) -> String {
        format!(
            "signatures of RFC 9421 that cover {}, up to {} s old",
            self.components.join(", "),
            self.max_age
        )
    }

    /// The one signature of a request that counts; `None` if it has none.
    pub(super) fn find(
        &self,
        view: &View<'_>,
        message: &Message<'_>,
    ) -> Result<Option<Found>, Cause> {
        let all = signatures(message).map_err(|bad| malformed(bad.0))?;
        if all.is_empty() {
            return Ok(None);
        }
        let wanted = self.tag.as_deref();
        let mut own: Vec<Signature> = all
            .into_iter()
            .filter(|one| wanted.is_none() || one.tag.as_deref() == wanted)
            .collect();
        if own.len() > 1 {
            // Others may sign on the way, with keys that are not for this gateway.
            own.retain(|one| signer(view, one).is_some());
        }
        let signature = match (own.pop(), own.is_empty()) {
            (Some(signature), true) => signature,
            (Some(_), false) => return Err("credential_unclear".into()),
            (None, _) if wanted.is_some() => return Err("signature_tag".into()),
            (None, _) => return Err("key_unknown".into()),
        };
        let digests = match signature.covers("content-digest") {
            true => Some(Digests::of(message).map_err(|bad| malformed(bad.0))?),
            false => None,
        };
        Ok(Some(Found { signature, digests }))
    }

    /// Who has signed, at a time in seconds since 1970. What was signed of the content is still to be
    /// compared.
    pub(super) fn verify<'a>(
        &self,
        view: &'a View<'_>,
        found: &Found,
        message: &Message<'_>,
        has_content: bool,
        now: u64,
    ) -> Result<&'a Signer, Cause> {
        let signature = &found.signature;
        let base = signature
            .base(message)
            .map_err(|unfit| Cow::from(format!("component_unfit: {unfit}")))?;
        let known = signer(view, signature);
        let signer = known
            .or_else(|| view.signer_decoy(|key| matches!(key, SigningKey::Message(..))))
            .ok_or(Cow::from("key_unknown"))?;
        let SigningKey::Message(algorithm, key) = &signer.key else {
            return Err("key_unknown".into());
        };
        // Whatever else is wrong is told no sooner.
        let signed = key.verifies(algorithm.jose(), base.as_bytes(), &signature.bytes);
        let wrong = |why: &str| Err(Cow::from(format!("{why}: {}", signer.id())));
        if known.is_none() {
            return Err("key_unknown".into());
        }
        if !signed || !signature.is_for(*algorithm) {
            return wrong("signature_wrong");
        }
        if signer.has_expired(now) {
            return wrong("key_expired");
        }
        let Some(created) = signature.created else {
            return wrong("signature_undated");
        };
        if created > now + self.leeway {
            return wrong("signature_not_yet_valid");
        }
        let until = created.saturating_add(self.max_age);
        let until = signature.expires.map_or(until, |end| end.min(until));
        if now >= until.saturating_add(self.leeway) {
            return wrong("signature_expired");
        }
        if let Some(missing) = self.components.iter().find(|name| !signature.covers(name)) {
            return wrong(&format!("not_covered {missing}"));
        }
        if has_content && found.digests.is_none() && !self.unsigned_content {
            return wrong("not_covered content-digest");
        }
        if let Some(nonces) = &self.nonces {
            let Some(nonce) = &signature.nonce else {
                return wrong("nonce_missing");
            };
            if !nonces.is_new(signer.id(), nonce) {
                return wrong("nonce_used");
            }
        }
        Ok(signer)
    }
}

fn signer<'a>(view: &'a View<'_>, signature: &Signature) -> Option<&'a Signer> {
    let signer = view.signer(signature.key_id.as_deref()?)?;
    matches!(signer.key, SigningKey::Message(..)).then_some(signer)
}

fn malformed(why: &str) -> Cause {
    format!("credential_malformed: {why}").into()
}
