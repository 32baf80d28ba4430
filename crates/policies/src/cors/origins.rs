//! Whose pages may: origins as browsers write them (RFC 6454 §6.2).

use std::net::Ipv6Addr;

use http::HeaderValue;

/// A set of origins.
#[derive(Debug, Default)]
pub(super) struct Origins {
    any: bool,
    exact: Vec<Box<str>>,
    /// What stands before the name of a host below a domain, and from the dot before that domain on.
    below: Vec<(Box<str>, Box<str>)>,
}

impl Origins {
    /// Adds one: `https://app.example.com`, `https://*.example.com`, or `*`. The port that a scheme has
    /// anyway is left out, as browsers leave it out.
    ///
    /// # Errors
    /// It is no origin, or none that a page can be trusted by.
    pub(super) fn add(&mut self, origin: &str) -> Result<(), ()> {
        if origin == "*" {
            self.any = true;
            return Ok(());
        }
        let origin = origin.to_ascii_lowercase();
        let (scheme, rest) = origin.split_once("://").ok_or(())?;
        if scheme.is_empty() || !scheme.bytes().all(is_of_name) {
            return Err(());
        }
        let (host, port) = split(rest)?;
        let port = match (scheme, port) {
            (_, None) | ("https", Some(443)) | ("http", Some(80)) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        match host.strip_prefix("*.") {
            Some(domain) if is_name(domain) => {
                let (before, after) = (format!("{scheme}://"), format!(".{domain}{port}"));
                self.below.push((before.into(), after.into()));
            }
            None if is_name(host) => self.exact.push(format!("{scheme}://{host}{port}").into()),
            _ => {
                let address = host
                    .strip_prefix('[')
                    .and_then(|host| host.strip_suffix(']'));
                let address: Ipv6Addr = address.ok_or(())?.parse().map_err(drop)?;
                self.exact
                    .push(format!("{scheme}://[{address}]{port}").into());
            }
        }
        Ok(())
    }

    /// Whether it is all of them.
    pub(super) const fn is_any(&self) -> bool {
        self.any
    }

    /// Whether it is one of them.
    pub(super) fn welcome(&self, origin: &HeaderValue) -> bool {
        if self.any {
            return true;
        }
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let below = |(before, after): &(Box<str>, Box<str>)| {
            let name = origin.strip_prefix(&**before);
            let name = name.and_then(|rest| rest.strip_suffix(&**after));
            name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_of_name))
        };
        self.exact.iter().any(|known| **known == *origin) || self.below.iter().any(below)
    }
}

/// A host and its port.
fn split(text: &str) -> Result<(&str, Option<u16>), ()> {
    let port = text.rsplit_once(':');
    match port.filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => Ok((host, Some(port.parse().map_err(drop)?))),
        None => Ok((text, None)),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_of_name)
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+')
}
