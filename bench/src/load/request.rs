//! The requests of a run, rendered once: sending one is a write of ready bytes.

use super::{Plan, Protocol, Security};

/// The kind of request.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// `GET` of each path in turn.
    Get { paths: Vec<String> },
    /// `GET` of the small answer with each of these header fields in turn, over HTTP/1.
    As { fields: Vec<String> },
    /// `PUT` of a small JSON value, over HTTP/1.
    Json,
    /// `POST` of this many bytes.
    Post { bytes: usize },
    /// A gRPC unary call with a small message.
    Unary,
}

impl Work {
    /// The small JSON answer.
    pub(crate) fn small() -> Self {
        Self::Get {
            paths: vec![SMALL.to_owned()],
        }
    }
}

/// Path of the gRPC method that the upstream answers.
pub(crate) const UNARY_PATH: &str = "/bench.Echo/Unary";

/// Path of the small JSON answer.
const SMALL: &str = "/items/42";
/// A value that the message of `configs/bench.proto` can hold; 100 bytes, as the small answer.
const ITEM: &str = r#"{"name":"A lamp, taller","price":129.5,"available":true,"tags":["home","light"],"size":{"width":30}}"#;
const AUTHORITY: &str = "bench.example";
const AGENT: &str = "lintel-bench/1";

/// Rendered requests.
#[derive(Debug)]
pub(super) struct Requests {
    /// HTTP/1: whole requests. HTTP/2: unused.
    pub(super) http1: Vec<Vec<u8>>,
    /// HTTP/2: header block of the first request on a connection; its fields enter the dynamic table.
    pub(super) first_block: Vec<u8>,
    /// HTTP/2: header block of later requests: references to what the first one left in the table.
    pub(super) later_block: Vec<u8>,
    /// HTTP/2: payload of the request's DATA frame, if it has one.
    pub(super) data: Option<Vec<u8>>,
    pub(super) grpc: bool,
    next: usize,
}

impl Requests {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut requests = Self {
            http1: Vec::new(),
            first_block: Vec::new(),
            later_block: Vec::new(),
            data: None,
            grpc: matches!(plan.work, Work::Unary),
            next: 0,
        };
        match plan.protocol {
            Protocol::Http1 => requests.http1 = http1(&plan.work, plan.fresh_connections),
            Protocol::Http2 => requests.http2(&plan.work, plan.security != Security::Plain),
        }
        requests
    }

    /// Index of the next HTTP/1 request. Paths are walked in steps of a prime, so that neighbours in a route table do
    /// not follow each other.
    pub(super) fn advance(&mut self) -> usize {
        let count = self.http1.len().max(1);
        self.next = (self.next + 7_919) % count;
        self.next
    }

    fn http2(&mut self, work: &Work, secure: bool) {
        let (method, path, extra): (_, _, &[(&str, &str)]) = match work {
            Work::Get { paths } => (
                0x82,
                paths.first().map_or("/", String::as_str),
                &[("accept", "application/json")],
            ),
            Work::As { .. } | Work::Json => (0x82, SMALL, &[("accept", "application/json")]),
            Work::Post { .. } => (0x83, "/", &[("content-type", "application/octet-stream")]),
            Work::Unary => (
                0x83,
                UNARY_PATH,
                &[("content-type", "application/grpc"), ("te", "trailers")],
            ),
        };
        // Static table: 0x82/0x83 are `:method` GET/POST, 0x86/0x87 `:scheme` http/https (RFC 7541 appendix A).
        let scheme = if secure { 0x87 } else { 0x86 };
        self.first_block.extend([method, scheme]);
        self.later_block.extend([method, scheme]);
        let mut fields = vec![
            (":path", path),
            (":authority", AUTHORITY),
            ("user-agent", AGENT),
        ];
        fields.extend(extra);
        let count = fields.len();
        for (place, (name, value)) in fields.into_iter().enumerate() {
            // Literal with incremental indexing, new name (RFC 7541 section 6.2.1).
            self.first_block.push(0x40);
            literal(&mut self.first_block, name);
            literal(&mut self.first_block, value);
            // The last field entered stands first in the dynamic table, which starts at index 62.
            self.later_block
                .push(0x80 | u8::try_from(62 + count - 1 - place).unwrap_or(u8::MAX));
        }
        self.data = match work {
            Work::Get { .. } | Work::As { .. } | Work::Json => None,
            Work::Post { bytes } => Some(vec![b'x'; *bytes]),
            Work::Unary => Some(grpc_message(b"\x0a\x0dHello, Lintel")),
        };
    }
}

fn http1(work: &Work, fresh_connections: bool) -> Vec<Vec<u8>> {
    let connection = if fresh_connections {
        "connection: close\r\n"
    } else {
        ""
    };
    let head = |method: &str, path: &str, more: &str| {
        format!("{method} {path} HTTP/1.1\r\nhost: {AUTHORITY}\r\nuser-agent: {AGENT}\r\naccept: application/json\r\n{connection}{more}\r\n")
            .into_bytes()
    };
    match work {
        Work::Get { paths } => paths.iter().map(|path| head("GET", path, "")).collect(),
        Work::As { fields } => fields
            .iter()
            .map(|field| head("GET", SMALL, &format!("{field}\r\n")))
            .collect(),
        Work::Json => {
            let more = format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                ITEM.len()
            );
            let mut request = head("PUT", SMALL, &more);
            request.extend_from_slice(ITEM.as_bytes());
            vec![request]
        }
        Work::Post { bytes } => {
            let mut request = head("POST", "/", &format!("content-length: {bytes}\r\n"));
            request.resize(request.len() + bytes, b'x');
            vec![request]
        }
        Work::Unary => Vec::new(),
    }
}

/// A length-prefixed gRPC message, not compressed.
fn grpc_message(payload: &[u8]) -> Vec<u8> {
    let mut message = vec![0];
    message.extend(
        u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    message.extend(payload);
    message
}

/// A string literal without Huffman coding; every one here is shorter than 127 bytes.
fn literal(block: &mut Vec<u8>, text: &str) {
    block.push(u8::try_from(text.len()).unwrap_or(126) & 0x7f);
    block.extend(text.as_bytes());
}
