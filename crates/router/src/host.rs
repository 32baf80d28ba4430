use std::fmt;
use std::net::Ipv6Addr;

use crate::PatternError;

/// The longest host name, in bytes (RFC 1035 §2.3.4 in text form).
const MAX_HOST: usize = 253;
/// The longest label of a host name, in bytes (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// Which hosts a route takes.
///
/// | text | takes |
/// |---|---|
/// | `api.example.com` | that host, in any case |
/// | `*.example.com` | every host below it, by one label or more: `a.example.com`, `b.a.example.com`; not `example.com` |
/// | `*` | every host, and requests without one |
/// | `192.0.2.1`, `[2001:db8::1]` | that address |
///
/// A port may follow and is ignored: which port a request came to is the listener's matter. International names are
/// written in their ASCII form (`xn--…`, RFC 5890 §2.3.2.1), which is what clients send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern(pub(crate) Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Exact(Box<str>),
    /// Without `*.`: the suffix that the host must have below at least one label.
    Wildcard(Box<str>),
    Any,
}

impl HostPattern {
    /// Reads a host pattern.
    ///
    /// # Errors
    ///
    /// [`PatternError`] if `text` is not of one of the forms above, with the form to write where it can be told.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::new(0, "the host is empty").hint("write `*` for any host"));
        }
        if let Some(at) = text.find("://") {
            return Err(
                PatternError::new(at, "a host has no scheme").hint("write only the host name")
            );
        }
        if text.starts_with('[') {
            return ipv6(text);
        }
        let name = without_port(text)?;
        if name == "*" {
            return Ok(Self(Kind::Any));
        }
        let (wildcard, suffix) = match name.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, name),
        };
        let at = if wildcard { 2 } else { 0 };
        let suffix = suffix.strip_suffix('.').unwrap_or(suffix);
        labels(suffix).map_err(|e| e.shifted(at))?;
        let suffix = suffix.to_ascii_lowercase().into_boxed_str();
        Ok(Self(if wildcard {
            Kind::Wildcard(suffix)
        } else {
            Kind::Exact(suffix)
        }))
    }
}

impl HostPattern {
    /// Whether it takes a host, given as [`Query::host`](crate::Query::host) is.
    pub fn takes(&self, host: &str) -> bool {
        match &self.0 {
            Kind::Exact(own) => **own == *host,
            Kind::Wildcard(suffix) => host
                .strip_suffix(&**suffix)
                .and_then(|below| below.strip_suffix('.'))
                .is_some_and(|below| !below.is_empty()),
            Kind::Any => true,
        }
    }

    /// Whether it takes this host alone.
    pub fn is_exactly(&self, host: &str) -> bool {
        matches!(&self.0, Kind::Exact(own) if **own == *host)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Exact(host) => f.write_str(host),
            Kind::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Kind::Any => f.write_str("*"),
        }
    }
}

fn ipv6(text: &str) -> Result<HostPattern, PatternError> {
    let Some((address, rest)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) else {
        return Err(
            PatternError::new(text.len(), "the IPv6 address is not closed").hint("end it with `]`"),
        );
    };
    let parsed: Ipv6Addr = address.parse().map_err(|_| {
        PatternError::new(1, "this is not an IPv6 address")
            .hint("write for example `[2001:db8::1]`")
    })?;
    if !rest.is_empty() {
        let port = rest.strip_prefix(':').unwrap_or("");
        port_number(port).map_err(|e| e.shifted(text.len() - port.len()))?;
    }
    Ok(HostPattern(Kind::Exact(
        format!("[{parsed}]").into_boxed_str(),
    )))
}

fn without_port(text: &str) -> Result<&str, PatternError> {
    let Some((name, port)) = text.rsplit_once(':') else {
        return Ok(text);
    };
    if name.contains(':') {
        return Err(PatternError::new(0, "an IPv6 address needs brackets")
            .hint(format!("write `[{text}]`")));
    }
    port_number(port).map_err(|e| e.shifted(name.len() + 1))?;
    if name.is_empty() {
        return Err(PatternError::new(0, "the host before the port is empty")
            .hint("write `*` for any host"));
    }
    Ok(name)
}

fn port_number(port: &str) -> Result<(), PatternError> {
    match port
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| port.parse::<u16>())
    {
        Some(Ok(_)) => Ok(()),
        _ => Err(PatternError::new(0, "this is not a port number")
            .hint("write 0 to 65535 after `:`, or nothing")),
    }
}

fn labels(name: &str) -> Result<(), PatternError> {
    if name.len() > MAX_HOST {
        return Err(PatternError::new(
            MAX_HOST,
            format!("a host name has at most {MAX_HOST} bytes"),
        ));
    }
    let mut at = 0;
    for label in name.split('.') {
        if label.is_empty() {
            return Err(PatternError::new(at, "a label of the host name is empty"));
        }
        if label.len() > MAX_LABEL {
            return Err(PatternError::new(
                at,
                format!("a label of a host name has at most {MAX_LABEL} bytes"),
            ));
        }
        if let Some((i, c)) = label.char_indices().find(|(_, c)| !label_char(*c)) {
            return Err(bad_char(c).shifted(at + i));
        }
        at += label.len() + 1;
    }
    Ok(())
}

/// Letters, digits and hyphens (RFC 952), and the underscore that service names use in practice.
fn label_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn bad_char(c: char) -> PatternError {
    match c {
        '*' => PatternError::new(0, "`*` stands only for whole labels at the beginning")
            .hint("write `*.example.com`, or `*` for any host"),
        '/' => PatternError::new(0, "a host has no path").hint("put the path into `path`"),
        _ if !c.is_ascii() => PatternError::new(0, format!("`{c}` is not ASCII"))
            .hint("write the international name in its ASCII form, `xn--…`, as clients send it"),
        _ => PatternError::new(0, format!("{c:?} cannot stand in a host name")),
    }
}
