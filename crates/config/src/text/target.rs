use std::{fmt, str::FromStr};

use http::Uri;

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
