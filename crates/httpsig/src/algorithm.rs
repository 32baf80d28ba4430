//! Signature algorithms (RFC 9421 §3.3 and its registry).

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256 (§3.3.3).
    HmacSha256,
    /// RSASSA-PSS with SHA-512 (§3.3.1).
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (§3.3.2).
    RsaV15Sha256,
    /// ECDSA on P-256 with SHA-256 (§3.3.4).
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384 (§3.3.5).
    EcdsaP384Sha384,
    /// Ed25519 (§3.3.6).
    Ed25519,
}

impl Algorithm {
    /// The name in `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The same as keys know it: parameters and forms of signatures are those of RFC 7518.
    pub const fn jose(self) -> lintel_jose::Algorithm {
        use lintel_jose::Algorithm as Jose;
        match self {
            Self::HmacSha256 => Jose::Hs256,
            Self::RsaPssSha512 => Jose::Ps512,
            Self::RsaV15Sha256 => Jose::Rs256,
            Self::EcdsaP256Sha256 => Jose::Es256,
            Self::EcdsaP384Sha384 => Jose::Es384,
            Self::Ed25519 => Jose::EdDsa,
        }
    }
}
