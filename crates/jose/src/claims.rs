//! What a token says, and what it must say.

use std::{fmt, time::Duration};

use serde_json::{Map, Value};

use crate::{Refusal, Token, json::object};

/// The claims of a token.
#[derive(Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

/// What the claims of a token must say (RFC 7519 §4.1). What is empty or absent is not looked at,
/// but `exp` and `nbf` are always.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// Accepted issuers (`iss`).
    pub issuers: Vec<String>,
    /// Accepted audiences; one of them must be in `aud`.
    pub audiences: Vec<String>,
    /// The `typ` of the header, such as `at+jwt` (RFC 9068 §4). Compared without regard to case
    /// and to a leading `application/` (RFC 7515 §4.1.9).
    pub kind: Option<String>,
    /// Claims that must be there and not be null.
    pub required: Vec<String>,
    /// How far clocks may disagree.
    pub leeway: Duration,
    /// The longest time from `iat` to `exp`; both are then needed.
    pub max_lifetime: Option<Duration>,
    /// Whether a token without `exp` is believed for ever.
    pub allow_eternal: bool,
}

impl Rules {
    /// Checks the claims of a token whose signature was checked, at a time in seconds since 1970.
    /// The answer is when it ends to be valid, leeway included.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(
        &self,
        token: &Token<'_>,
        claims: &Claims,
        now: u64,
    ) -> Result<Option<u64>, Refusal> {
        let expected = self.kind.as_deref();
        if expected.is_some_and(|kind| !token.kind().is_some_and(|own| same_kind(own, kind))) {
            return Err(Refusal::Type);
        }
        self.check_claims(claims, now)
    }

    /// Checks claims that stand for themselves, such as those that an issuer vouches for when it is
    /// asked (RFC 7662): all rules but the one about the type.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check_claims(&self, claims: &Claims, now: u64) -> Result<Option<u64>, Refusal> {
        if !self.issuers.is_empty()
            && !claims
                .text("iss")
                .is_some_and(|own| listed(&self.issuers, own))
        {
            return Err(Refusal::Issuer);
        }
        if !self.audiences.is_empty() && !claims.audiences().any(|own| listed(&self.audiences, own))
        {
            return Err(Refusal::Audience);
        }
        let missing = |name: &&String| claims.get(name).is_none_or(Value::is_null);
        if let Some(name) = self.required.iter().find(missing) {
            return Err(Refusal::Missing(name.clone()));
        }
        self.check_times(claims, now)
    }

    fn check_times(&self, claims: &Claims, now: u64) -> Result<Option<u64>, Refusal> {
        let leeway = self.leeway.as_secs();
        let (expires, issued) = (claims.time("exp")?, claims.time("iat")?);
        let later = |time: Option<u64>| time.is_some_and(|time| time > now.saturating_add(leeway));
        if later(claims.time("nbf")?) || later(issued) {
            return Err(Refusal::NotYetValid);
        }
        let Some(expires) = expires else {
            return match (self.allow_eternal, self.max_lifetime) {
                (true, None) => Ok(None),
                _ => Err(Refusal::Missing("exp".to_owned())),
            };
        };
        let until = expires.saturating_add(leeway);
        // "On or after which the JWT MUST NOT be accepted" (RFC 7519 §4.1.4).
        if now >= until {
            return Err(Refusal::Expired);
        }
        if let Some(longest) = self.max_lifetime {
            let issued = issued.ok_or_else(|| Refusal::Missing("iat".to_owned()))?;
            if expires.saturating_sub(issued) > longest.as_secs() {
                return Err(Refusal::Lifetime);
            }
        }
        Ok(Some(until))
    }
}

impl Claims {
    pub(crate) const fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// Claims that are not part of a token. No name may stand twice.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        let map = object(json).map_err(|_| Refusal::Malformed("its claims are no JSON object"))?;
        Ok(Self(map))
    }

    /// One of them. Names are exact: `a.b` is a claim of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// One that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// All of them.
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// All of them, to be kept.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// `aud`: one text or a list of them (RFC 7519 §4.1.3).
    fn audiences(&self) -> impl Iterator<Item = &str> {
        let aud = self.get("aud");
        let one = aud.and_then(Value::as_str);
        let many = aud.and_then(Value::as_array).into_iter().flatten();
        one.into_iter().chain(many.filter_map(Value::as_str))
    }

    /// A NumericDate in whole seconds (RFC 7519 §2). It may have a fraction, which is cut off.
    fn time(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number,
            Some(_) => return Err(Refusal::Malformed("a time among its claims is no number")),
        };
        let seconds = number.as_u64().or_else(|| {
            let seconds = number.as_f64()?.trunc();
            // Beyond 2^53 a float is no count of seconds any more.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range was checked"
            )]
            (0.0..9_007_199_254_740_992.0)
                .contains(&seconds)
                .then_some(seconds as u64)
        });
        seconds.map(Some).ok_or(Refusal::Malformed(
            "a time among its claims is out of range",
        ))
    }
}

fn listed(all: &[String], one: &str) -> bool {
    all.iter().any(|each| each == one)
}

fn same_kind(own: &str, wanted: &str) -> bool {
    let bare = |kind: &str| {
        let kind = kind.to_ascii_lowercase();
        kind.strip_prefix("application/")
            .map(str::to_owned)
            .unwrap_or(kind)
    };
    bare(own) == bare(wanted)
}

impl fmt::Debug for Claims {
    /// Names only: values are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
