//! ID tokens (OpenID Connect Core 1.0 §2, §3.1.3.7).

use std::time::Duration;

use aws_lc_rs::{constant_time, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lintel_jose::{Algorithm, Claims, Refusal, Rules, Token};
use serde_json::Value;
use tokio::time::Instant;

use crate::{Wait, issuer::Issuer};

/// What an ID token must be like.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    rules: Rules,
    client: String,
}

/// What it must say beside.
pub(super) enum Bound<'a> {
    /// That it was made for this login (§3.1.3.7 no. 11).
    Nonce(&'a str),
    /// That it is about the same person as the one before (§12.2).
    Before(&'a Claims),
}

impl Expected {
    pub(super) fn new(issuer: &str, client: &str, leeway: Duration) -> Self {
        Self {
            rules: Rules {
                issuers: vec![issuer.to_owned()],
                audiences: vec![client.to_owned()],
                required: ["sub", "exp", "iat"].map(str::to_owned).to_vec(),
                leeway,
                ..Rules::default()
            },
            client: client.to_owned(),
        }
    }

    /// Checks a token; the answer is what it says.
    ///
    /// # Errors
    /// What is wrong with it, for the log. `keys_unavailable` if that can't be told.
    pub(super) async fn check(
        &self,
        text: &str,
        access_token: Option<&str>,
        bound: &Bound<'_>,
        (issuer, now): (&Issuer, u64),
        (wait, patience): (&Wait<'_>, Duration),
    ) -> Result<Claims, &'static str> {
        let token = Token::parse(text).map_err(|refusal| refusal.code())?;
        let claims = token.claims().map_err(|refusal| refusal.code())?;
        if let Err(refusal) = signed(&token, issuer) {
            // It may be signed with a key that was published since.
            if !issuer.published().ask() {
                return Err(refusal.map_or("keys_unavailable", |refusal| refusal.code()));
            }
            let until = wait.deadline.min(Instant::now() + patience);
            let settled = issuer.published().settled();
            // What there is then decides.
            let _ = wait.timer.timeout_at(until, settled).await;
            signed(&token, issuer)
                .map_err(|refusal| refusal.map_or("keys_unavailable", |refusal| refusal.code()))?;
        }
        self.agrees(&token, &claims, access_token, bound, now)?;
        Ok(claims)
    }

    /// Checks what a token says whose signature was checked.
    fn agrees(
        &self,
        token: &Token<'_>,
        claims: &Claims,
        access_token: Option<&str>,
        bound: &Bound<'_>,
        now: u64,
    ) -> Result<(), &'static str> {
        let rules = self.rules.check(token, claims, now);
        rules.map_err(|refusal| refusal.code())?;
        let several = claims
            .get("aud")
            .and_then(Value::as_array)
            .is_some_and(|all| all.len() > 1);
        match claims.get("azp") {
            // No. 4 and 5: among several audiences it says for which it was made.
            None if several => return Err("azp_missing"),
            Some(party) if party.as_str() != Some(&self.client) => return Err("azp_differs"),
            _ => {}
        }
        match bound {
            Bound::Nonce(nonce) => {
                let own = claims.text("nonce").unwrap_or_default();
                constant_time::verify_slices_are_equal(own.as_bytes(), nonce.as_bytes())
                    .map_err(|_| "nonce_differs")?;
            }
            Bound::Before(before) => {
                if claims.text("sub") != before.text("sub") {
                    return Err("subject_differs");
                }
                let nonce = claims.text("nonce");
                if nonce.is_some() && nonce != before.text("nonce") {
                    return Err("nonce_differs");
                }
            }
        }
        match (claims.text("at_hash"), access_token) {
            (Some(hash), Some(access)) if hash != half_hash(token.algorithm(), access) => {
                Err("at_hash_differs")
            }
            _ => Ok(()),
        }
    }
}

/// None for the refusal where there are no keys at all.
fn signed(token: &Token<'_>, issuer: &Issuer) -> Result<(), Option<Refusal>> {
    let keys = issuer.published().keys();
    let keys = keys.as_ref().ok_or(None)?;
    keys.verify(token).map(|_| ()).map_err(Some)
}

/// The left half of a token's hash, by the hash of the algorithm (§3.1.3.6). Ed25519 uses SHA-512
/// (RFC 8032 §5.1).
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let hash = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 | Algorithm::Hs256 => {
            &digest::SHA256
        }
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 | Algorithm::Hs384 => {
            &digest::SHA384
        }
        Algorithm::Rs512
        | Algorithm::Ps512
        | Algorithm::Es512
        | Algorithm::Hs512
        | Algorithm::EdDsa => &digest::SHA512,
    };
    let digest = digest::digest(hash, token.as_bytes());
    let all = digest.as_ref();
    let half = all.get(..all.len() / 2).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half)
}
