//! Requests that AWS publishes as a test suite for signers (`aws-sig-v4-test-suite`), and what must
//! not pass.

use super::Owned;
use crate::{
    Malformed,
    sigv4::{EMPTY, Payload, Request},
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const HOST: &str = "example.amazonaws.com";
const DATE: &str = "20150830T123600Z";

fn authorization(headers: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={headers}, Signature={signature}"
    )
}

/// A request of the suite.
fn case(
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    headers: &str,
    signature: &str,
) -> Owned {
    let request = Owned::new(method, HOST, target, &[("X-Amz-Date", DATE)]);
    let request = fields
        .iter()
        .fold(request, |request, (name, value)| request.with(name, value));
    request.with("Authorization", &authorization(headers, signature))
}

fn verify(request: &Owned, secret: &str, hash: &str) -> bool {
    let message = request.message();
    let signed = Request::of(&message, false).unwrap().unwrap();
    assert_eq!(
        (&*signed.key_id, signed.signed_at),
        ("AKIDEXAMPLE", 1_440_938_160)
    );
    assert_eq!(
        (&*signed.region, &*signed.service),
        ("us-east-1", "service")
    );
    signed.is_signed_by(secret, &message, hash)
}

#[test]
fn the_published_signatures_are_right() {
    for (name, method, target, fields, headers, signature, hash) in [
        (
            "get-vanilla",
            "GET",
            "/",
            &[][..],
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            EMPTY,
        ),
        (
            "get-vanilla-query",
            "GET",
            "/?",
            &[],
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            EMPTY,
        ),
        (
            "get-vanilla-query-order-key-case",
            "GET",
            "/?Param2=value2&Param1=value1",
            &[],
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            EMPTY,
        ),
        (
            "get-slash",
            "GET",
            "//",
            &[],
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            EMPTY,
        ),
        (
            "get-relative",
            "GET",
            "/example/..",
            &[],
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            EMPTY,
        ),
        (
            "post-vanilla",
            "POST",
            "/",
            &[],
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            EMPTY,
        ),
        (
            "post-header-key-sort",
            "POST",
            "/",
            &[("My-Header1", "value1")],
            "host;my-header1;x-amz-date",
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            EMPTY,
        ),
        (
            "post-vanilla-query",
            "POST",
            "/?Param1=value1",
            &[],
            "host;x-amz-date",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            EMPTY,
        ),
    ] {
        let request = case(method, target, fields, headers, signature);
        assert!(verify(&request, SECRET, hash), "{name}");
        assert!(!verify(&request, "another", hash), "{name}");
        assert!(
            !verify(&request, SECRET, &EMPTY.replace('e', "f")),
            "{name}: the payload counts"
        );
        let other = case("PUT", target, fields, headers, signature);
        assert!(!verify(&other, SECRET, hash), "{name}: the method counts");
    }
}

#[test]
fn what_is_not_signed_is_refused() {
    let zeros = "0".repeat(64);
    let refused = |request: Owned| Request::of(&request.message(), true).err();
    let good = |headers: &str| case("GET", "/", &[], headers, &zeros);
    assert_eq!(refused(good("host;x-amz-date")), None);
    for (request, why) in [
        (good("x-amz-date"), "`Host` is not signed"),
        (good("host"), "an `X-Amz-…` is not signed"),
        (
            good("host;x-amz-date").with("X-Amz-Meta", "1"),
            "an `X-Amz-…` is not signed",
        ),
        (
            good("x-amz-date;host"),
            "signed headers are sorted, in lower case, each once",
        ),
        (
            good("host;host;x-amz-date"),
            "signed headers are sorted, in lower case, each once",
        ),
        (
            good("Host;x-amz-date"),
            "signed headers are sorted, in lower case, each once",
        ),
        (
            good("host;x-amz-date").with("X-Amz-Date", DATE),
            "an `X-Amz-…` stands there twice",
        ),
        (
            good("host;x-amz-date").with("Authorization", "x"),
            "there are two `Authorization`",
        ),
        (
            good("host;x-amz-content-sha256;x-amz-date")
                .with("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            "payloads that are signed by chunks are not taken",
        ),
        (
            good("host;x-amz-content-sha256;x-amz-date").with("X-Amz-Content-Sha256", "zz"),
            "`X-Amz-Content-Sha256` is no SHA-256",
        ),
    ] {
        assert_eq!(refused(request), Some(Malformed(why)));
    }
    for text in [
        "AWS4-HMAC-SHA256 x".to_owned(),
        authorization("host;x-amz-date", "xyz"),
        authorization("host;x-amz-date", &"A".repeat(64)),
        authorization("host;x-amz-date", &zeros).replace("aws4_request", "aws4"),
        authorization("host;x-amz-date", &zeros).replace("20150830", "20150831"),
        authorization("host;x-amz-date", &zeros).replace("AKIDEXAMPLE", ""),
        authorization("host;x-amz-date", &zeros).replace("/service", ""),
        format!(
            "{}, Signature={zeros}",
            authorization("host;x-amz-date", &zeros)
        ),
        authorization("host;x-amz-date", &zeros).replace("SignedHeaders", "Signed"),
    ] {
        let request = Owned::new(
            "GET",
            HOST,
            "/",
            &[("X-Amz-Date", DATE), ("Authorization", &text)],
        );
        assert!(refused(request).is_some(), "{text}");
    }
    let undated = Owned::new(
        "GET",
        HOST,
        "/",
        &[("Authorization", &authorization("host", &zeros))],
    );
    assert_eq!(
        refused(undated),
        Some(Malformed("there is no `X-Amz-Date`"))
    );
}

#[test]
fn other_credentials_are_left_to_others() {
    for value in [
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "aws4-hmac-sha256 Credential=x",
        "AWS4-HMAC-SHA256X y",
    ] {
        let request = Owned::new("GET", HOST, "/", &[("Authorization", value)]);
        assert_eq!(Request::of(&request.message(), true), Ok(None), "{value}");
    }
}

/// The presigned URL of the documentation ("Authenticating Requests: Using Query Parameters").
#[test]
fn the_published_url_is_right() {
    let url = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let of = |url: &str| Owned::new("GET", "examplebucket.s3.amazonaws.com", url, &[]);
    let request = of(url);
    let message = request.message();
    assert_eq!(
        Request::of(&message, false),
        Ok(None),
        "it must be declared"
    );
    let signed = Request::of(&message, true).unwrap().unwrap();
    assert_eq!(
        (signed.lifetime, &signed.payload),
        (Some(86_400), &Payload::Unsigned)
    );
    assert!(signed.is_signed_by(secret, &message, EMPTY));

    let other = of(&format!("{url}&response-content-type=text%2Fhtml"));
    let signed = Request::of(&other.message(), true).unwrap().unwrap();
    assert!(!signed.is_signed_by(secret, &other.message(), EMPTY));
    for (from, to) in [
        ("86400", "604801"),
        ("86400", "0"),
        ("86400", "x"),
        ("X-Amz-Expires=86400&", ""),
        ("X-Amz-Date=", "X-Amz-Date=1&X-Amz-Date="),
        ("SignedHeaders=host", "SignedHeaders=date"),
        ("Algorithm=AWS4", "Algorithm=AWS5"),
    ] {
        let bad = of(&url.replace(from, to));
        assert!(Request::of(&bad.message(), true).is_err(), "{to}");
    }
    let twice = of(url).with("Authorization", &authorization("host", &"0".repeat(64)));
    assert_eq!(
        Request::of(&twice.message(), true),
        Err(Malformed("it is signed twice"))
    );
}
