//! What operators say of issuers, wherever they name one.

use std::{path::PathBuf, time::Duration as StdDuration};

use lintel_jose::Algorithm;
use lintel_kernel::{Duration, Fault, config};

use super::source::Terms;
use crate::Context;

/// How keys are fetched. They are refreshed ahead of the end of their age, and when a token names a
/// key that is not known. When the issuer does not answer, the last good keys stay in use.
#[config]
#[schemars(rename = "IssuerFetch")]
pub struct Fetch {
    /// A PEM file of the CAs that may vouch for the issuer's server, in place of the system's. Read
    /// at each refresh.
    #[serde(default)]
    #[schemars(with = "Option<String>", example = &"certs/ca.pem")]
    pub ca: Option<PathBuf>,

    /// Whether keys may come over plain `http:`, where anybody on the way can replace them. From
    /// loopback they always may.
    #[serde(default)]
    pub plaintext: bool,

    /// For one refresh, discovery included.
    #[serde(default = "timeout")]
    pub timeout: Duration,

    /// The shortest time between refreshes, however short-lived the issuer says that its keys are.
    #[serde(default = "min_age")]
    pub min_age: Duration,

    /// The longest time between refreshes, however long-lived the issuer says that its keys are
    /// (`Cache-Control: max-age`). Where it says nothing, ten minutes.
    #[serde(default = "max_age")]
    pub max_age: Duration,

    /// How long after a refresh a token with an unknown key may cause the next one. Made-up keys
    /// cause no more than this.
    #[serde(default = "cooldown")]
    pub cooldown: Duration,

    /// What becomes of a request whose token names an unknown key, while keys are being fetched.
    #[serde(default)]
    pub unknown_key: UnknownKey,

    /// How long such a request waits at most.
    #[serde(default = "wait")]
    pub wait: Duration,

    /// How long keys are used that can't be refreshed. After that requests are refused with 503.
    /// Without it the last good keys are used for as long as the issuer is away, so that its outage
    /// is not yours.
    #[serde(default)]
    #[schemars(example = &"24h")]
    pub max_stale: Option<Duration>,
}

/// What becomes of a request whose token names an unknown key.
#[config]
#[derive(Copy, Default, PartialEq, Eq)]
#[schemars(rename = "IssuerUnknownKey")]
pub enum UnknownKey {
    /// It waits until keys are fetched.
    #[default]
    Wait,
    /// It is refused; keys are fetched for the next.
    Refuse,
}

const fn timeout() -> Duration {
    Duration::from_secs(5)
}

const fn min_age() -> Duration {
    Duration::from_secs(60)
}

const fn max_age() -> Duration {
    Duration::from_secs(3600)
}

const fn cooldown() -> Duration {
    Duration::from_secs(30)
}

const fn wait() -> Duration {
    Duration::from_secs(2)
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            ca: None,
            plaintext: false,
            timeout: timeout(),
            min_age: min_age(),
            max_age: max_age(),
            cooldown: cooldown(),
            unknown_key: UnknownKey::default(),
            wait: wait(),
            max_stale: None,
        }
    }
}

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[schemars(rename = "TokenAlgorithm")]
#[allow(missing_docs)] // the names are those of RFC 7518 and RFC 8037
pub enum AlgorithmName {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    #[allow(clippy::upper_case_acronyms)]
    EdDSA,
    HS256,
    HS384,
    HS512,
}

impl AlgorithmName {
    /// What is accepted where nothing is said: public keys alone.
    pub(crate) const USUAL: [Algorithm; 4] = [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::EdDsa,
    ];
}

impl From<AlgorithmName> for Algorithm {
    fn from(name: AlgorithmName) -> Self {
        match name {
            AlgorithmName::RS256 => Self::Rs256,
            AlgorithmName::RS384 => Self::Rs384,
            AlgorithmName::RS512 => Self::Rs512,
            AlgorithmName::PS256 => Self::Ps256,
            AlgorithmName::PS384 => Self::Ps384,
            AlgorithmName::PS512 => Self::Ps512,
            AlgorithmName::ES256 => Self::Es256,
            AlgorithmName::ES384 => Self::Es384,
            AlgorithmName::ES512 => Self::Es512,
            AlgorithmName::EdDSA => Self::EdDsa,
            AlgorithmName::HS256 => Self::Hs256,
            AlgorithmName::HS384 => Self::Hs384,
            AlgorithmName::HS512 => Self::Hs512,
        }
    }
}

impl Fetch {
    /// How long a request waits for keys that are on their way; zero if it does not.
    pub(crate) const fn patience(&self) -> StdDuration {
        match self.unknown_key {
            UnknownKey::Wait => self.wait.to_std(),
            UnknownKey::Refuse => StdDuration::ZERO,
        }
    }

    /// The file of certificates that vouch for the server.
    pub(crate) fn ca(&self, context: &Context) -> Option<PathBuf> {
        self.ca.as_ref().map(|ca| context.folder.join(ca))
    }

    /// How, and how often.
    ///
    /// # Errors
    /// Times that contradict each other, or a file that is not there.
    pub(crate) fn terms(&self, context: &Context) -> Result<Terms, Fault> {
        let positive = |key: &'static str, time: Duration| {
            if time.to_std().is_zero() {
                return Err(Fault::new(format!("`{key}` can't be zero")).under(key));
            }
            Ok(time.to_std())
        };
        let (min_age, max_age) = (positive("min_age", self.min_age)?, self.max_age.to_std());
        if min_age > max_age {
            return Err(Fault::new("`min_age` is longer than `max_age`").under("min_age"));
        }
        let ca = self.ca(context);
        if let Some(ca) = ca.as_ref().filter(|ca| !context.dry && !ca.is_file()) {
            let fault = Fault::new(format!("there is no file `{}`", ca.display()));
            return Err(fault.under("ca"));
        }
        Ok(Terms {
            ca,
            plaintext: self.plaintext,
            timeout: positive("timeout", self.timeout)?,
            min_age,
            max_age,
            cooldown: positive("cooldown", self.cooldown)?,
            max_stale: self.max_stale.map(Duration::to_std),
        })
    }
}
