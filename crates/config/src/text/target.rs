use std::{fmt, str::FromStr};

use http::{Uri, uri::PathAndQuery};

use super::{TextError, text_type};

/// What an expectation asks for: a path, `/orders/7?full=1`, or a URL,
/// `https://api.example.com/orders/7`, whose scheme and host then count too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestUrl(pub Uri);

impl FromStr for TestUrl {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let error = || {
            TextError::new(format!("`{text}` is neither a URL nor a path"))
                .hint("write it like `/orders/7` or `https://api.example.com/orders/7`")
        };
        let uri: Uri = text.parse().map_err(|_| error())?;
        let fit = match uri.scheme_str() {
            Some(scheme) => matches!(scheme, "http" | "https"),
            None => text.starts_with('/'),
        };
        if fit { Ok(Self(uri)) } else { Err(error()) }
    }
}

impl fmt::Display for TestUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(TestUrl, "test-url", pattern: "^(/|https?://)"; "/orders/7", "https://api.example.com/orders/7");

/// A path, with a query if need be: `/healthz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath(pub PathAndQuery);

impl FromStr for RequestPath {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Some((_, rest)) = text.split_once("://") {
            let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
            return Err(
                TextError::new("a path has no scheme and no host").hint(format!("write `{path}`"))
            );
        }
        if !text.starts_with('/') {
            return Err(
                TextError::new(format!("`{text}` is not a path")).hint(format!("write `/{text}`"))
            );
        }
        text.parse().map(Self).map_err(|_| {
            TextError::new(format!("`{text}` is not a path"))
                .hint("write it like `/healthz`, with `%20` for a blank")
        })
    }
}

impl fmt::Display for RequestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(RequestPath, "request-path", pattern: "^/"; "/healthz");
