//! Media types, as fields name them (RFC 9110 §8.3.1, §12.5.1).

use http::{HeaderMap, HeaderValue, header};

/// A media type without its parameters, in lower case.
pub fn essence(value: &HeaderValue) -> Option<String> {
    let essence = value.to_str().ok()?.split(';').next()?;
    Some(essence.trim().to_ascii_lowercase())
}

/// A parameter of a media type, without its quotes.
pub fn parameter<'v>(value: &'v HeaderValue, name: &str) -> Option<&'v str> {
    let mut parameters = value.to_str().ok()?.split(';').skip(1);
    let found = parameters.find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then_some(value)
    });
    found.map(|value| value.trim().trim_matches('"'))
}

/// The media types and ranges that a client accepts, in lower case, each with its weight.
pub fn accepted(headers: &HeaderMap) -> impl Iterator<Item = (String, f32)> {
    let values = headers.get_all(header::ACCEPT).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|range| {
        let mut parts = range.split(';');
        let media = parts.next().unwrap_or_default().trim();
        let weight = parts.find_map(|part| part.trim().strip_prefix("q="));
        let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        (media.to_ascii_lowercase(), weight)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_types_and_parameters() {
        let value = HeaderValue::from_static("Text/XML; Charset=\"UTF-8\"; action=x");
        assert_eq!(essence(&value).as_deref(), Some("text/xml"));
        assert_eq!(parameter(&value, "charset"), Some("UTF-8"));
        assert_eq!(parameter(&value, "action"), Some("x"));
        assert_eq!(parameter(&value, "q"), None);
        let accept = HeaderValue::from_static("A/b;x=1; q=0.5, c/*;q=z,d/e");
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept)]);
        let all: Vec<_> = accepted(&headers).collect();
        let expected = [("a/b", 0.5), ("c/*", 0.0), ("d/e", 1.0)];
        assert_eq!(all, expected.map(|(media, q)| (media.to_owned(), q)));
    }
}
