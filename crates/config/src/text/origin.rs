use std::{fmt, str::FromStr};

use http::Uri;

use super::{TextError, text_type};

/// Where pages come from (RFC 6454 §6.1): `https://app.example.com`; `*` for everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin as text, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if text == "*" {
            return Ok(Self(text.to_owned()));
        }
        let error = || TextError::new(format!("`{text}` is not an origin"));
        let uri = text.parse::<Uri>().ok();
        let parts = uri.as_ref().and_then(|uri| {
            let scheme = uri
                .scheme_str()
                .filter(|name| matches!(*name, "http" | "https"));
            Some((scheme?, uri.authority()?, uri.path_and_query()?.as_str()))
        });
        let Some((scheme, authority, path)) = parts else {
            return Err(error().hint("write it with its scheme, such as `https://app.example.com`"));
        };
        let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
        if text.ends_with('/') || path != "/" || origin.contains('@') {
            return Err(error().hint(format!("an origin has no path: write `{origin}`")));
        }
        Ok(Self(origin))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(Origin, "origin"; "https://app.example.com", "*");
