//! A request as its signer saw it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method, uri::PathAndQuery};

/// A request, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Whether its scheme is `https`, and `http` otherwise.
    pub secure: bool,
    /// Its `Host` or `:authority`, with the port if it has one.
    pub authority: &'a str,
    /// Its target in origin form.
    pub target: &'a PathAndQuery,
    /// Its header fields.
    pub headers: &'a HeaderMap,
}

impl Message<'_> {
    /// `@scheme` (RFC 9421 §2.2.4).
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// `@authority` (RFC 9421 §2.2.3): lower case, without the scheme's own port.
    pub(crate) fn normal_authority(&self) -> String {
        let own = if self.secure { ":443" } else { ":80" };
        let text = self.authority.strip_suffix(own).unwrap_or(self.authority);
        text.to_ascii_lowercase()
    }

    /// `@path` (RFC 9421 §2.2.6).
    pub(crate) fn path(&self) -> &str {
        match self.target.path() {
            "" => "/",
            path => path,
        }
    }

    /// All fields of a name as one value (RFC 9421 §2.1): each trimmed, with `, ` between them. `None`
    /// without any, or where one is no text.
    pub(crate) fn combined(&self, name: &str) -> Option<Cow<'_, str>> {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut all = self.headers.get_all(name).iter();
        let first = all.next()?.to_str().ok()?.trim_matches([' ', '\t']);
        let mut combined = Cow::Borrowed(first);
        for value in all {
            let combined = combined.to_mut();
            combined.push_str(", ");
            combined.push_str(value.to_str().ok()?.trim_matches([' ', '\t']));
        }
        Some(combined)
    }
}
