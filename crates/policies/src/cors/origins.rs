//! Whose pages may: origins as browsers write them (RFC 6454 §6.2).

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
    /// Adds one: `https://app.example.com`, `https://*.example.com`, or `*`.
    ///
    /// # Errors
    /// It is no origin, or none that a page can be trusted by.
    pub(super) fn add(&mut self, origin: &str) -> Result<(), ()> {
        if origin == "*" {
            self.any = true;
            return Ok(());
        }
        let origin = origin.to_ascii_lowercase();
        let (scheme, host) = origin.split_once("://").ok_or(())?;
        let name = host.strip_prefix("*.").unwrap_or(host);
        let (name, port) = name.split_once(':').unwrap_or((name, ""));
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':');
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(is_of_name);
        if !is_scheme || name.is_empty() || !name.bytes().all(is_of_name) || !is_port {
            return Err(());
        }
        match host.strip_prefix('*') {
            Some(rest) => self
                .below
                .push((format!("{scheme}://").into(), rest.into())),
            None => self.exact.push(origin.into()),
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

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+')
}
