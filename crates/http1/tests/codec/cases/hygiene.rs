//! RFC 9110 §7.6: what a gateway removes from requests.

use super::{Case, Outcome::*};

#[rustfmt::skip]
pub const REQUESTS: &[Case] = &[
    Case("RFC 9110 §7.6.1", "hop-by-hop fields are removed", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: gzip\r\nUpgrade: x\r\nX: 1\r\n\r\n", Seen("GET / HTTP/1.1\nhost=a\nx=1\n[body ]")),
    Case("RFC 9110 §7.6.1", "fields named in Connection are removed", b"GET / HTTP/1.1\r\nHost: a\r\nX-Hop: 1\r\nConnection: x-hop, X-Other\r\nx-other: 2\r\nX: 1\r\n\r\n", Seen("GET / HTTP/1.1\nhost=a\nx=1\n[body ]")),
    Case("RFC 9110 §7.6.1", "in several Connection lines", b"GET / HTTP/1.1\r\nConnection: a-b\r\nHost: a\r\nA-B: 1\r\nC-D: 1\r\nConnection: , c-d ,\r\n\r\n", Seen("GET / HTTP/1.1\nhost=a\n[body ]")),
    Case("RFC 9110 §7.6.1", "but not those that make the message", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: t/t\r\nContent-Length: 1\r\nConnection: host, content-length, content-type, content-encoding\r\n\r\nx", Seen("POST / HTTP/1.1\nhost=a\ncontent-type=t/t\ncontent-length=1\n[body x]")),
    Case("RFC 9112 §6.1", "nor can Connection name the coding away", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n\r\n1\r\nx\r\n0\r\n\r\n", Seen("POST / HTTP/1.1\nhost=a\n[body x]")),
    Case("RFC 9110 §7.6.1", "named trailers are removed", b"POST / HTTP/1.1\r\nHost: a\r\nConnection: x-hop\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Hop: 1\r\nY: 2\r\n\r\n", Seen("[body x][trailer y=2]")),
    Case("RFC 9110 §7.6.1", "malformed Connection", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: a b\r\n\r\n", Refused(400)),
    Case("RFC 9110 §10.1.4", "TE: trailers is noted", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: te\r\nTE: deflate, Trailers;q=1\r\n\r\n", Seen("GET / HTTP/1.1\nhost=a\n[te trailers]\n[body ]")),
    Case("RFC 9110 §6.6.2", "Trailer is kept with chunks", b"POST / HTTP/1.1\r\nHost: a\r\nTrailer: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Seen("trailer=x\n[body ]")),
    Case("RFC 9110 §6.6.2", "and dropped without", b"POST / HTTP/1.1\r\nHost: a\r\nTrailer: x\r\nContent-Length: 0\r\n\r\n", Seen("host=a\ncontent-length=0\n[body ]")),
    Case("RFC 9110 §7.8", "upgrade", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", Seen("host=a\n[upgrade websocket]\n[body ]")),
    Case("RFC 9110 §7.8", "upgrade without Connection is ignored", b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", Seen("host=a\n[body ]")),
    Case("RFC 9110 §7.8", "upgrade in 1.0 is ignored", b"GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", Seen("host=a\n[body ]")),
    Case("RFC 9113 §3.1", "h2c is ignored", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAA\r\nUpgrade: h2c\r\n\r\n", Seen("host=a\n[body ]")),
    Case("RFC 9113 §3.1", "h2c is taken out of a list", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: H2C, websocket\r\nUpgrade: h2c\r\nUpgrade: foo/2\r\n\r\n", Seen("host=a\n[upgrade websocket, foo/2]\n[body ]")),
];
