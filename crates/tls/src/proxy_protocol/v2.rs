//! Version 2, binary (§2.2).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Addresses, Header, ParseError};

pub(crate) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The fixed part: signature, version and command, family and transport, length.
const FIXED: usize = 16;

/// The longest variable part taken, as HAProxy with its default buffers.
const MAX_LEN: usize = 16 * 1024;

/// Bytes of each path in an address block of Unix sockets.
const UNIX_PATH: usize = 108;

/// Facts in the type-length-value part (§2.2.1 ff.). Unknown types are skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tlvs {
    /// The application protocol negotiated in front (`PP2_TYPE_ALPN`).
    pub alpn: Option<Vec<u8>>,
    /// The host name the client asked for, as by SNI (`PP2_TYPE_AUTHORITY`).
    pub authority: Option<String>,
    /// An opaque connection id, at most 128 bytes (`PP2_TYPE_UNIQUE_ID`).
    pub unique_id: Option<Vec<u8>>,
    /// What the client's TLS was like in front (`PP2_TYPE_SSL`).
    pub ssl: Option<Ssl>,
    /// The network namespace (`PP2_TYPE_NETNS`).
    pub netns: Option<String>,
}

/// The client's TLS connection to the load balancer (§2.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssl {
    /// The client connected over TLS.
    pub over_tls: bool,
    /// The client showed a certificate on this connection.
    pub certificate_on_connection: bool,
    /// The client showed a certificate at least once in this TLS session.
    pub certificate_in_session: bool,
    /// The client showed a certificate, and it was verified.
    pub verified: bool,
    /// The TLS version, `TLSv1.3`.
    pub version: Option<String>,
    /// The common name of the client's certificate.
    pub common_name: Option<String>,
    /// The cipher suite.
    pub cipher: Option<String>,
    /// The signature algorithm of the certificate shown to the client.
    pub signature_algorithm: Option<String>,
    /// The key algorithm of the certificate shown to the client.
    pub key_algorithm: Option<String>,
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, ParseError> {
    let Some(version_command) = bytes.get(12) else {
        return Ok(None);
    };
    if version_command >> 4 != 2 {
        return Err(ParseError::Binary("the version is not 2"));
    }
    let local = match version_command & 0x0f {
        0 => true,
        1 => false,
        _ => return Err(ParseError::Binary("the command is neither LOCAL nor PROXY")),
    };
    let (Some(family), Some(high), Some(low)) = (bytes.get(13), bytes.get(14), bytes.get(15))
    else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length > MAX_LEN {
        return Err(ParseError::TooLong);
    }
    let Some(whole) = bytes.get(..FIXED + length) else {
        return Ok(None);
    };
    let (_, block) = whole.split_at_checked(FIXED).unwrap_or_default();
    // The block of a LOCAL header is to be discarded, whatever it says.
    let header = if local {
        Header::default()
    } else {
        let (addresses, rest) = addresses(*family, block)?;
        let tlvs = tlvs(whole, rest)?;
        Header { addresses, tlvs }
    };
    Ok(Some((header, whole.len())))
}

fn addresses(family: u8, block: &[u8]) -> Result<(Option<Addresses>, &[u8]), ParseError> {
    let short = ParseError::Binary("the address block is too short");
    let datagram = family & 0x0f == 2;
    match family {
        0x00 => Ok((None, block)),
        0x11 | 0x12 => {
            let (raw, rest) = block.split_first_chunk::<12>().ok_or(short)?;
            let [a, b, c, d, e, f, g, h, ports @ ..] = *raw;
            let (source_port, destination_port) = split_ports(ports);
            let addresses = Addresses::Ip {
                source: SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), source_port),
                destination: SocketAddr::new(Ipv4Addr::new(e, f, g, h).into(), destination_port),
                datagram,
            };
            Ok((Some(addresses), rest))
        }
        0x21 | 0x22 => {
            let (source, rest) = block.split_first_chunk::<16>().ok_or(short)?;
            let (destination, rest) = rest.split_first_chunk::<16>().ok_or(short)?;
            let (ports, rest) = rest.split_first_chunk::<4>().ok_or(short)?;
            let (source_port, destination_port) = split_ports(*ports);
            let addresses = Addresses::Ip {
                source: SocketAddr::new(Ipv6Addr::from(*source).into(), source_port),
                destination: SocketAddr::new(Ipv6Addr::from(*destination).into(), destination_port),
                datagram,
            };
            Ok((Some(addresses), rest))
        }
        0x31 | 0x32 => {
            let (source, rest) = block.split_at_checked(UNIX_PATH).ok_or(short)?;
            let (destination, rest) = rest.split_at_checked(UNIX_PATH).ok_or(short)?;
            let addresses = Addresses::Unix {
                source: until_nul(source),
                destination: until_nul(destination),
            };
            Ok((Some(addresses), rest))
        }
        _ => Err(ParseError::Binary("unknown address family or transport")),
    }
}

fn split_ports([a, b, c, d]: [u8; 4]) -> (u16, u16) {
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

fn until_nul(path: &[u8]) -> Vec<u8> {
    path.iter().copied().take_while(|byte| *byte != 0).collect()
}

fn tlvs(whole: &[u8], block: &[u8]) -> Result<Tlvs, ParseError> {
    let mut tlvs = Tlvs::default();
    let mut rest = block;
    while let Some((kind, value, next)) = next_tlv(rest)? {
        match kind {
            0x01 => tlvs.alpn = Some(value.to_vec()),
            0x02 => tlvs.authority = Some(text(value)?),
            0x03 => {
                let sum = value
                    .try_into()
                    .map_err(|_| ParseError::Binary("a checksum is not 4 bytes long"))?;
                // From the end of the header: the value ends where the next TLV begins.
                verify_checksum(whole, whole.len() - next.len(), u32::from_be_bytes(sum))?;
            }
            0x05 if value.len() > 128 => {
                return Err(ParseError::Binary("the unique id is longer than 128 bytes"));
            }
            0x05 => tlvs.unique_id = Some(value.to_vec()),
            0x20 => tlvs.ssl = Some(ssl(value)?),
            0x30 => tlvs.netns = Some(text(value)?),
            _ => {}
        }
        rest = next;
    }
    Ok(tlvs)
}

/// The type and the value at the front, and what follows.
#[expect(
    clippy::type_complexity,
    reason = "three parts of one slice, taken apart on the spot"
)]
fn next_tlv(block: &[u8]) -> Result<Option<(u8, &[u8], &[u8])>, ParseError> {
    if block.is_empty() {
        return Ok(None);
    }
    let cut = ParseError::Binary("a TLV goes beyond the end of the header");
    let ([kind, high, low], rest) = block.split_first_chunk::<3>().ok_or(cut)?;
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (value, rest) = rest.split_at_checked(length).ok_or(cut)?;
    Ok(Some((*kind, value, rest)))
}

/// `struct pp2_tlv_ssl { uint8_t client; uint32_t verify; struct pp2_tlv sub_tlv[0]; }`.
fn ssl(value: &[u8]) -> Result<Ssl, ParseError> {
    const CLIENT_SSL: u8 = 0x01;
    const CLIENT_CERT_CONN: u8 = 0x02;
    const CLIENT_CERT_SESS: u8 = 0x04;
    let short = ParseError::Binary("the SSL TLV is too short");
    let ([client, verify @ ..], mut rest) = value.split_first_chunk::<5>().ok_or(short)?;
    let shown = client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS) != 0;
    let mut ssl = Ssl {
        over_tls: client & CLIENT_SSL != 0,
        certificate_on_connection: client & CLIENT_CERT_CONN != 0,
        certificate_in_session: client & CLIENT_CERT_SESS != 0,
        // "verify" is zero if a certificate was presented and verified; without one it says
        // nothing.
        verified: shown && *verify == [0; 4],
        ..Ssl::default()
    };
    while let Some((kind, value, next)) = next_tlv(rest)? {
        let slot = match kind {
            0x21 => &mut ssl.version,
            0x22 => &mut ssl.common_name,
            0x23 => &mut ssl.cipher,
            0x24 => &mut ssl.signature_algorithm,
            0x25 => &mut ssl.key_algorithm,
            _ => {
                rest = next;
                continue;
            }
        };
        *slot = Some(text(value)?);
        rest = next;
    }
    Ok(ssl)
}

fn text(value: &[u8]) -> Result<String, ParseError> {
    String::from_utf8(value.to_vec()).map_err(|_| ParseError::Binary("a text is not UTF-8"))
}

/// The checksum covers the whole header with the checksum's own bytes as zeros; they end at `end`.
fn verify_checksum(whole: &[u8], end: usize, expected: u32) -> Result<(), ParseError> {
    let field = end.saturating_sub(4)..end;
    let bytes = whole.iter().enumerate();
    let zeroed = bytes.map(|(at, byte)| if field.contains(&at) { 0 } else { *byte });
    if crc32c(zeroed) == expected {
        Ok(())
    } else {
        Err(ParseError::Checksum)
    }
}

/// CRC-32C (Castagnoli), bit by bit: once for a connection and a few hundred bytes.
pub(crate) fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (POLYNOMIAL & 0_u32.wrapping_sub(crc & 1))
        })
    })
}
