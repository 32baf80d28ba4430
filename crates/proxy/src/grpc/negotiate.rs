//! What a stream of messages looks like over HTTP, by what the client accepts.

use http::{HeaderMap, HeaderValue};
use lintel_http::media::accepted;

/// A body of many messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One JSON array.
    Array,
    /// A JSON value a line.
    Lines,
    /// Server-sent events (HTML, "Server-sent events"), a message each.
    Events,
}

impl Form {
    /// The form that the client likes best (RFC 9110 §12.5.1): an array unless it says otherwise.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let mut best = (Self::Array, 0.0);
        for (media, quality) in accepted(headers) {
            let form = match media.as_str() {
                "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Lines,
                "text/event-stream" => Self::Events,
                "application/json" | "application/*" | "*/*" => Self::Array,
                _ => continue,
            };
            if quality > best.1 {
                best = (form, quality);
            }
        }
        best.0
    }

    pub(super) const fn media(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Array => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        })
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn takes_what_the_client_likes_best() {
        for (accept, form) in [
            ("", Form::Array),
            ("*/*", Form::Array),
            ("text/html", Form::Array),
            ("application/x-ndjson", Form::Lines),
            ("text/event-stream", Form::Events),
            ("application/json;q=0.5, Text/Event-Stream", Form::Events),
            ("application/json, text/event-stream", Form::Array),
            ("application/jsonl; q=0.2, */*; q=0.1", Form::Lines),
            ("text/event-stream;q=0, */*;q=0.1", Form::Array),
            ("text/event-stream;q=x", Form::Array),
        ] {
            let headers = HeaderMap::from_iter([(
                header::ACCEPT,
                HeaderValue::from_str(accept).unwrap_or(HeaderValue::from_static("")),
            )]);
            assert_eq!(Form::wanted(&headers), form, "{accept}");
        }
    }
}
