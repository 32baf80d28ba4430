//! What HTTP/2 asks of a request head beyond what h2 checks itself: h2 refuses connection-specific
//! fields, upper case, `TE` other than `trailers` and malformed pseudo-header fields (RFC 9113 §8.2,
//! §8.3).

use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{COOKIE, EXPECT, HOST, TE},
    request,
    uri::Authority,
};

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) detail: &'static str,
}

const NO_HOST: Fault = Fault {
    code: "no_host",
    detail: "The request names no host.",
};
const BAD_HOST: Fault = Fault {
    code: "bad_host",
    detail: "The host of the request is malformed.",
};
const TWO_HOSTS: Fault = Fault {
    code: "host_conflict",
    detail: "The request names two different hosts, or one of them twice.",
};

/// Checks a head and takes out what holds for this hop alone. Tells whether the client keeps
/// trailers (`TE: trailers`).
pub(super) fn clean(head: &mut request::Parts) -> Result<bool, Fault> {
    if head.method != Method::CONNECT {
        check_host(&head.uri, &head.headers)?;
    }
    join_cookies(&mut head.headers);
    // The client is not kept waiting: its body is read as soon as the upstream takes it.
    head.headers.remove(EXPECT);
    Ok(head.headers.remove(TE).is_some())
}

/// `:authority` is the host, and `Host` may only repeat it (RFC 9113 §8.3.1). User information has
/// no place in either.
fn check_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Fault> {
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(TWO_HOSTS);
    }
    match (uri.authority(), field) {
        (None, None) => Err(NO_HOST),
        (Some(authority), None) => check(authority),
        (None, Some(field)) => check(&parse(field)?),
        (Some(authority), Some(field)) => {
            check(authority)?;
            if authority == &parse(field)? {
                Ok(())
            } else {
                Err(TWO_HOSTS)
            }
        }
    }
}

fn parse(field: &HeaderValue) -> Result<Authority, Fault> {
    Authority::try_from(field.as_bytes()).map_err(|_| BAD_HOST)
}

fn check(authority: &Authority) -> Result<(), Fault> {
    let text = authority.as_str();
    let port = text
        .strip_prefix(authority.host())
        .and_then(|rest| rest.strip_prefix(':'));
    let port_fits = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    let fits = !authority.host().is_empty() && !text.contains('@') && port_fits;
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

    #[test]
    fn one_host_in_either_place_or_the_same_in_both() {
        assert_eq!(clean(&mut head("http://a.test/", &[])), Ok(false));
        assert_eq!(clean(&mut head("/", &[("host", "a.test:80")])), Ok(false));
        assert_eq!(
            clean(&mut head("http://a.test/", &[("host", "A.test")])),
            Ok(false)
        );
        assert_eq!(clean(&mut head("/", &[])), Err(NO_HOST));
        assert_eq!(
            clean(&mut head("http://a.test/", &[("host", "b.test")])),
            Err(TWO_HOSTS)
        );
        assert_eq!(
            clean(&mut head("/", &[("host", "a.test"), ("host", "a.test")])),
            Err(TWO_HOSTS)
        );
        assert_eq!(clean(&mut head("http://u@a.test/", &[])), Err(BAD_HOST));
        assert_eq!(clean(&mut head("/", &[("host", "a b")])), Err(BAD_HOST));
        assert_eq!(clean(&mut head("/", &[("host", "a:99999")])), Err(BAD_HOST));
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
            &[("te", "trailers"), ("expect", "100-continue")],
        );
        assert_eq!(clean(&mut head), Ok(true));
        assert!(head.headers.is_empty());
    }
}
