//! Parameters of a query, set and removed.

use std::fmt::Write as _;

use http::{Uri, uri::PathAndQuery};
use percent_encoding::percent_decode_str;

use crate::form::escaped;

/// A target with parameters set, where the first of their name stands or else at the end, and removed;
/// those of other names stay as they are written. A name that is in both lists is set. None where the
/// target would be none.
pub(super) fn changed(uri: &Uri, set: &[(String, String)], remove: &[String]) -> Option<Uri> {
    let mut left: Vec<&(String, String)> = set.iter().collect();
    let mut target = uri.path().to_owned();
    let mut mark = '?';
    let query = uri.query().unwrap_or("").split('&');
    for pair in query.filter(|pair| !pair.is_empty()) {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_decode_str(name).decode_utf8_lossy();
        // Writing to a string does not fail.
        if let Some(at) = left.iter().position(|(own, _)| *own == name) {
            let _ = write!(target, "{mark}{}", written(left.remove(at)));
        } else if !set.iter().any(|(own, _)| *own == name) && !remove.iter().any(|own| *own == name)
        {
            let _ = write!(target, "{mark}{pair}");
        } else {
            continue;
        }
        mark = '&';
    }
    for pair in left {
        let _ = write!(target, "{mark}{}", written(pair));
        mark = '&';
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(bytes::Bytes::from(target)).ok()?);
    Uri::from_parts(parts).ok()
}

fn written((name, value): &(String, String)) -> String {
    format!("{}={}", escaped(name), escaped(value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn parameters_are_set_and_removed() {
        let set = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        for (before, set, remove, after) in [
            ("/a", set("b", "1"), vec![], "/a?b=1"),
            ("/a?b=2&c&b=3", set("b", "1"), vec![], "/a?b=1&c"),
            ("/a?c", set("b", "1"), vec![], "/a?c&b=1"),
            ("/a?b=2&c=%20", vec![], vec!["b".to_owned()], "/a?c=%20"),
            ("/a?b=2", vec![], vec!["b".to_owned()], "/a"),
            ("/a?%62=2", vec![], vec!["b".to_owned()], "/a"),
            ("/a", set("b c", "&=ü"), vec![], "/a?b%20c=%26%3D%C3%BC"),
            ("/a?b=1", set("b", "2"), vec!["b".to_owned()], "/a?b=2"),
        ] {
            let uri = changed(&Uri::from_static(before), &set, &remove).unwrap();
            assert_eq!(uri.to_string(), after, "{before}");
        }
    }
}
