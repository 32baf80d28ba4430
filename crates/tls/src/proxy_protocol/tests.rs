#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn ip(source: &str, destination: &str) -> Option<Addresses> {
    Some(Addresses::Ip {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        datagram: false,
    })
}

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let mut bytes = v2::SIGNATURE.to_vec();
    bytes.extend([0x20 | command, family]);
    bytes.extend(u16::try_from(block.len()).unwrap().to_be_bytes());
    bytes.extend(block);
    bytes
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    bytes
}

const V4_BLOCK: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0x1f, 0x90, 0x01, 0xbb];

fn v2_with(tlvs: &[u8]) -> Vec<u8> {
    v2(1, 0x11, &[&V4_BLOCK, tlvs].concat())
}

/// The header, after checking that every shorter prefix asks for more and that bytes behind the
/// header change nothing.
fn parse_all(bytes: &[u8]) -> Header {
    for cut in 0..bytes.len() {
        assert_eq!(
            parse(&bytes[..cut]),
            Ok(None),
            "cut at {cut} of {}",
            bytes.len()
        );
    }
    let (header, consumed) = parse(bytes).unwrap().unwrap();
    assert_eq!(consumed, bytes.len());
    for behind in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"\r\n", b"\0"] {
        let more = [bytes, behind].concat();
        assert_eq!(parse(&more), Ok(Some((header.clone(), bytes.len()))));
    }
    header
}

#[test]
fn version_1_lines() {
    let long = "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(long.len(), 104);
    let table = [
        (
            "PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n",
            ip("192.0.2.1:8080", "198.51.100.2:443"),
        ),
        (
            "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n",
            ip("[2001:db8::1]:0", "[::1]:65535"),
        ),
        (
            long,
            ip(
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            ),
        ),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN whatever it says 1 2 3\r\n", None),
    ];
    for (line, addresses) in table {
        assert_eq!(parse_all(line.as_bytes()).addresses, addresses, "{line:?}");
    }
    let longest = format!("PROXY UNKNOWN{}\r\n", " ".repeat(107 - 15));
    assert_eq!(longest.len(), 107);
    assert_eq!(parse_all(longest.as_bytes()).addresses, None);
}

#[test]
fn malformed_version_1_lines() {
    let lines = [
        "PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 8080 443 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 8080 443 1\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.2 8080 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 8080\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 8080 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 8080 +443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 08080 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.2 1 443\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.2 1 443\r\n",
        "PROXY TCP4 ::1 ::1 1 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 1 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 1 443\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.2 1 443\r\n",
        "PROXY UNKNOWNISH\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY UNKNOWN \u{ff}\n\r\n",
    ];
    for line in lines {
        let error = parse(line.as_bytes()).unwrap_err();
        assert!(matches!(error, ParseError::Line(_)), "{line:?}: {error:?}");
    }
    let endless = format!("PROXY UNKNOWN{}", " ".repeat(94));
    assert_eq!(parse(endless.as_bytes()), Err(ParseError::TooLong));
    assert_eq!(parse(&endless.as_bytes()[..106]), Ok(None));
}

#[test]
fn what_has_no_signature_is_refused_at_the_first_wrong_byte() {
    let openings = [
        "GET / HTTP/1.1\r\n",
        "\x16\x03\x01",
        "P",
        "PROXY",
        "PROXX",
        "proxy ",
        "\r\n\r\nX",
    ];
    let expected = [false, false, true, true, false, false, false];
    for (opening, may_go_on) in openings.into_iter().zip(expected) {
        let wanted = if may_go_on {
            Ok(None)
        } else {
            Err(ParseError::NoSignature)
        };
        assert_eq!(parse(opening.as_bytes()), wanted, "{opening:?}");
    }
}

#[test]
fn version_2_addresses() {
    let v4 = parse_all(&v2_with(&[]));
    assert_eq!(v4.addresses, ip("192.0.2.1:8080", "198.51.100.2:443"));
    assert_eq!(v4.source(), Some("192.0.2.1:8080".parse().unwrap()));
    assert_eq!(v4.destination(), Some("198.51.100.2:443".parse().unwrap()));

    let source = "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets();
    let block = [&source[..], &Ipv6Addr::LOCALHOST.octets(), &[0, 1, 0, 2]].concat();
    let v6 = parse_all(&v2(1, 0x21, &block));
    assert_eq!(v6.addresses, ip("[2001:db8::1]:1", "[::1]:2"));

    let udp = parse_all(&v2(1, 0x12, &V4_BLOCK)).addresses;
    assert!(matches!(udp, Some(Addresses::Ip { datagram: true, .. })));

    let mut block = vec![0; 216];
    block[..6].copy_from_slice(b"/a/b.s");
    block[108..110].copy_from_slice(b"/c");
    let unix = Addresses::Unix {
        source: b"/a/b.s".to_vec(),
        destination: b"/c".to_vec(),
    };
    assert_eq!(parse_all(&v2(1, 0x31, &block)).addresses, Some(unix));
}

#[test]
fn version_2_without_addresses() {
    assert_eq!(parse_all(&v2(0, 0x00, &[])), Header::default());
    // LOCAL discards its block, even one that would be malformed.
    assert_eq!(parse_all(&v2(0, 0x11, &[1, 2, 3])), Header::default());
    assert_eq!(parse_all(&v2(0, 0xff, &V4_BLOCK)), Header::default());
    // UNSPEC has no addresses, and TLVs all the same.
    let unspec = parse_all(&v2(1, 0x00, &tlv(0x02, b"example.com")));
    assert_eq!(unspec.addresses, None);
    assert_eq!(unspec.tlvs.authority.as_deref(), Some("example.com"));
}

#[test]
fn version_2_tlvs() {
    let mut ssl = vec![0x07, 0, 0, 0, 0];
    for (kind, value) in [
        (0x21, "TLSv1.3"),
        (0x22, "alice"),
        (0x23, "TLS_AES_128_GCM_SHA256"),
        (0x24, "SHA256"),
        (0x25, "EC256"),
        (0x2f, "unknown"),
    ] {
        ssl.extend(tlv(kind, value.as_bytes()));
    }
    let all = [
        tlv(0x01, b"h2"),
        tlv(0x02, b"api.example.com"),
        tlv(0x04, &[0; 9]),
        tlv(0x05, &[7; 128]),
        tlv(0x20, &ssl),
        tlv(0x30, b"blue"),
        tlv(0xe0, b"custom"),
    ]
    .concat();
    let tlvs = parse_all(&v2_with(&all)).tlvs;
    assert_eq!(tlvs.alpn.as_deref(), Some(&b"h2"[..]));
    assert_eq!(tlvs.authority.as_deref(), Some("api.example.com"));
    assert_eq!(tlvs.unique_id.as_deref(), Some(&[7; 128][..]));
    assert_eq!(tlvs.netns.as_deref(), Some("blue"));
    let ssl = tlvs.ssl.unwrap();
    assert!(ssl.over_tls && ssl.verified);
    assert!(ssl.certificate_on_connection && ssl.certificate_in_session);
    assert_eq!(ssl.version.as_deref(), Some("TLSv1.3"));
    assert_eq!(ssl.common_name.as_deref(), Some("alice"));
    assert_eq!(ssl.cipher.as_deref(), Some("TLS_AES_128_GCM_SHA256"));
    assert_eq!(ssl.signature_algorithm.as_deref(), Some("SHA256"));
    assert_eq!(ssl.key_algorithm.as_deref(), Some("EC256"));
}

#[test]
fn a_client_counts_as_verified_only_with_a_certificate_that_was() {
    // (client bits, verify, verified)
    let table = [
        (0x01, 0, false),
        (0x03, 0, true),
        (0x05, 0, true),
        (0x07, 1, false),
    ];
    for (client, verify, verified) in table {
        let header = parse_all(&v2_with(&tlv(0x20, &[client, 0, 0, 0, verify])));
        assert_eq!(
            header.tlvs.ssl.unwrap().verified,
            verified,
            "{client} {verify}"
        );
    }
}

#[test]
fn the_checksum_is_verified() {
    // The check value of the Rocksoft model for CRC-32C.
    assert_eq!(v2::crc32c(b"123456789".iter().copied()), 0xe306_9283);
    let place = [
        tlv(0x02, b"a.example"),
        tlv(0x03, &[0; 4]),
        tlv(0x04, b"pad"),
    ]
    .concat();
    let mut bytes = v2_with(&place);
    let sum = v2::crc32c(bytes.iter().copied()).to_be_bytes();
    let at = bytes.len() - tlv(0x04, b"pad").len() - 4;
    bytes[at..at + 4].copy_from_slice(&sum);
    assert_eq!(
        parse_all(&bytes).tlvs.authority.as_deref(),
        Some("a.example")
    );
    for at in 16..28 {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert_eq!(parse(&changed), Err(ParseError::Checksum), "byte {at}");
    }
}

#[test]
fn malformed_version_2_headers() {
    let table = [
        ("version 1", [v2::SIGNATURE, &[0x11, 0x11, 0, 0]].concat()),
        ("version 3", [v2::SIGNATURE, &[0x31, 0x11, 0, 0]].concat()),
        ("command 2", v2(2, 0x11, &V4_BLOCK)),
        ("short IPv4 block", v2(1, 0x11, &V4_BLOCK[..11])),
        ("short IPv6 block", v2(1, 0x21, &[0; 35])),
        ("short Unix block", v2(1, 0x31, &[0; 215])),
        ("family 4", v2(1, 0x41, &V4_BLOCK)),
        ("transport 0 of IPv4", v2(1, 0x10, &V4_BLOCK)),
        ("transport 3 of IPv4", v2(1, 0x13, &V4_BLOCK)),
        ("two stray bytes", v2_with(&[4, 0])),
        ("TLV beyond the end", v2_with(&[4, 0, 2, 0])),
        ("unique id too long", v2_with(&tlv(0x05, &[0; 129]))),
        ("short SSL", v2_with(&tlv(0x20, &[1, 0, 0, 0]))),
        (
            "SSL with a cut sub-TLV",
            v2_with(&tlv(0x20, &[1, 0, 0, 0, 0, 0x21, 0, 9])),
        ),
        ("authority not UTF-8", v2_with(&tlv(0x02, b"\xff"))),
        ("checksum of 3 bytes", v2_with(&tlv(0x03, &[0; 3]))),
    ];
    for (what, bytes) in table {
        let error = parse(&bytes).unwrap_err();
        assert!(matches!(error, ParseError::Binary(_)), "{what}: {error:?}");
    }
    let announced = [v2::SIGNATURE, &[0x21, 0x11, 0x40, 0x01]].concat();
    assert_eq!(parse(&announced), Err(ParseError::TooLong));
    let most = [v2::SIGNATURE, &[0x21, 0x11, 0x40, 0x00]].concat();
    assert_eq!(parse(&most), Ok(None));
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_without_panic_and_without_over_read(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let signed = [v2::SIGNATURE, &bytes].concat();
        let text = [v1::SIGNATURE, &bytes].concat();
        for input in [&bytes, &signed, &text] {
            if let Ok(Some((_, consumed))) = parse(input) {
                prop_assert!(consumed <= input.len());
                let alone = parse(&input[..consumed]).unwrap().unwrap();
                prop_assert_eq!(alone.1, consumed);
                prop_assert_eq!(parse(&input[..consumed - 1]), Ok(None));
            }
        }
    }

    #[test]
    fn any_ipv4_endpoints_come_back(a: [u8; 4], b: [u8; 4], p: u16, q: u16, id: Vec<u8>) {
        let source = SocketAddr::new(Ipv4Addr::from(a).into(), p);
        let destination = SocketAddr::new(Ipv4Addr::from(b).into(), q);
        let line = format!("PROXY TCP4 {} {} {p} {q}\r\n", source.ip(), destination.ip());
        let header = parse(line.as_bytes()).unwrap().unwrap().0;
        prop_assert_eq!(header.source(), Some(source));
        prop_assert_eq!(header.destination(), Some(destination));

        let ports = [p.to_be_bytes(), q.to_be_bytes()].concat();
        let id = &id[..id.len().min(128)];
        let block = [&a[..], &b, &ports, &tlv(0x05, id)].concat();
        let header = parse(&v2(1, 0x11, &block)).unwrap().unwrap().0;
        prop_assert_eq!(header.source(), Some(source));
        prop_assert_eq!(header.destination(), Some(destination));
        prop_assert_eq!(header.tlvs.unique_id.as_deref(), Some(id));
    }
}
