//! `Host = uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2).

/// Whether a `Host` value names a host: not empty, no user information, no white space, a port of at most 65535.
pub(crate) fn is_valid(value: &[u8]) -> bool {
    if let [b'[', rest @ ..] = value {
        let Some(end) = memchr::memchr(b']', rest) else {
            return false;
        };
        let (literal, after) = rest.split_at_checked(end).unwrap_or_default();
        return is_ip_literal(literal)
            && matches!(after, [b']'] | [b']', b':', ..])
            && is_port(after.get(2..).unwrap_or_default());
    }
    let mut percent = false;
    for (at, byte) in value.iter().enumerate() {
        if *byte == b':' {
            let (name, port) = value.split_at_checked(at).unwrap_or_default();
            return at > 0
                && (!percent || percent_is_valid(name))
                && is_port(port.get(1..).unwrap_or_default());
        }
        if !is_reg_name(*byte) {
            return false;
        }
        percent |= *byte == b'%';
    }
    !value.is_empty() && (!percent || percent_is_valid(value))
}

#[inline]
fn is_reg_name(byte: u8) -> bool {
    REG_NAME.get(usize::from(byte)) == Some(&true)
}

/// `pct-encoded = "%" HEXDIG HEXDIG`.
fn percent_is_valid(name: &[u8]) -> bool {
    memchr::memchr_iter(b'%', name).all(|at| {
        name.get(at + 1..at + 3)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// IPv6 or IPvFuture, by their alphabet: what they resolve to is the router's business.
fn is_ip_literal(literal: &[u8]) -> bool {
    match literal {
        [b'v' | b'V', rest @ ..] => {
            let mut parts = rest.splitn(2, |byte| *byte == b'.');
            let version = parts.next().unwrap_or_default();
            let address = parts.next().unwrap_or_default();
            !version.is_empty()
                && version.iter().all(u8::is_ascii_hexdigit)
                && !address.is_empty()
                && address
                    .iter()
                    .all(|byte| *byte == b':' || (is_reg_name(*byte) && *byte != b'%'))
        }
        _ => std::str::from_utf8(literal)
            .is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok()),
    }
}

/// `port = *DIGIT`; an empty one is allowed by the grammar and means the default.
fn is_port(port: &[u8]) -> bool {
    port.iter().all(u8::is_ascii_digit)
        && port
            .iter()
            .try_fold(0_u16, |sum, digit| {
                sum.checked_mul(10)?.checked_add(u16::from(digit - b'0'))
            })
            .is_some()
}

/// unreserved / sub-delims / "%" of RFC 3986.
const REG_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let allowed = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=%";
    let mut at = 0;
    while at < allowed.len() {
        #[expect(
            clippy::indexing_slicing,
            reason = "evaluated at compile time, where an index out of bounds fails the build"
        )]
        {
            table[allowed[at] as usize] = true;
        }
        at += 1;
    }
    table
};
