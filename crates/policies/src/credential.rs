//! Where a request carries a credential, and how it is taken away before the request goes on.

use std::{borrow::Cow, fmt::Write as _};

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{self, Entry},
    uri::PathAndQuery,
};
use lintel_kernel::{Exchange, Fault, config, expr::cookie};

/// Where a credential is looked for. Exactly one of the keys.
#[config]
#[derive(PartialEq, Eq)]
pub enum Place {
    /// In a header field. In `Authorization` it follows the word of its scheme, such as `Bearer`;
    /// elsewhere it is the whole value.
    Header(String),
    /// In a cookie.
    Cookie(String),
    /// In a parameter of the query. Addresses end up in logs, histories and `Referer`: only where
    /// nothing else is possible.
    Query(String),
}

/// A place, ready to be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Scheme(&'static str),
    Header(HeaderName),
    Cookie(String),
    Query(String),
}

/// What a place holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// Nothing of the kind.
    Nothing,
    /// One credential.
    One(Cow<'a, str>),
    /// More than one, or something that is no text: which one was meant can't be told.
    Unclear,
}

impl Place {
    /// Compiles the place for credentials that stand behind `scheme` in `Authorization`.
    pub(crate) fn build(&self, scheme: &'static str) -> Result<Source, Fault> {
        match self {
            Self::Header(name) if name.eq_ignore_ascii_case("authorization") => {
                Ok(Source::Scheme(scheme))
            }
            Self::Header(name) => name.parse().map(Source::Header).map_err(|_| {
                Fault::new(format!("`{name}` is not a header name"))
                    .with_hint("use letters, digits and dashes, such as `X-Api-Key`")
                    .under("header")
            }),
            Self::Cookie(name) | Self::Query(name) if !is_token(name) => {
                Err(Fault::new(format!("`{name}` is not a name"))
                    .with_hint("use letters, digits, `-`, `_` and `.`"))
            }
            Self::Cookie(name) => Ok(Source::Cookie(name.clone())),
            Self::Query(name) => Ok(Source::Query(name.clone())),
        }
    }
}

impl Place {
    /// Where tokens are looked for, for the key `from`: behind `Bearer`, unless it says otherwise.
    pub(crate) fn bearer(places: &[Self]) -> Result<Vec<Source>, Vec<Fault>> {
        match places {
            [] => Ok(vec![Source::Scheme("Bearer")]),
            places => Self::build_all(places, "Bearer"),
        }
    }

    /// Compiles several places, for the key `from`.
    pub(crate) fn build_all(
        places: &[Self],
        scheme: &'static str,
    ) -> Result<Vec<Source>, Vec<Fault>> {
        let (mut built, mut faults) = (Vec::new(), Vec::new());
        for (index, place) in places.iter().enumerate() {
            match place.build(scheme) {
                Ok(place) => built.push(place),
                Err(fault) => faults.push(fault.under(index.to_string()).under("from")),
            }
        }
        if faults.is_empty() {
            Ok(built)
        } else {
            Err(faults)
        }
    }
}

/// What the first place holds that holds something.
pub(crate) fn first<'a>(places: &[Source], exchange: &'a Exchange) -> Option<Found<'a>> {
    let mut places = places.iter().map(|place| place.find(exchange));
    places.find(|found| *found != Found::Nothing)
}

impl Source {
    /// Looks into the place.
    pub(crate) fn find<'a>(&self, exchange: &'a Exchange) -> Found<'a> {
        let headers = &exchange.request.headers;
        match self {
            Self::Scheme(scheme) => in_header(headers, &header::AUTHORIZATION, |value| {
                let (word, rest) = value.split_at_checked(scheme.len())?;
                let rest = rest.strip_prefix(' ')?;
                word.eq_ignore_ascii_case(scheme)
                    .then(|| rest.trim_start_matches(' '))
            }),
            Self::Header(name) => in_header(headers, name, Some),
            Self::Cookie(name) => cookie(headers, name)
                .filter(|value| !value.is_empty())
                .map_or(Found::Nothing, |value| Found::One(value.into())),
            Self::Query(name) => in_query(exchange.request.uri.query().unwrap_or(""), name),
        }
    }

    /// Makes the credential unreadable in what is kept of the request for logs.
    pub(crate) fn mask(&self, exchange: &mut Exchange) {
        if let Self::Query(name) = self
            && let Some(target) = masked(&exchange.target, name)
        {
            exchange.target = target;
        }
    }

    /// Takes the credential away.
    pub(crate) fn strip(&self, exchange: &mut Exchange) {
        let request = &mut exchange.request;
        match self {
            Self::Scheme(scheme) => {
                if let Ok(Entry::Occupied(field)) = request.headers.try_entry(header::AUTHORIZATION)
                    && field.iter().any(|value| is_of(value, scheme))
                {
                    field.remove();
                }
            }
            Self::Header(name) => {
                request.headers.remove(name);
            }
            Self::Cookie(name) => strip_cookie(&mut request.headers, name),
            Self::Query(name) => {
                if let Some(uri) = without_parameter(&request.uri, name) {
                    request.uri = uri;
                }
            }
        }
    }
}

/// The characters of a token (RFC 9110 §5.6.2) that also stand in queries as they are.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Whether a credential is of a scheme.
fn is_of(value: &HeaderValue, scheme: &str) -> bool {
    let word = value.as_bytes().split_at_checked(scheme.len());
    word.is_some_and(|(word, rest)| {
        word.eq_ignore_ascii_case(scheme.as_bytes())
            && rest.first().is_none_or(|next| *next == b' ')
    })
}

fn in_header<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    read: impl Fn(&'a str) -> Option<&'a str>,
) -> Found<'a> {
    let mut all = headers.get_all(name).iter();
    let Some(first) = all.next() else {
        return Found::Nothing;
    };
    // Two readers of two fields may each believe another one.
    if all.next().is_some() {
        return Found::Unclear;
    }
    match text(first) {
        None => Found::Unclear,
        Some(text) => match read(text) {
            Some(value) if !value.is_empty() => Found::One(value.into()),
            _ => Found::Nothing,
        },
    }
}

/// As [`HeaderValue::to_str`]: a field value holds no control characters, so that what is left is to
/// see that it is ASCII, many bytes at a time.
fn text(value: &HeaderValue) -> Option<&str> {
    let bytes = value.as_bytes();
    let text = std::str::from_utf8(bytes).ok();
    text.filter(|_| bytes.is_ascii())
}

fn in_query<'a>(query: &'a str, name: &str) -> Found<'a> {
    let mut all = parameters(query).filter(|(own, _)| *own == name);
    match (all.next(), all.next()) {
        (Some((_, value)), None) if !value.is_empty() => {
            match percent_encoding::percent_decode_str(value).decode_utf8() {
                Ok(value) => Found::One(value),
                Err(_) => Found::Unclear,
            }
        }
        (Some(_), Some(_)) => Found::Unclear,
        _ => Found::Nothing,
    }
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn strip_cookie(headers: &mut HeaderMap, name: &str) {
    strip_cookies(headers, |own| own == name);
}

/// Removes cookies by name from every `Cookie` field, and the fields in which nothing is left.
pub(crate) fn strip_cookies(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    if !headers.contains_key(header::COOKIE) {
        return;
    }
    let kept: Vec<HeaderValue> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| {
            let Ok(text) = value.to_str() else {
                return Some(value.clone());
            };
            let others: Vec<&str> = text
                .split(';')
                .map(str::trim)
                .filter(|pair| {
                    !pair
                        .split('=')
                        .next()
                        .is_some_and(|own| goes(own.trim_end()))
                })
                .filter(|pair| !pair.is_empty())
                .collect();
            HeaderValue::from_str(&others.join("; "))
                .ok()
                .filter(|value| !value.is_empty())
        })
        .collect();
    headers.remove(header::COOKIE);
    for value in kept {
        headers.append(header::COOKIE, value);
    }
}

fn without_parameter(uri: &Uri, name: &str) -> Option<Uri> {
    let query = uri.query()?;
    let mut target = uri.path().to_owned();
    let mut mark = '?';
    let kept = query
        .split('&')
        .filter(|pair| pair.split('=').next() != Some(name));
    for pair in kept {
        // Writing to a string does not fail.
        let _ = write!(target, "{mark}{pair}");
        mark = '&';
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(bytes::Bytes::from(target)).ok()?);
    Uri::from_parts(parts).ok()
}

/// The target with `***` for the values of a parameter, if it has it.
fn masked(target: &PathAndQuery, name: &str) -> Option<PathAndQuery> {
    let query = target.query()?;
    parameters(query).find(|(own, _)| *own == name)?;
    let mut text = target.path().to_owned();
    let mut mark = '?';
    for pair in query.split('&') {
        // Writing to a string does not fail.
        let _ = match pair.split('=').next() == Some(name) {
            true => write!(text, "{mark}{name}=***"),
            false => write!(text, "{mark}{pair}"),
        };
        mark = '&';
    }
    PathAndQuery::from_maybe_shared(bytes::Bytes::from(text)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn fields(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::COOKIE, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_credential_that_comes_twice_is_unclear() {
        let read = |headers: &HeaderMap| {
            let found = in_header(headers, &header::COOKIE, Some);
            matches!(found, Found::Unclear)
        };
        assert!(!read(&fields(&[])));
        assert!(!read(&fields(&["a"])));
        assert!(read(&fields(&["a", "a"])));
        let letters = HeaderValue::from_bytes("Bearer \u{e9}".as_bytes()).unwrap();
        let unreadable = HeaderMap::from_iter([(header::AUTHORIZATION, letters)]);
        let found = in_header(&unreadable, &header::AUTHORIZATION, Some);
        assert_eq!(found, Found::Unclear);
        assert_eq!(in_query("a=1&b=2&a=3", "a"), Found::Unclear);
        assert_eq!(in_query("a=%ff", "a"), Found::Unclear);
        assert_eq!(in_query("a=x%2Dy&b=2", "a"), Found::One("x-y".into()));
        assert_eq!(in_query("ab=1&a=&c", "a"), Found::Nothing);
    }

    #[test]
    fn a_scheme_ends_with_its_word() {
        for (value, held, stripped) in [
            ("Bearer t", Some("t"), true),
            ("bEARER   t", Some("t"), true),
            ("Bearer", None, true),
            ("Bearer ", None, true),
            ("Bearers t", None, false),
            ("Bear", None, false),
            ("Basic t", None, false),
        ] {
            let value = HeaderValue::from_static(value);
            let request = http::Request::get("/").header("authorization", &value);
            let mut exchange = crate::testing::of(request);
            let found = match Source::Scheme("Bearer").find(&exchange) {
                Found::One(token) => Some(token.into_owned()),
                _ => None,
            };
            assert_eq!(found.as_deref(), held, "{value:?}");
            Source::Scheme("Bearer").strip(&mut exchange);
            assert_eq!(exchange.request.headers.is_empty(), stripped, "{value:?}");
        }
    }

    #[test]
    fn a_cookie_is_taken_from_among_the_others() {
        for (before, after) in [
            (&["t=1"][..], &[][..]),
            (&["a=1; t=2; b=3"], &["a=1; b=3"]),
            (&["t=1; t=2", "a=1"], &["a=1"]),
            (&["at=1; T=2"], &["at=1; T=2"]),
        ] {
            let mut headers = fields(before);
            strip_cookie(&mut headers, "t");
            let left: Vec<_> = headers.get_all(header::COOKIE).iter().collect();
            assert_eq!(left, after, "{before:?}");
        }
    }

    #[test]
    fn a_parameter_is_masked_in_logs() {
        for (before, after) in [
            ("/a?t=1", Some("/a?t=***")),
            ("/a?b=2&t=1&t=2&c", Some("/a?b=2&t=***&t=***&c")),
            ("/a?tt=1", None),
            ("/a", None),
        ] {
            let target = masked(&PathAndQuery::from_static(before), "t");
            assert_eq!(target.as_ref().map(PathAndQuery::as_str), after, "{before}");
        }
    }

    #[test]
    fn a_parameter_is_taken_from_among_the_others() {
        for (before, after) in [
            ("/a?t=1", "/a"),
            ("/a?t=1&b=2&t=3", "/a?b=2"),
            ("/a?b=2&t", "/a?b=2"),
            ("/a?tt=1&b=%20", "/a?tt=1&b=%20"),
        ] {
            let uri = without_parameter(&Uri::from_static(before), "t").unwrap();
            assert_eq!(uri.to_string(), after, "{before}");
        }
    }
}
