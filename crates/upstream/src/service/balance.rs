//! How a service is balanced, as the configuration says it.

use std::{fmt, sync::Arc, time::Duration};

use lintel_kernel::{Exchange, Secret, expr, hash::hash};

/// How an endpoint is chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Balance {
    /// In turn, by weight, spread as evenly as possible.
    #[default]
    RoundRobin,
    /// At random, by weight.
    Random,
    /// The less busy of two random ones.
    LeastRequest,
    /// Of two random ones, the one that is expected to answer sooner.
    PeakEwma,
    /// The same one for the same key.
    Hash(Hashing),
    /// The same one for the same session.
    Sticky(Sticky),
}

/// Consistent hashing of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Hashing {
    /// What requests have in common which go to the same endpoint.
    pub key: Key,
    /// Which kind of table finds it.
    pub table: TableKind,
    /// How far above its part an endpoint's requests may be before it passes some on: 0.25 for a
    /// quarter. None for any number.
    pub headroom: Option<f64>,
}

/// A kind of table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableKind {
    /// Maglev.
    #[default]
    Maglev,
    /// Ring.
    Ring,
}

/// An expression whose value is the key.
#[derive(Clone)]
pub struct Key(Arc<expr::Expr>);

/// Sessions in cookies.
#[derive(Clone, Debug, PartialEq)]
pub struct Sticky {
    /// The cookie's name.
    pub cookie: Arc<str>,
    /// How long it is kept; none for the browser's session.
    pub ttl: Option<Duration>,
    /// For which paths it is sent.
    pub path: Arc<str>,
    /// Only over TLS. None for: if the request came over TLS.
    pub secure: Option<bool>,
    /// Hidden from scripts.
    pub http_only: bool,
    /// Sent along from other sites.
    pub same_site: SameSite,
    /// Makes the value impossible to guess. All replicas need the same.
    pub secret: Option<Secret>,
}

/// When a cookie is sent along from other sites (RFC 6265bis §5.6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// When the user follows a link.
    #[default]
    Lax,
    /// Always. Browsers ask for `Secure` with it.
    None,
}

impl Balance {
    /// What requests have in common with others that should meet the same endpoint. None where the
    /// service does not ask, or the request does not say.
    pub(crate) fn key(&self, exchange: &Exchange) -> Option<u64> {
        match self {
            Self::Hash(hashing) => hashing.key.of(exchange),
            Self::Sticky(sticky) => {
                let value = expr::cookie(&exchange.request.headers, &sticky.cookie)?;
                u64::from_str_radix(value, 16).ok()
            }
            Self::RoundRobin | Self::Random | Self::LeastRequest | Self::PeakEwma => None,
        }
    }
}

impl Sticky {
    /// The `Set-Cookie` that begins a session with an endpoint (RFC 6265 §4.1).
    pub(crate) fn set_cookie(&self, number: u64, secure: bool) -> String {
        let mut cookie = format!("{}={number:016x}; Path={}", self.cookie, self.path);
        if let Some(ttl) = self.ttl {
            cookie.push_str(&format!("; Max-Age={}", ttl.as_secs()));
        }
        if self.secure.unwrap_or(secure) {
            cookie.push_str("; Secure");
        }
        if self.http_only {
            cookie.push_str("; HttpOnly");
        }
        cookie.push_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        cookie
    }
}

impl Key {
    /// The values of this expression.
    pub fn new(expr: expr::Expr) -> Self {
        Self(Arc::new(expr))
    }

    fn of(&self, exchange: &Exchange) -> Option<u64> {
        let value = self.0.text(expr::Scope::request(exchange))?;
        (!value.is_empty()).then(|| hash(value.as_bytes()))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.source() == other.0.source()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
