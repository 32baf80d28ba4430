//! Who the client is, and what the upstream is told of it: `X-Forwarded-*`, `Forwarded`
//! (RFC 7239), `Via` (RFC 9110 §7.6.3).

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use ipnet::IpNet;

/// `X-Forwarded-For`.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `X-Forwarded-Proto`.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// `X-Forwarded-Host`.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What is done with one family of forwarding fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Fields from a trusted peer are kept and this hop is added; others are replaced.
    Append,
    /// Only what this hop knows is sent.
    Set,
    /// Not sent; what a client sent under these names is removed.
    Off,
}

/// The rules of one listener.
#[derive(Clone, Debug)]
pub struct ForwardRules {
    /// Peers whose forwarding fields are believed.
    pub trusted: Vec<IpNet>,
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    pub x_forwarded: Mode,
    /// `Forwarded`.
    pub forwarded: Mode,
    /// The pseudonym in `Via`, or nothing to send none.
    pub via: Option<Via>,
}

/// A `Via` pseudonym with its ready-made values.
#[derive(Clone, Debug)]
pub struct Via {
    http10: HeaderValue,
    http11: HeaderValue,
    http2: HeaderValue,
}

/// What is known of the client once the trusted hops are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub ip: IpAddr,
    /// Whether it reached the first trusted hop over TLS.
    pub secure: bool,
    /// Whether the direct peer is trusted.
    pub trusted: bool,
}

impl Via {
    /// A pseudonym: a token, without a port (RFC 9110 §7.6.3 advises against real host names).
    pub fn new(pseudonym: &str) -> Option<Self> {
        let value = |version: &str| HeaderValue::from_str(&format!("{version} {pseudonym}")).ok();
        Some(Self {
            http10: value("1.0")?,
            http11: value("1.1")?,
            http2: value("2.0")?,
        })
    }

    /// Adds this hop to a message received in the given version.
    pub fn add(&self, version: Version, headers: &mut HeaderMap) {
        let value = match version {
            Version::HTTP_2 => &self.http2,
            Version::HTTP_10 => &self.http10,
            _ => &self.http11,
        };
        headers.append(header::VIA, value.clone());
    }
}

impl ForwardRules {
    /// Whether an address belongs to a declared proxy.
    pub fn is_trusted(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&ip))
    }

    /// Finds the client: `X-Forwarded-For` is read from right to left through declared proxies;
    /// the first address that is none of them is the client. A malformed entry ends the walk.
    pub fn client(&self, peer: IpAddr, secure: bool, headers: &HeaderMap) -> Client {
        let peer = peer.to_canonical();
        if self.trusted.is_empty() || !self.is_trusted(peer) {
            return Client {
                ip: peer,
                secure,
                trusted: false,
            };
        }
        let secure = match last_value(headers, &X_FORWARDED_PROTO) {
            Some(proto) => proto.eq_ignore_ascii_case("https"),
            None => secure,
        };
        let mut ip = peer;
        for entry in entries(headers) {
            match parse_node(entry) {
                Some(next) => ip = next,
                None => break,
            }
            if !self.is_trusted(ip) {
                break;
            }
        }
        Client {
            ip,
            secure,
            trusted: true,
        }
    }

    /// Rewrites the forwarding fields of a request for the upstream.
    ///
    /// `peer` is the address of the connection, `host` the request's `Host` as received.
    pub fn apply(
        &self,
        headers: &mut HeaderMap,
        peer: Option<IpAddr>,
        client: Client,
        host: Option<&HeaderValue>,
    ) {
        let keep = client.trusted;
        self.apply_x_forwarded(headers, peer, client, host, keep);
        self.apply_forwarded(headers, peer, client, host, keep);
        if !keep {
            headers.remove(X_REAL_IP);
        }
    }

    fn apply_x_forwarded(
        &self,
        headers: &mut HeaderMap,
        peer: Option<IpAddr>,
        client: Client,
        host: Option<&HeaderValue>,
        keep: bool,
    ) {
        if self.x_forwarded == Mode::Off {
            for name in [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST] {
                headers.remove(name);
            }
            return;
        }
        let append = keep && self.x_forwarded == Mode::Append;
        let hop = if append {
            peer
        } else {
            peer.map(|_| client.ip)
        };
        if let Some(hop) = hop {
            let known = append.then(|| joined(headers, &X_FORWARDED_FOR)).flatten();
            headers.insert(X_FORWARDED_FOR, address_value(known.as_deref(), hop));
        }
        headers.insert(
            X_FORWARDED_PROTO,
            HeaderValue::from_static(if client.secure { "https" } else { "http" }),
        );
        match host {
            Some(host) if !(append && headers.contains_key(X_FORWARDED_HOST)) => {
                headers.insert(X_FORWARDED_HOST, host.clone());
            }
            _ => {}
        }
    }

    fn apply_forwarded(
        &self,
        headers: &mut HeaderMap,
        peer: Option<IpAddr>,
        client: Client,
        host: Option<&HeaderValue>,
        keep: bool,
    ) {
        if self.forwarded == Mode::Off {
            headers.remove(header::FORWARDED);
            return;
        }
        let append = keep && self.forwarded == Mode::Append;
        let node = match if append { peer } else { Some(client.ip) } {
            Some(IpAddr::V4(ip)) => ip.to_string(),
            Some(IpAddr::V6(ip)) => format!("\"[{ip}]\""),
            None => "unknown".to_owned(),
        };
        let proto = if client.secure { "https" } else { "http" };
        let mut element = format!("for={node};proto={proto}");
        if let Some(host) = host.and_then(|host| host.to_str().ok()) {
            element.push_str(";host=\"");
            element.push_str(&host.replace(['"', '\\'], ""));
            element.push('"');
        }
        if let Some(known) = append
            .then(|| joined(headers, &header::FORWARDED))
            .flatten()
        {
            element = format!("{known}, {element}");
        }
        if let Ok(value) = HeaderValue::from_str(&element) {
            headers.insert(header::FORWARDED, value);
        }
    }
}

/// The entries of `X-Forwarded-For`, last first, over all its lines.
fn entries(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .map(|line| line.to_str().unwrap_or(""))
        .collect();
    lines
        .into_iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .map(str::trim)
}

fn last_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers
        .get_all(name)
        .iter()
        .next_back()?
        .to_str()
        .ok()?
        .rsplit(',')
        .next()
        .map(str::trim)
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// An address with or without port: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`.
fn parse_node(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    let ip = text.parse().ok().or_else(|| {
        text.parse::<std::net::SocketAddr>()
            .map(|addr| addr.ip())
            .ok()
            .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
    });
    ip.map(|ip: IpAddr| ip.to_canonical())
}

fn address_value(known: Option<&str>, ip: IpAddr) -> HeaderValue {
    // Field text that came in and an address are always a valid field value.
    match (known, ip.to_canonical()) {
        (Some(known), ip) => HeaderValue::try_from(format!("{known}, {ip}")),
        (None, IpAddr::V4(ip)) => HeaderValue::from_bytes(DottedQuad::new(ip).as_bytes()),
        (None, IpAddr::V6(ip)) => HeaderValue::try_from(ip.to_string()),
    }
    .unwrap_or(HeaderValue::from_static("unknown"))
}

/// An IPv4 address as text, written without `core::fmt`: once a request.
struct DottedQuad {
    text: [u8; 15],
    len: usize,
}

impl DottedQuad {
    fn new(ip: Ipv4Addr) -> Self {
        let mut quad = Self {
            text: [0; 15],
            len: 0,
        };
        for (place, octet) in ip.octets().into_iter().enumerate() {
            if place > 0 {
                quad.push(b'.');
            }
            if octet >= 100 {
                quad.push(b'0' + octet / 100);
            }
            if octet >= 10 {
                quad.push(b'0' + octet / 10 % 10);
            }
            quad.push(b'0' + octet % 10);
        }
        quad
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.text.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rules(trusted: &[&str]) -> ForwardRules {
        ForwardRules {
            trusted: trusted.iter().map(|net| net.parse().unwrap()).collect(),
            x_forwarded: Mode::Append,
            forwarded: Mode::Off,
            via: None,
        }
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    #[test]
    fn addresses_are_written_as_the_standard_library_does() {
        for bits in (0..=u32::MAX).step_by(65_521) {
            let ip = Ipv4Addr::from_bits(bits);
            assert_eq!(DottedQuad::new(ip).as_bytes(), ip.to_string().as_bytes());
        }
    }

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn client(trusted: &[&str], fields: &[(&'static str, &'static str)]) -> (String, bool) {
        let client = rules(trusted).client(PEER, false, &headers(fields));
        (client.ip.to_string(), client.secure)
    }

    #[test]
    fn the_client_is_found_from_the_right() {
        let forged = [("x-forwarded-for", "6.6.6.6")];
        assert_eq!(client(&[], &forged).0, "10.0.0.1");
        assert_eq!(client(&["192.168.0.0/16"], &forged).0, "10.0.0.1");
        let net = &["10.0.0.0/8"][..];
        assert_eq!(
            client(net, &[("x-forwarded-for", "6.6.6.6, 203.0.113.9")]).0,
            "203.0.113.9"
        );
        assert_eq!(
            client(net, &[("x-forwarded-for", "203.0.113.9, 10.1.1.1")]).0,
            "203.0.113.9"
        );
        assert_eq!(
            client(
                net,
                &[
                    ("x-forwarded-for", "203.0.113.9"),
                    ("x-forwarded-for", "10.1.1.1:99")
                ]
            )
            .0,
            "203.0.113.9"
        );
        assert_eq!(
            client(
                net,
                &[("x-forwarded-for", "203.0.113.9, nonsense, 10.1.1.1")]
            )
            .0,
            "10.1.1.1"
        );
        assert_eq!(
            client(net, &[("x-forwarded-for", "[2001:db8::1]:443")]).0,
            "2001:db8::1"
        );
        assert_eq!(
            client(net, &[("x-forwarded-proto", "https")]),
            ("10.0.0.1".to_owned(), true)
        );
        assert!(!client(&[], &[("x-forwarded-proto", "https")]).1);
    }

    #[test]
    fn untrusted_fields_are_replaced() {
        let rules = rules(&[]);
        let mut map = headers(&[
            ("x-forwarded-for", "6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("x-forwarded-host", "evil"),
        ]);
        let who = rules.client(PEER, true, &map);
        let host = HeaderValue::from_static("api.example.com");
        rules.apply(&mut map, Some(PEER), who, Some(&host));
        assert_eq!(map["x-forwarded-for"], "10.0.0.1");
        assert_eq!(map["x-forwarded-proto"], "https");
        assert_eq!(map["x-forwarded-host"], "api.example.com");
        assert!(!map.contains_key("x-real-ip") && !map.contains_key("forwarded"));
    }

    #[test]
    fn trusted_fields_are_extended() {
        let mut rules = rules(&["10.0.0.0/8"]);
        rules.forwarded = Mode::Append;
        let mut map = headers(&[
            ("x-forwarded-for", "203.0.113.9"),
            ("forwarded", "for=203.0.113.9"),
            ("x-forwarded-host", "shop.example"),
        ]);
        let who = rules.client(PEER, false, &map);
        rules.apply(
            &mut map,
            Some(PEER),
            who,
            Some(&HeaderValue::from_static("inner")),
        );
        assert_eq!(map["x-forwarded-for"], "203.0.113.9, 10.0.0.1");
        assert_eq!(map["x-forwarded-host"], "shop.example");
        assert_eq!(
            map["forwarded"],
            "for=203.0.113.9, for=10.0.0.1;proto=http;host=\"inner\""
        );
    }

    #[test]
    fn via_names_the_version_received() {
        let via = Via::new("lintel").unwrap();
        let mut map = headers(&[("via", "1.0 fred")]);
        via.add(Version::HTTP_2, &mut map);
        let values: Vec<_> = map.get_all("via").iter().collect();
        assert_eq!(values, ["1.0 fred", "2.0 lintel"]);
        assert!(Via::new("a\nb").is_none());
    }
}
