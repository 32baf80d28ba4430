//! Numbers, times and addresses without `core::fmt` where they are frequent.

use std::{
    io::Write as _,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

pub(crate) fn integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Milliseconds with three decimals: `12.345`.
pub(crate) fn millis(out: &mut Vec<u8>, time: Duration) {
    let micros = time
        .as_secs()
        .saturating_mul(1_000_000)
        .saturating_add(u64::from(time.subsec_micros()));
    integer(out, micros / 1000);
    let rest = micros % 1000;
    let digit = |value: u64| b'0' + (value % 10) as u8;
    out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
}

pub(crate) fn ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            out.reserve("255.255.255.255".len());
            for (place, octet) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                if octet >= 100 {
                    out.push(b'0' + octet / 100);
                }
                if octet >= 10 {
                    out.push(b'0' + octet / 10 % 10);
                }
                out.push(b'0' + octet % 10);
            }
        }
        // An IPv4 client of a dual-stack listener is logged as such.
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => ip(out, address.into()),
            // Writing to a vector cannot fail.
            None => drop(write!(out, "{address}")),
        },
    }
}

pub(crate) fn socket(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip().to_canonical() {
        IpAddr::V4(canonical) => ip(out, canonical.into()),
        IpAddr::V6(canonical) => drop(write!(out, "[{canonical}]")),
    }
    out.push(b':');
    integer(out, u64::from(address.port()));
}

/// 32 hexadecimal digits.
pub(crate) fn hex128(out: &mut Vec<u8>, value: u128) {
    hex::<16, 32>(out, value.to_be_bytes());
}

/// 16 hexadecimal digits.
pub(crate) fn hex64(out: &mut Vec<u8>, value: u64) {
    hex::<8, 16>(out, value.to_be_bytes());
}

fn hex<const BYTES: usize, const DIGITS: usize>(out: &mut Vec<u8>, value: [u8; BYTES]) {
    let digit = |nibble: u8| nibble + b'0' + u8::from(nibble > 9) * (b'a' - b'9' - 1);
    let mut text = [0; DIGITS];
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(value) {
        *pair = [digit(byte >> 4), digit(byte & 0xf)];
    }
    out.extend_from_slice(&text);
}
