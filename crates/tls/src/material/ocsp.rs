//! OCSP responses for stapling (RFC 6960 §4.2, RFC 6066 §8).

use std::path::Path;
use std::time::{Duration, SystemTime};

use x509_parser::asn1_rs::{Any, Class, FromDer, GeneralizedTime, Oid, Sequence, Tag};
use x509_parser::der_parser::oid;
use x509_parser::prelude::X509Certificate;

use super::Loader;
use crate::error::{TlsError, TlsWarningKind};

/// The response as it is to be stapled, or none if it would do harm: an expired or unsuccessful
/// one makes clients fail that would have been content without.
pub(crate) fn staple(
    loader: &mut Loader<'_>,
    path: &Path,
    response: &[u8],
    leaf: &X509Certificate<'_>,
) -> Option<Vec<u8>> {
    let singles = loader.keep(parse(path, response))?;
    let Some(single) = singles
        .iter()
        .find(|single| single.serial == leaf.raw_serial())
    else {
        loader.errors.push(TlsError::of_file(
            path,
            "the OCSP response is for another certificate",
            "fetch the response for this certificate: openssl ocsp -issuer CA -cert CERT -url URL \
             -respout FILE",
        ));
        return None;
    };
    if single.status != Status::Good {
        loader.warn(
            TlsWarningKind::Staple,
            path,
            match single.status {
                Status::Revoked => "the OCSP response says that the certificate is revoked",
                _ => "the OCSP response says that the CA does not know the certificate",
            },
            "replace the certificate",
        );
    }
    if let Some(next_update) = single.next_update {
        if next_update <= loader.now {
            loader.warn(
                TlsWarningKind::Staple,
                path,
                "the OCSP response is past its time and is not stapled",
                "fetch a new one from the CA",
            );
            return None;
        }
        loader.changes_at(next_update);
    }
    Some(response.to_vec())
}

/// `SingleResponse`, as far as it matters here.
struct Single<'a> {
    serial: &'a [u8],
    status: Status,
    next_update: Option<SystemTime>,
}

#[derive(PartialEq, Eq)]
enum Status {
    Good,
    Revoked,
    Unknown,
}

fn parse<'a>(path: &Path, der: &'a [u8]) -> Result<Vec<Single<'a>>, TlsError> {
    let refused = |problem: &str| {
        TlsError::of_file(
            path,
            problem,
            "write the response in DER: openssl ocsp … -respout FILE",
        )
    };
    if der.starts_with(b"-----BEGIN") {
        return Err(refused("the OCSP response is PEM, not DER"));
    }
    let (status, basic) =
        basic_response(der).ok_or_else(|| refused("the file is no OCSP response"))?;
    if status != 0 {
        return Err(refused(&format!(
            "the OCSP responder answered with an error (responseStatus {status})"
        )));
    }
    basic
        .and_then(responses)
        .ok_or_else(|| refused("the OCSP response cannot be parsed"))
}

/// `OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, responseBytes [0] SEQUENCE { OID, OCTET
/// STRING } OPTIONAL }`: the status, and the octets if they are a BasicOCSPResponse.
fn basic_response(der: &[u8]) -> Option<(u8, Option<&[u8]>)> {
    let (rest, outer) = Any::from_der(der).ok()?;
    if !rest.is_empty() || outer.tag() != Tag::Sequence {
        return None;
    }
    let (rest, status) = Any::from_der(outer.data).ok()?;
    let ([code], Tag::Enumerated) = (status.data, status.tag()) else {
        return None;
    };
    let basic = || {
        let (_, explicit) = Any::from_der(rest).ok()?;
        let (_, bytes) = Any::from_der(explicit.data).ok()?;
        let (rest, kind) = Oid::from_der(bytes.data).ok()?;
        let (_, octets) = Any::from_der(rest).ok()?;
        (kind == oid!(1.3.6.1.5.5.7.48.1.1)).then_some(octets.data)
    };
    Some((*code, basic()))
}

/// `BasicOCSPResponse ::= SEQUENCE { tbsResponseData SEQUENCE { version [0] OPTIONAL, responderID,
/// producedAt, responses SEQUENCE OF SingleResponse, … }, … }`.
fn responses(basic: &[u8]) -> Option<Vec<Single<'_>>> {
    let (_, outer) = Any::from_der(basic).ok()?;
    let (_, data) = Any::from_der(outer.data).ok()?;
    let (mut rest, mut field) = Any::from_der(data.data).ok()?;
    // The version and the responder id are both context-specific; `producedAt` ends them.
    while field.class() == Class::ContextSpecific {
        (rest, field) = Any::from_der(rest).ok()?;
    }
    let (_, list) = Any::from_der(rest).ok()?;
    let mut rest = list.data;
    let mut singles = Vec::new();
    while !rest.is_empty() {
        let (next, single) = Any::from_der(rest).ok()?;
        singles.push(self::single(single.data)?);
        rest = next;
    }
    Some(singles)
}

/// `SingleResponse ::= SEQUENCE { certID, certStatus, thisUpdate, nextUpdate [0] OPTIONAL, … }`.
fn single(content: &[u8]) -> Option<Single<'_>> {
    let (rest, id) = Any::from_der(content).ok()?;
    let (rest, status) = Any::from_der(rest).ok()?;
    let (rest, _this_update) = Any::from_der(rest).ok()?;
    // `CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber }`.
    let (fields, _algorithm) = Sequence::from_der(id.data).ok()?;
    let (fields, _name) = Any::from_der(fields).ok()?;
    let (fields, _key) = Any::from_der(fields).ok()?;
    let (_, serial) = Any::from_der(fields).ok()?;
    let next_update = Any::from_der(rest)
        .ok()
        .filter(|(_, field)| field.class() == Class::ContextSpecific && field.tag() == Tag(0))
        .and_then(|(_, field)| GeneralizedTime::from_der(field.data).ok())
        .and_then(|(_, time)| u64::try_from(time.utc_datetime().ok()?.unix_timestamp()).ok())
        .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    Some(Single {
        serial: serial.data,
        status: match status.tag() {
            Tag(0) => Status::Good,
            Tag(1) => Status::Revoked,
            _ => Status::Unknown,
        },
        next_update,
    })
}
