//! Why a token is not believed.

use std::fmt;

use crate::Algorithm;

/// Why a token is not believed. For the operator's log: a client is told that its token is
/// invalid, and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Longer than [`MAX_TOKEN`](crate::MAX_TOKEN).
    TooLarge,
    /// Not three parts of base64url, or a part is not what it must be.
    Malformed(&'static str),
    /// `alg` is unknown, `none`, or not one that the keys are for.
    Algorithm,
    /// `crit` names extensions, and none is understood here (RFC 7515 §4.1.11).
    Critical,
    /// `typ` is not the one that is expected.
    Type,
    /// No key has the `kid`.
    UnknownKey,
    /// The signature is not of any key that fits.
    Signature(Algorithm),
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` is still to come.
    NotYetValid,
    /// `iss` is not an accepted one.
    Issuer,
    /// `aud` does not name this audience.
    Audience,
    /// A claim that must be there is missing.
    Missing(String),
    /// `exp` lies further behind `iat` than is allowed.
    Lifetime,
}

impl Refusal {
    /// A stable word for logs and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed(_) => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::Critical => "token_critical_extension",
            Self::Type => "token_type",
            Self::UnknownKey => "token_unknown_key",
            Self::Signature(_) => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::Missing(_) => "token_missing_claim",
            Self::Lifetime => "token_lifetime",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("the token is too long"),
            Self::Malformed(why) => f.write_str(why),
            Self::Algorithm => f.write_str("its algorithm is not accepted"),
            Self::Critical => f.write_str("it has critical extensions that are not understood"),
            Self::Type => f.write_str("it is a token of another type"),
            Self::UnknownKey => f.write_str("it names a key that the issuer does not publish"),
            Self::Signature(algorithm) => write!(f, "its {algorithm} signature is wrong"),
            Self::Expired => f.write_str("it has expired"),
            Self::NotYetValid => f.write_str("it is not valid yet"),
            Self::Issuer => f.write_str("it is of another issuer"),
            Self::Audience => f.write_str("it is for another audience"),
            Self::Missing(claim) => write!(f, "it has no claim `{claim}`"),
            Self::Lifetime => f.write_str("it is valid for longer than allowed"),
        }
    }
}
