//! Version 1, one line of text (§2.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Addresses, Header, ParseError};

pub(crate) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line, CRLF included (§2.1).
const MAX_LINE: usize = 107;

pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, ParseError> {
    let window = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = window.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() >= MAX_LINE {
            Err(ParseError::TooLong)
        } else {
            Ok(None)
        };
    };
    let line = window
        .get(..end)
        .and_then(|line| line.strip_suffix(b"\r"))
        .ok_or(ParseError::Line("the line does not end with CRLF"))?;
    let line = str::from_utf8(line).map_err(|_| ParseError::Line("the line is not ASCII"))?;
    let header = Header {
        addresses: addresses(line)?,
        ..Header::default()
    };
    Ok(Some((header, end + 1)))
}

fn addresses(line: &str) -> Result<Option<Addresses>, ParseError> {
    let mut words = line.split(' ').skip(1);
    let parse_ip: fn(&str) -> Option<IpAddr> = match words.next() {
        // Whatever follows is to be ignored.
        Some("UNKNOWN") => return Ok(None),
        Some("TCP4") => |word| word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        Some("TCP6") => |word| word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => {
            return Err(ParseError::Line(
                "the protocol is not TCP4, TCP6 or UNKNOWN",
            ));
        }
    };
    let mut ip = || words.next().and_then(parse_ip);
    let (Some(source), Some(destination)) = (ip(), ip()) else {
        return Err(ParseError::Line("an address is missing or malformed"));
    };
    let mut port = || words.next().and_then(parse_port);
    let (Some(source_port), Some(destination_port)) = (port(), port()) else {
        return Err(ParseError::Line("a port is missing or malformed"));
    };
    if words.next().is_some() {
        return Err(ParseError::Line("there is more after the ports"));
    }
    Ok(Some(Addresses::Ip {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
        datagram: false,
    }))
}

/// Decimal, without sign and leading zeros.
fn parse_port(word: &str) -> Option<u16> {
    let canonical = word == "0" || !word.starts_with(['0', '+']);
    canonical.then(|| word.parse().ok())?
}
