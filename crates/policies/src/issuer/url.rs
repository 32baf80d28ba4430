//! Where something is fetched from.

use std::{fmt, net::IpAddr, path::PathBuf};

use http::Uri;
use lintel_kernel::Fault;
use lintel_tls::{ClientSettings, Roots};
use lintel_upstream::client::Server;

/// An absolute `https:` or `http:` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    text: Box<str>,
    secure: bool,
    host: Box<str>,
    port: u16,
    target: Box<str>,
}

impl Url {
    /// Reads one. Plain `http:` is for loopback alone, unless it is allowed on purpose: whoever can
    /// change keys on their way can make tokens.
    pub(crate) fn parse(text: &str, plaintext: bool) -> Result<Self, Fault> {
        let url = Self::read(text).ok_or_else(|| {
            Fault::new(format!(
                "`{text}` is not a URL that keys can be fetched from"
            ))
            .with_hint("write `https://`, a host and a path, without user or fragment")
        })?;
        if !url.secure && !plaintext && !url.is_loopback() {
            return Err(
                Fault::new("keys that come over plain http can be replaced on their way")
                    .with_hint("write `https:`, or allow it with `fetch: { plaintext: true }`"),
            );
        }
        Ok(url)
    }

    fn read(text: &str) -> Option<Self> {
        if text.contains(['#', '@']) {
            return None;
        }
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?;
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        Some(Self {
            text: text.into(),
            secure,
            host: bare.unwrap_or(host).into(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            target: target.into(),
        })
    }

    fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        address.map_or(&*self.host == "localhost", |address| address.is_loopback())
    }

    /// Whether it is `https:`.
    pub(crate) const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Scheme, host and port, as in `Origin` (RFC 6454 §6.2): the usual port is left out.
    pub(crate) fn origin(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.to_ascii_lowercase(),
        };
        match (self.secure, self.port) {
            (true, 443) => format!("https://{host}"),
            (false, 80) => format!("http://{host}"),
            (true, port) => format!("https://{host}:{port}"),
            (false, port) => format!("http://{host}:{port}"),
        }
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The server, which CAs of the file vouch for, or those of the system.
    pub(crate) fn server(&self, ca: Option<&PathBuf>) -> Server {
        let roots = ca.map_or(Roots::System, |ca| Roots::File(ca.clone()));
        Server {
            host: (*self.host).into(),
            port: self.port,
            tls: self.secure.then(|| ClientSettings {
                roots,
                ..ClientSettings::default()
            }),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, host, port, target) in [
            ("https://a.example/k?x=1", "a.example", 443, "/k?x=1"),
            ("https://a.example", "a.example", 443, "/"),
            ("http://[::1]:81/k", "::1", 81, "/k"),
            ("http://localhost/", "localhost", 80, "/"),
        ] {
            let url = Url::parse(text, false).unwrap();
            assert_eq!((&*url.host, url.port, url.target()), (host, port, target));
            assert_eq!(url.to_string(), text);
        }
        for text in [
            "a",
            "/a",
            "ftp://a/",
            "https://u@a/",
            "https://a/#x",
            "https:///x",
        ] {
            assert!(Url::parse(text, true).is_err(), "{text}");
        }
        assert!(Url::parse("http://a.example/", false).is_err());
        assert!(Url::parse("http://a.example/", true).is_ok());
    }
}
