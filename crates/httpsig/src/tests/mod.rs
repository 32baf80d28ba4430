#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod base;
mod rfc9421;
mod sigv4;

use http::{HeaderMap, HeaderName, HeaderValue, Method, uri::PathAndQuery};

use crate::Message;

/// A request that owns its parts.
pub(crate) struct Owned {
    pub(crate) method: Method,
    pub(crate) secure: bool,
    pub(crate) authority: String,
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
}

impl Owned {
    pub(crate) fn new(
        method: &str,
        authority: &str,
        target: &str,
        fields: &[(&str, &str)],
    ) -> Self {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        Self {
            method: method.parse().unwrap(),
            secure: true,
            authority: authority.to_owned(),
            target: target.parse().unwrap(),
            headers,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers
            .append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    pub(crate) fn message(&self) -> Message<'_> {
        Message {
            method: &self.method,
            secure: self.secure,
            authority: &self.authority,
            target: &self.target,
            headers: &self.headers,
        }
    }
}
