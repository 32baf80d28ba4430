//! A signed request, and whether a secret key signed it.

use aws_lc_rs::{digest, hmac};
use http::header;

use super::{
    canonical,
    hex::{hex, unhex},
    time,
};
use crate::{Malformed, Message};

/// The word before the credentials.
pub const SCHEME: &str = "AWS4-HMAC-SHA256";
/// The longest that a presigned URL is valid, in seconds: a week.
pub const LONGEST: u64 = 7 * 86_400;

/// A signed request, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The id of the key.
    pub key_id: Box<str>,
    /// When it was signed, in seconds since 1970.
    pub signed_at: u64,
    /// How long a presigned URL is valid, in seconds; `None` for signatures in `Authorization`.
    pub lifetime: Option<u64>,
    /// The region in its scope.
    pub region: Box<str>,
    /// The service in its scope.
    pub service: Box<str>,
    /// What it says of its payload.
    pub payload: Payload,
    date: Box<str>,
    pub(super) signed_headers: Vec<Box<str>>,
    signature: [u8; 32],
}

/// What a signature says of the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// It has this SHA-256, in lower-case hex: `x-amz-content-sha256`.
    Hash(Box<str>),
    /// Its SHA-256 is signed and not told: the payload has to be hashed first.
    Untold,
    /// Nothing.
    Unsigned,
}

/// The parameter of a presigned URL that must not be seen by others.
pub const SIGNATURE: &str = "X-Amz-Signature";
/// The parameters of a presigned URL.
pub const PARAMETERS: [&str; 7] = [
    SIGNATURE,
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Security-Token",
];

/// SHA-256 of nothing, in hex.
pub const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

impl Request {
    /// Reads the signature of a request; `None` if it has none. `presigned` says whether one in the
    /// query counts.
    ///
    /// # Errors
    /// It is malformed, or leaves out what must be signed: `host` and every `x-amz-…` that is there.
    pub fn of(message: &Message<'_>, presigned: bool) -> Result<Option<Self>, Malformed> {
        let mut all = message.headers.get_all(header::AUTHORIZATION).iter();
        let credentials = match (all.next(), all.next()) {
            (None, _) => None,
            (Some(_), Some(_)) => return Err(Malformed("there are two `Authorization`")),
            (Some(value), None) => value
                .to_str()
                .ok()
                .and_then(|text| text.strip_prefix(SCHEME))
                .filter(|rest| rest.starts_with(' ')),
        };
        let in_query = presigned && canonical::parameter(message, SIGNATURE).is_some();
        match (credentials, in_query) {
            (Some(_), true) => Err(Malformed("it is signed twice")),
            (Some(credentials), false) => Self::in_header(message, credentials).map(Some),
            (None, true) => Self::in_query(message).map(Some),
            (None, false) => Ok(None),
        }
    }

    fn in_header(message: &Message<'_>, credentials: &str) -> Result<Self, Malformed> {
        let (mut scope, mut headers, mut signature) = (None, None, None);
        for part in credentials.split(',') {
            let (name, value) = part
                .trim()
                .split_once('=')
                .ok_or(Malformed("a part of the credentials has no `=`"))?;
            let place = match name {
                "Credential" => &mut scope,
                "SignedHeaders" => &mut headers,
                "Signature" => &mut signature,
                _ => return Err(Malformed("a part of the credentials is not known")),
            };
            if place.replace(value).is_some() {
                return Err(Malformed("a part of the credentials stands there twice"));
            }
        }
        let (Some(scope), Some(headers), Some(signature)) = (scope, headers, signature) else {
            return Err(Malformed("a part of the credentials is missing"));
        };
        let date = single(message, "x-amz-date")?.ok_or(Malformed("there is no `X-Amz-Date`"))?;
        let payload = match single(message, "x-amz-content-sha256")? {
            None => Payload::Untold,
            Some("UNSIGNED-PAYLOAD") => Payload::Unsigned,
            Some(text) if text.starts_with("STREAMING-") => {
                return Err(Malformed(
                    "payloads that are signed by chunks are not taken",
                ));
            }
            Some(text) if unhex(text).is_some() => Payload::Hash(text.into()),
            Some(_) => return Err(Malformed("`X-Amz-Content-Sha256` is no SHA-256")),
        };
        let request = Self::new(scope, headers, signature, date, None, payload)?;
        request.check_headers(message)?;
        if !request
            .signed_headers
            .iter()
            .any(|name| **name == *"x-amz-date")
        {
            return Err(Malformed("`X-Amz-Date` is not signed"));
        }
        Ok(request)
    }

    fn in_query(message: &Message<'_>) -> Result<Self, Malformed> {
        let missing =
            Malformed("a parameter of the presigned URL is missing or stands there twice");
        let read = |name: &str| canonical::parameter(message, name).flatten().ok_or(missing);
        if read("X-Amz-Algorithm")? != SCHEME {
            return Err(Malformed("its algorithm is another"));
        }
        let lifetime: u64 = read("X-Amz-Expires")?
            .parse()
            .ok()
            .filter(|seconds| (1..=LONGEST).contains(seconds))
            .ok_or(Malformed(
                "`X-Amz-Expires` is no time from a second to a week",
            ))?;
        let scope = read("X-Amz-Credential")?;
        let (headers, signature) = (read("X-Amz-SignedHeaders")?, read(SIGNATURE)?);
        let date = read("X-Amz-Date")?;
        let s3 = scope.split('/').nth(3) == Some("s3");
        let payload = if s3 {
            Payload::Unsigned
        } else {
            Payload::Untold
        };
        let request = Self::new(&scope, &headers, &signature, &date, Some(lifetime), payload)?;
        request.check_headers(message)?;
        Ok(request)
    }

    fn new(
        scope: &str,
        headers: &str,
        signature: &str,
        date: &str,
        lifetime: Option<u64>,
        payload: Payload,
    ) -> Result<Self, Malformed> {
        let mut parts = scope.split('/');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let scope = (part(), part(), part(), part(), part(), part());
        let (Some(key_id), Some(day), Some(region), Some(service), Some("aws4_request"), None) =
            scope
        else {
            return Err(Malformed(
                "the scope is not KEY/DAY/REGION/SERVICE/aws4_request",
            ));
        };
        let signed_at =
            time::seconds(date).ok_or(Malformed("its time is not as in 20150830T123600Z"))?;
        if date.get(..8) != Some(day) {
            return Err(Malformed("the day of its scope is not that of its time"));
        }
        let signed_headers: Vec<Box<str>> = headers.split(';').map(Box::from).collect();
        let rising = signed_headers.is_sorted_by(|one, next| one < next);
        let lower =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| !byte.is_ascii_uppercase());
        if !rising || !signed_headers.iter().all(|name| lower(name)) {
            return Err(Malformed(
                "signed headers are sorted, in lower case, each once",
            ));
        }
        Ok(Self {
            key_id: key_id.into(),
            signed_at,
            lifetime,
            region: region.into(),
            service: service.into(),
            payload,
            date: date.into(),
            signed_headers,
            signature: unhex(signature).ok_or(Malformed("its signature is no lower-case hex"))?,
        })
    }

    /// What could be changed unnoticed otherwise.
    fn check_headers(&self, message: &Message<'_>) -> Result<(), Malformed> {
        let signed = |name: &str| self.signed_headers.iter().any(|own| **own == *name);
        if !signed("host") {
            return Err(Malformed("`Host` is not signed"));
        }
        let mut own = message.headers.keys().map(http::HeaderName::as_str);
        if own.any(|name| name.starts_with("x-amz-") && !signed(name)) {
            return Err(Malformed("an `X-Amz-…` is not signed"));
        }
        Ok(())
    }

    /// Whether a secret key signed it. `hash` is the payload's SHA-256 in hex, where the signature does
    /// not tell it.
    pub fn is_signed_by(&self, secret: &str, message: &Message<'_>, hash: &str) -> bool {
        let payload = match &self.payload {
            Payload::Hash(hash) => hash,
            Payload::Untold => hash,
            Payload::Unsigned => "UNSIGNED-PAYLOAD",
        };
        let Some(canonical) = canonical::request(self, message, payload) else {
            return false;
        };
        let day = self.date.get(..8).unwrap_or_default();
        let to_sign = format!(
            "{SCHEME}\n{}\n{day}/{}/{}/aws4_request\n{}",
            self.date,
            self.region,
            self.service,
            hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
        );
        let mut key = mac(format!("AWS4{secret}").as_bytes(), day.as_bytes());
        for part in [&self.region, &self.service, "aws4_request"] {
            key = mac(key.as_ref(), part.as_bytes());
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
        hmac::verify(&key, to_sign.as_bytes(), &self.signature).is_ok()
    }

    /// Whether the payload is what the signature tells of it, if it tells anything. `hash` is the
    /// payload's SHA-256 in hex.
    pub fn is_payload(&self, hash: &str) -> bool {
        match &self.payload {
            Payload::Hash(own) => **own == *hash,
            Payload::Untold | Payload::Unsigned => true,
        }
    }
}

fn mac(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

/// The one field of a name.
fn single<'a>(message: &Message<'a>, name: &str) -> Result<Option<&'a str>, Malformed> {
    let mut all = message.headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(|text| Some(text.trim()))
            .map_err(|_| Malformed("an `X-Amz-…` is no text")),
        _ => Err(Malformed("an `X-Amz-…` stands there twice")),
    }
}
