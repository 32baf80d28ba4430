//! Says why a private key is of no use.

use std::path::Path;

use rustls_pki_types::PrivateKeyDer;
use x509_parser::asn1_rs::{Any, FromDer, Oid, Sequence};
use x509_parser::der_parser::oid;

use crate::error::TlsError;

/// The error for a key that the crypto library does not take.
pub(crate) fn unsupported(path: &Path, key: &PrivateKeyDer<'_>) -> TlsError {
    let (problem, help) = match algorithm(key) {
        Some(Algorithm::Rsa { bits: Some(bits) }) if bits < 2048 => (
            format!("the RSA key has {bits} bits, and at least 2048 are needed"),
            "have the certificate issued for a new key: openssl ecparam -name prime256v1 -genkey",
        ),
        Some(Algorithm::Rsa { .. }) => (
            "the RSA key is malformed or of an unusual size (2048 to 8192 bits work)".to_owned(),
            "check it: openssl pkey -check -noout -in FILE",
        ),
        Some(Algorithm::Curve(curve)) => (
            format!("the key is on the elliptic curve {curve}, which is not used in TLS here"),
            "have the certificate issued for a key on P-256: openssl ecparam -name prime256v1 \
             -genkey (P-384, P-521 and Ed25519 work too)",
        ),
        Some(Algorithm::Other(name)) => (
            format!("the key is of the type {name}, which is not used in TLS here"),
            "have the certificate issued for an ECDSA (P-256, P-384, P-521), Ed25519 or RSA key",
        ),
        None => (
            "the private key is malformed".to_owned(),
            "check it: openssl pkey -check -noout -in FILE",
        ),
    };
    TlsError::of_file(path, problem, help)
}

enum Algorithm {
    Rsa { bits: Option<usize> },
    Curve(String),
    Other(String),
}

fn algorithm(key: &PrivateKeyDer<'_>) -> Option<Algorithm> {
    match key {
        PrivateKeyDer::Pkcs1(key) => Some(Algorithm::Rsa {
            bits: rsa_bits(key.secret_pkcs1_der()),
        }),
        PrivateKeyDer::Sec1(key) => sec1_curve(key.secret_sec1_der()),
        PrivateKeyDer::Pkcs8(key) => pkcs8(key.secret_pkcs8_der()),
        _ => None,
    }
}

/// `RSAPrivateKey ::= SEQUENCE { version, modulus, … }` (RFC 8017 A.1.2).
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let (_, sequence) = Sequence::from_der(der).ok()?;
    let (rest, _version) = Any::from_der(&sequence.content).ok()?;
    let (_, modulus) = Any::from_der(rest).ok()?;
    let digits: Vec<&u8> = modulus.data.iter().skip_while(|byte| **byte == 0).collect();
    let top = digits.first()?;
    Some(digits.len() * 8 - top.leading_zeros() as usize)
}

/// `ECPrivateKey ::= SEQUENCE { version, privateKey, parameters [0] … }` (RFC 5915 §3).
fn sec1_curve(der: &[u8]) -> Option<Algorithm> {
    let (_, sequence) = Sequence::from_der(der).ok()?;
    let (rest, _version) = Any::from_der(&sequence.content).ok()?;
    let (rest, _key) = Any::from_der(rest).ok()?;
    let (_, parameters) = Any::from_der(rest).ok()?;
    let (_, curve) = Oid::from_der(parameters.data).ok()?;
    Some(Algorithm::Curve(curve_name(&curve)))
}

/// `PrivateKeyInfo ::= SEQUENCE { version, SEQUENCE { algorithm, parameters }, privateKey, … }`
/// (RFC 5958 §2).
fn pkcs8(der: &[u8]) -> Option<Algorithm> {
    let (_, info) = Sequence::from_der(der).ok()?;
    let (rest, _version) = Any::from_der(&info.content).ok()?;
    let (rest, identifier) = Sequence::from_der(rest).ok()?;
    let (_, key) = Any::from_der(rest).ok()?;
    let (parameters, algorithm) = Oid::from_der(&identifier.content).ok()?;
    if algorithm == oid!(1.2.840.113549.1.1.1) {
        return Some(Algorithm::Rsa {
            bits: rsa_bits(key.data),
        });
    }
    if algorithm == oid!(1.2.840.10045.2.1) {
        return Some(match Oid::from_der(parameters) {
            Ok((_, curve)) => Algorithm::Curve(curve_name(&curve)),
            Err(_) => Algorithm::Curve("given by explicit parameters".to_owned()),
        });
    }
    Some(Algorithm::Other(match algorithm.to_id_string().as_str() {
        "1.3.101.113" => "Ed448".to_owned(),
        "1.2.840.10040.4.1" => "DSA".to_owned(),
        "1.2.840.113549.1.1.10" => "RSASSA-PSS (restricted)".to_owned(),
        "1.3.101.110" | "1.3.101.111" => "X25519 or X448".to_owned(),
        other => other.to_owned(),
    }))
}

fn curve_name(curve: &Oid<'_>) -> String {
    let id = curve.to_id_string();
    match id.as_str() {
        "1.2.840.10045.3.1.7" => "P-256",
        "1.3.132.0.34" => "P-384",
        "1.3.132.0.35" => "P-521",
        "1.3.132.0.10" => "secp256k1",
        "1.3.132.0.33" => "P-224",
        "1.2.840.10045.3.1.1" => "P-192",
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1",
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1",
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1",
        "1.2.156.10197.1.301" => "SM2",
        other => other,
    }
    .to_owned()
}
