use std::{fmt, path::PathBuf, str::FromStr};

use super::{TextError, text_type};

/// How an endpoint is spoken to below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plaintext.
    Http,
    /// TLS.
    Https,
}

/// The URL of an endpoint: `http://10.0.0.7:8080`, `https://orders.internal`, or
/// `unix:/run/orders.sock` (plaintext). Without a port it is 80 or 443.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A name or address, and a port.
    Tcp {
        /// Plaintext or TLS.
        scheme: Scheme,
        /// A name in lower case or an address; IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix domain socket; plaintext.
    Unix(PathBuf),
}

impl Endpoint {
    /// Plaintext or TLS.
    pub const fn scheme(&self) -> Scheme {
        match self {
            Self::Tcp { scheme, .. } => *scheme,
            Self::Unix(_) => Scheme::Http,
        }
    }

    /// Whether its host is a name, which may have several addresses.
    pub fn is_name(&self) -> bool {
        match self {
            Self::Tcp { host, .. } => host.parse::<std::net::IpAddr>().is_err(),
            Self::Unix(_) => false,
        }
    }
}

impl FromStr for Endpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err(TextError::new("the socket needs an absolute path")
                    .at(5)
                    .hint("write it like `unix:/run/orders.sock`"));
            }
            return Ok(Self::Unix(path.into()));
        }
        let (scheme, rest) = scheme(text)?;
        let at = text.len() - rest.len();
        let (authority, tail) = match rest.find(['/', '?', '#']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        if !matches!(tail, "" | "/") {
            return Err(TextError::new("an endpoint has no path")
                .at(at + authority.len())
                .hint(format!(
                    "remove `{tail}`; to put a path in front of every request, use `policies: {{ rewrite: {{ add_prefix: … }} }}` on the route"
                )));
        }
        if let Some((user, _)) = authority.split_once('@') {
            return Err(TextError::new("an endpoint has no user and password")
                .at(at)
                .hint(format!(
                    "remove the {} characters up to and including `@`; set an `Authorization` header with `policies: {{ headers: … }}`",
                    user.chars().count() + 1
                )));
        }
        let (host, port) = host_and_port(authority, at)?;
        let port = port.unwrap_or(match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        });
        Ok(Self::Tcp { scheme, host, port })
    }
}

fn scheme(text: &str) -> Result<(Scheme, &str), TextError> {
    if let Some(rest) = text.strip_prefix("http://") {
        return Ok((Scheme::Http, rest));
    }
    if let Some(rest) = text.strip_prefix("https://") {
        return Ok((Scheme::Https, rest));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(
            TextError::new(format!("`{text}` has no scheme")).hint(format!(
                "write `http://{text}`, or `https://{text}` for TLS"
            )),
        );
    };
    let error = TextError::new(format!("`{scheme}` is not a scheme that endpoints have"));
    Err(match scheme {
        "grpc" | "h2c" => error.hint(format!(
            "write `http://{rest}` and add `protocol: grpc` to the service"
        )),
        "grpcs" | "h2" => error.hint(format!(
            "write `https://{rest}` and add `protocol: grpc` to the service"
        )),
        "ws" => error.hint(format!(
            "write `http://{rest}`: WebSockets need nothing more"
        )),
        "wss" => error.hint(format!(
            "write `https://{rest}`: WebSockets need nothing more"
        )),
        "HTTP" | "HTTPS" => error.hint(format!("write `{}://{rest}`", scheme.to_ascii_lowercase())),
        _ => error.hint("use `http`, `https` or `unix`"),
    })
}

/// Takes `host`, `host:port` or `[v6]:port` apart.
fn host_and_port(authority: &str, at: usize) -> Result<(String, Option<u16>), TextError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, tail) = rest.split_once(']').ok_or_else(|| {
                TextError::new("`[` is not closed")
                    .at(at)
                    .hint("write an IPv6 address like `[fd00::1]`")
            })?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(TextError::new(format!("`{host}` is not an IPv6 address")).at(at + 1));
            }
            (host, tail.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err(TextError::new("the URL has no host").at(at));
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    if let Some(bad) = host.find(|c| !is_name(c)) {
        return Err(TextError::new(format!("`{host}` is not a host name"))
            .at(at + bad)
            .hint(
                "names have letters, digits, `-` and `.`; write international names as `xn--…`",
            ));
    }
    let port = port.map(|port| {
        port.parse::<u16>()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| {
                TextError::new(format!("`{port}` is not a port"))
                    .at(at + authority.len() - port.len())
                    .hint("a port is a number from 1 to 65535")
            })
    });
    Ok((host.to_ascii_lowercase(), port.transpose()?))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { scheme, host, port } => {
                let scheme = match scheme {
                    Scheme::Http => "http",
                    Scheme::Https => "https",
                };
                if host.contains(':') {
                    write!(f, "{scheme}://[{host}]:{port}")
                } else {
                    write!(f, "{scheme}://{host}:{port}")
                }
            }
        }
    }
}

text_type!(Endpoint, "endpoint", pattern: r"^(https?://[^/?#@]+/?|unix:/.+)$"; "http://10.0.0.7:8080", "https://orders.internal");

/// Which `Host` an upstream sees: `preserve` (what the client sent), `endpoint` (the host and port
/// of the endpoint's URL), or a host to send instead.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum HostRule {
    /// What the client sent.
    #[default]
    Preserve,
    /// Host and port of the endpoint's URL.
    Endpoint,
    /// This one.
    Fixed(String),
}

impl FromStr for HostRule {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "preserve" => return Ok(Self::Preserve),
            "endpoint" => return Ok(Self::Endpoint),
            _ => {}
        }
        let near = ["preserve", "endpoint"]
            .into_iter()
            .find(|word| strsim::damerau_levenshtein(word, &text.to_ascii_lowercase()) <= 3);
        if let Some(word) = near {
            return Err(TextError::new(format!("`{text}` is not a host rule"))
                .hint(format!("did you mean `{word}`?")));
        }
        host_and_port(text, 0).map_err(|error| {
            error.hint("write `preserve`, `endpoint`, or a host such as `orders.internal`")
        })?;
        Ok(Self::Fixed(text.to_owned()))
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preserve => "preserve",
            Self::Endpoint => "endpoint",
            Self::Fixed(host) => host,
        })
    }
}

text_type!(HostRule, "host-rule"; "preserve", "endpoint", "orders.internal");
