//! How long an answer holds, by its own words.

use std::time::Duration;

use http::{HeaderMap, header};

/// The freshness lifetime that is left (RFC 9111 §4.2.1, §4.2.3): `max-age` less `Age`. Nothing where
/// nothing is said; zero where it must not be used without asking again.
pub(super) fn of(fields: &HeaderMap) -> Option<Duration> {
    let mut lifetime = None;
    let values = fields.get_all(header::CACHE_CONTROL).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    for directive in texts.flat_map(|text| text.split(',')).map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            "max-age" if lifetime.is_none() => {
                let value = value.trim_matches('"');
                // "A cache that receives an invalid … is encouraged to consider it stale" (§4.2.1).
                lifetime = Some(value.parse().unwrap_or(0));
            }
            _ => {}
        }
    }
    let age = fields.get(header::AGE).and_then(|age| age.to_str().ok());
    let age: u64 = age.and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    lifetime.map(|lifetime| Duration::from_secs(u64::saturating_sub(lifetime, age)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_the_fields_say() {
        for (control, age, expected) in [
            (&[][..], None, None),
            (&["public"], Some("7"), None),
            (&["public, max-age=300"], None, Some(300)),
            (&["Max-Age=300"], Some("100"), Some(200)),
            (&["max-age=\"300\"", "max-age=7"], Some("400"), Some(0)),
            (&["max-age=300, no-cache"], None, Some(0)),
            (&["no-store"], None, Some(0)),
            (&["max-age=x"], None, Some(0)),
            (&["max-age=-1"], None, Some(0)),
            (&["s-maxage=9"], None, None),
        ] {
            let mut fields = HeaderMap::new();
            for value in control {
                fields.append(header::CACHE_CONTROL, HeaderValue::from_static(value));
            }
            if let Some(age) = age {
                fields.insert(header::AGE, HeaderValue::from_static(age));
            }
            assert_eq!(
                of(&fields),
                expected.map(Duration::from_secs),
                "{control:?}"
            );
        }
    }
}
