//! Tells a plain HTTP message from a TLS record by its first bytes.

/// How a plain HTTP message begins: the methods of RFC 9110 §9 and RFC 5789, the HTTP/2 preface
/// (RFC 9113 §3.4), and the status line of a server's answer.
const OPENINGS: [&[u8]; 11] = [
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"DELETE ",
    b"CONNECT ",
    b"OPTIONS ",
    b"TRACE ",
    b"PATCH ",
    b"PRI * HTTP/",
    b"HTTP/",
];

/// True if the bytes so far can only go on as plain HTTP. A TLS record begins with a byte below 64
/// (RFC 8446 §5.1), so one letter is enough.
pub(crate) fn is_http(first: &[u8]) -> bool {
    !first.is_empty()
        && OPENINGS.iter().any(|opening| {
            let common = first.len().min(opening.len());
            first.get(..common) == opening.get(..common)
        })
}
