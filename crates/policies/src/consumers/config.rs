use lintel_kernel::{Secret, config};

use crate::{quota, rate_limit::LimitConfig};

/// Somebody who calls the API: a partner, an application, a service.
#[config]
#[derive(Default)]
#[schemars(rename = "Consumer")]
pub struct ConsumerConfig {
    /// The plan it is on: the name of one in `plans`.
    #[serde(default)]
    #[schemars(example = &"gold")]
    pub plan: Option<String>,

    /// Groups it is in; `authorize` may demand one.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true), example = ["partners"])]
    pub groups: Vec<String>,

    /// Its API keys, for the policy `api_key`. Two at a time make it possible to change them without
    /// a gap.
    #[serde(default)]
    pub api_keys: Vec<KeyConfig>,

    /// Keys that it signs requests with, for the policy `hmac`.
    #[serde(default)]
    pub signing_keys: Vec<SigningKeyConfig>,

    /// Its names and passwords, for the policy `basic_auth`.
    #[serde(default)]
    pub basic: Vec<BasicConfig>,

    /// What its certificates say, for the policy `mtls`.
    #[serde(default)]
    pub certificates: Vec<CertificateConfig>,

    /// Which signed tokens speak for it, where the policy `jwt` names a `consumer_claim`. Without
    /// it, tokens in which that claim is the consumer's own name.
    #[serde(default)]
    pub jwt: Option<TokenConfig>,

    /// Its own limits, all routes together. They hold beside those of its plan, of the route and of
    /// the defaults.
    #[serde(default)]
    pub rate_limit: Vec<LimitConfig>,

    /// Its own quotas, all routes together. They hold beside those of its plan, of the route and of
    /// the defaults.
    #[serde(default)]
    pub quota: Option<quota::Config>,
}

/// An API key, of which only a hash is kept: `sha256` or `argon2`.
#[config]
#[derive(Default)]
#[schemars(rename = "ApiKeyHash")]
pub struct KeyConfig {
    /// What the log calls it. Default: the first eight digits of `sha256`, or the `prefix`.
    #[serde(default)]
    #[schemars(example = &"acme-2026")]
    pub id: Option<String>,

    /// The SHA-256 of the key in hexadecimal digits, as `lintel keys new` prints it. Only for keys
    /// that are long and random: others are found by trying.
    #[serde(default)]
    #[schemars(example = &"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub sha256: Option<String>,

    /// The argon2 or bcrypt hash of a key that was made elsewhere, as `lintel keys hash` prints it.
    /// Needs `prefix`.
    #[serde(default)]
    pub argon2: Option<Secret>,

    /// What the key begins with, 4 characters or more, by which its hash is found. It is not secret.
    #[serde(default)]
    #[schemars(example = &"pk_live_a1b2")]
    pub prefix: Option<String>,

    /// When it ends to be valid: a time as in `2027-01-31T12:00:00Z`, or a day, which it ends before
    /// (UTC).
    #[serde(default)]
    #[schemars(example = &"2027-01-31")]
    pub expires: Option<String>,

    /// What its bearer may do; `authorize` may demand it.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true), example = ["orders:read"])]
    pub scopes: Vec<String>,
}

/// A key that signs requests.
#[config]
#[schemars(rename = "SigningKey")]
pub struct SigningKeyConfig {
    /// What callers name it by: `keyid`, or the access key id of AWS. It is not secret, and the log
    /// shows it.
    #[schemars(example = &"acme-2026")]
    pub id: String,

    /// The one algorithm that it is for.
    pub algorithm: SigningAlgorithm,

    /// The secret, as it is: for `hmac-sha256` at least 32 bytes, for `aws4-hmac-sha256` the secret
    /// access key. It is needed itself to check a signature, so no hash of it will do.
    #[serde(default)]
    #[schemars(example = &"${env.ACME_SECRET}")]
    pub secret: Option<Secret>,

    /// Whether `secret` is base64 of what is meant, for secrets that are no text.
    #[serde(default)]
    pub base64: bool,

    /// The public key in PEM form (`-----BEGIN PUBLIC KEY-----`), for the other algorithms.
    #[serde(default)]
    #[schemars(example = &"${file.acme.pem}")]
    pub public_key: Option<String>,

    /// When it ends to be valid: a time as in `2027-01-31T12:00:00Z`, or a day, which it ends before
    /// (UTC).
    #[serde(default)]
    #[schemars(example = &"2027-01-31")]
    pub expires: Option<String>,

    /// What its bearer may do; `authorize` may demand it.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true), example = ["orders:read"])]
    pub scopes: Vec<String>,
}

/// An algorithm that requests are signed with (RFC 9421 §3.3, or Signature Version 4 of AWS).
#[config]
#[derive(Copy)]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "rsa-pss-sha512")]
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaV15Sha256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ecdsa-p384-sha384")]
    EcdsaP384Sha384,
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// Signature Version 4 of AWS.
    #[serde(rename = "aws4-hmac-sha256")]
    Aws4HmacSha256,
}

/// A name and the hash of its password.
#[config]
#[schemars(rename = "BasicCredentials")]
pub struct BasicConfig {
    /// The user name. Default: the consumer's own name.
    #[serde(default)]
    pub username: Option<String>,

    /// The argon2 or bcrypt hash of the password, as `lintel keys hash` or `htpasswd -nB` prints it.
    #[schemars(example = &"$2y$10$…")]
    pub hash: Secret,
}

/// What a certificate says. Exactly one of the keys.
#[config]
#[schemars(rename = "ConsumerCertificate")]
pub enum CertificateConfig {
    /// The SHA-256 of the certificate in hexadecimal digits, with or without colons.
    Fingerprint(String),
    /// A URI among its subject alternative names, such as `spiffe://example.com/billing`.
    Uri(String),
    /// A host name among its subject alternative names. No wildcards.
    Dns(String),
    /// An e-mail address among its subject alternative names.
    Email(String),
    /// The distinguished name of its subject as a whole, such as `C=DE, O=Example, CN=billing`.
    Subject(String),
    /// The common name of its subject.
    CommonName(String),
}

/// The tokens that speak for a consumer.
#[config]
#[schemars(rename = "ConsumerTokens")]
pub struct TokenConfig {
    /// Values of the claim that names the consumer, one of which the token must have.
    #[schemars(length(min = 1), extend("uniqueItems" = true), example = ["partner-7"])]
    pub subjects: Vec<String>,

    /// The issuer (`iss`) that the tokens must have. Default: any that the policy trusts.
    #[serde(default)]
    #[schemars(example = &"https://auth.example.com/")]
    pub issuer: Option<String>,
}
