//! Any text as the signature of a request: no panic, and a base that says what it was made over.

use http::{HeaderMap, HeaderValue, Method, uri::PathAndQuery};
use lintel_httpsig::{Digests, Message, signatures, sigv4};

/// Lines: `Signature-Input`, `Signature`, the target, and a value for the other fields.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (input, signature, target, other) = (line(), line(), line(), line());
    let Ok(target) = target.parse::<PathAndQuery>() else {
        return;
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("signature-input", input),
        ("signature", signature),
        ("authorization", input),
        ("x-amz-date", "20150830T123600Z"),
        ("content-digest", other),
        ("x-field", other),
        ("x-field", "second"),
    ] {
        let Ok(value) = HeaderValue::from_str(value) else {
            return;
        };
        headers.append(name, value);
    }
    let message = Message {
        method: &Method::POST,
        secure: true,
        authority: "example.com",
        target: &target,
        headers: &headers,
    };
    for one in signatures(&message).unwrap_or_default() {
        let Ok(base) = one.base(&message) else {
            continue;
        };
        let (components, parameters) = base.rsplit_once('\n').unwrap_or(("", &base));
        assert!(parameters.starts_with("\"@signature-params\": ("), "{base}");
        assert!(components.lines().all(|line| line.starts_with('"')), "{base}");
        if one.covers("@method") {
            assert!(base.contains("\"@method\": POST\n"), "{base}");
        }
        if one.covers("@path") {
            assert!(base.contains(target.path()), "{base}");
        }
        assert_eq!(one.base(&message).as_deref(), Ok(base.as_str()));
    }
    if let Ok(digests) = Digests::of(&message) {
        let mut hashing = digests.hashing();
        hashing.update(other.as_bytes());
        // Nobody finds a text that holds its own digest.
        assert!(!hashing.is_right());
    }
    for presigned in [false, true] {
        if let Ok(Some(request)) = sigv4::Request::of(&message, presigned) {
            assert!(!request.is_signed_by("secret", &message, sigv4::EMPTY));
            assert!(request.lifetime.is_none_or(|seconds| seconds <= sigv4::LONGEST));
        }
    }
}
