//! What HTTP/2 asks of a request head beyond what h2 checks itself: h2 refuses connection-specific
//! fields, upper case, `TE` other than `trailers` and malformed pseudo-header fields (RFC 9113 §8.2,
//! §8.3).

use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST, TE},
    request,
    uri::Authority,
};
use lintel_proxy::malformed::Malformed;

const NO_HOST: Malformed = bad("no_host", "The request names no host.");
const BAD_HOST: Malformed = bad("bad_host", "The host of the request is malformed.");
const TWO_HOSTS: Malformed = bad(
    "host_conflict",
    "The request names two different hosts, or one of them twice.",
);
const TWO_LENGTHS: Malformed = bad(
    "length_conflict",
    "The request tells the length of its body twice.",
);
/// RFC 9110 §10.1.1 knows one expectation.
const UNKNOWN_EXPECTATION: Malformed = Malformed {
    status: StatusCode::EXPECTATION_FAILED,
    code: "expectation_failed",
    detail: "Of expectations, only `100-continue` is met here.",
};

const fn bad(code: &'static str, detail: &'static str) -> Malformed {
    Malformed {
        status: StatusCode::BAD_REQUEST,
        code,
        detail,
    }
}

/// What was found in a head. Most have little of it, and one pass over the names costs less than a
/// look-up for each.
#[derive(Default)]
struct Found {
    host: bool,
    cookie: bool,
    expect: bool,
    length: bool,
    te: bool,
}

/// Checks a head and takes out what holds for this hop alone. Tells whether the client keeps
/// trailers (`TE: trailers`).
pub(super) fn clean(head: &mut request::Parts) -> Result<bool, Malformed> {
    let found = Found::of(&head.headers);
    if head.method != Method::CONNECT {
        check_host(&head.uri, &head.headers, found.host)?;
    }
    let headers = &mut head.headers;
    if found.length && headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(TWO_LENGTHS);
    }
    if found.expect {
        let met = expects_continue(headers);
        headers.remove(EXPECT);
        if !met {
            return Err(UNKNOWN_EXPECTATION);
        }
    }
    if found.cookie {
        join_cookies(headers);
    }
    if found.te {
        headers.remove(TE);
    }
    Ok(found.te)
}

/// Whether the client waits for `100 Continue` before it sends its body.
pub(super) fn expects_continue(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(EXPECT).iter();
    let first = all.next();
    first.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        && all.next().is_none()
}

impl Found {
    fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for name in headers.keys() {
            match name.as_str().len() {
                2 => found.te |= *name == TE,
                4 => found.host |= *name == HOST,
                6 => {
                    found.cookie |= *name == COOKIE;
                    found.expect |= *name == EXPECT;
                }
                14 => found.length |= *name == CONTENT_LENGTH,
                _ => {}
            }
        }
        found
    }
}

/// `:authority` is the host, and `Host` may only repeat it (RFC 9113 §8.3.1). User information has
/// no place in either.
fn check_host(uri: &Uri, headers: &HeaderMap, has_field: bool) -> Result<(), Malformed> {
    if !has_field {
        return check(uri.authority().ok_or(NO_HOST)?);
    }
    let mut fields = headers.get_all(HOST).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return Err(TWO_HOSTS);
    };
    let field = Authority::try_from(field.as_bytes()).map_err(|_| BAD_HOST)?;
    check(&field)?;
    match uri.authority() {
        Some(authority) if *authority != field => Err(TWO_HOSTS),
        _ => Ok(()),
    }
}

fn check(authority: &Authority) -> Result<(), Malformed> {
    let text = authority.as_str();
    let literal = text.starts_with('[').then(|| text.find(']')).flatten();
    let end = match literal {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(end).ok_or(BAD_HOST)?;
    let port_fits = match rest.strip_prefix(':') {
        Some(port) => port.is_empty() || port.parse::<u16>().is_ok(),
        None => rest.is_empty(),
    };
    let fits = !host.is_empty() && port_fits && !text.contains('@');
    if fits { Ok(()) } else { Err(BAD_HOST) }
}

/// Puts the crumbs of a cookie together again: it leaves HTTP/2 here, or may (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    // Valid values joined by valid bytes are a valid value.
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::Request;

    use super::*;

    fn head(uri: &str, fields: &[(&str, &str)]) -> request::Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    type Fields = &'static [(&'static str, &'static str)];

    fn cleaned(uri: &str, fields: &[(&str, &str)]) -> Result<bool, &'static str> {
        clean(&mut head(uri, fields)).map_err(|why| why.code)
    }

    #[test]
    fn one_host_in_either_place_or_the_same_in_both() {
        let good: [(&str, Fields); 7] = [
            ("http://a.test/", &[]),
            ("/", &[("host", "a.test:80")]),
            ("/", &[("host", "a.test:")]),
            ("/", &[("host", "[::1]")]),
            ("/", &[("host", "[::1]:80")]),
            ("http://a.test/", &[("host", "A.test")]),
            ("http://127.0.0.1:80/", &[("host", "127.0.0.1:80")]),
        ];
        for (uri, fields) in good {
            assert_eq!(cleaned(uri, fields), Ok(false), "{uri} {fields:?}");
        }
        let bad: [(&str, Fields, &str); 10] = [
            ("/", &[], "no_host"),
            ("http://a.test/", &[("host", "b.test")], "host_conflict"),
            (
                "/",
                &[("host", "a.test"), ("host", "a.test")],
                "host_conflict",
            ),
            ("http://u@a.test/", &[], "bad_host"),
            ("/", &[("host", "u:p@a.test")], "bad_host"),
            ("/", &[("host", "a b")], "bad_host"),
            ("/", &[("host", "a:99999")], "bad_host"),
            ("/", &[("host", "[::1]:99999")], "bad_host"),
            ("/", &[("host", ":80")], "bad_host"),
            ("/", &[("host", "")], "bad_host"),
        ];
        for (uri, fields, code) in bad {
            assert_eq!(cleaned(uri, fields), Err(code), "{uri} {fields:?}");
        }
    }

    #[test]
    fn one_length_and_one_expectation() {
        let length = ("content-length", "5");
        assert_eq!(cleaned("http://a.test/", &[length]), Ok(false));
        assert_eq!(
            cleaned("http://a.test/", &[length, length]),
            Err("length_conflict")
        );
        assert_eq!(
            cleaned("http://a.test/", &[("expect", "200-ok")]),
            Err("expectation_failed")
        );
    }

    #[test]
    fn cookies_become_one_field() {
        let mut head = head(
            "http://a.test/",
            &[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")],
        );
        clean(&mut head).unwrap();
        let cookies: Vec<_> = head.headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }

    #[test]
    fn what_holds_for_this_hop_is_taken_out() {
        let mut head = head(
            "http://a.test/",
            &[("te", "trailers"), ("expect", "100-Continue")],
        );
        assert!(clean(&mut head).unwrap());
        assert!(head.headers.is_empty());
    }
}
