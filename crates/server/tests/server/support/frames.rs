//! HTTP/2 by hand (RFC 9113 §4, §6), for what no decent client sends.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// One connection.
pub(crate) struct Raw {
    io: TcpStream,
}

/// A frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of a RST_STREAM or GOAWAY frame.
    pub(crate) fn code(&self) -> u32 {
        let code = &self.payload[self.payload.len().min(8) - 4..][..4];
        u32::from_be_bytes(code.try_into().unwrap())
    }
}

impl Raw {
    /// Connects and sends the preface with the given settings.
    pub(crate) fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let io = TcpStream::connect(address).unwrap();
        io.set_read_timeout(Some(PATIENCE)).unwrap();
        io.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut raw = Self { io };
        raw.io
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
            .collect();
        assert!(raw.send(SETTINGS, 0, 0, &settings));
        raw
    }

    /// Sends a frame. False if the other side has closed the connection.
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.io.write_all(&frame).is_ok()
    }

    /// Asks for a path on a stream, as a whole request or with a body to follow.
    pub(crate) fn request(&mut self, stream: u32, method: &str, path: &str, ends: bool) -> bool {
        let literal = |index: u8, value: &str| {
            let length = u8::try_from(value.len()).unwrap();
            [&[0x40 | index, length][..], value.as_bytes()].concat()
        };
        // RFC 7541, Appendix A: 1 is :authority, 2 :method, 4 :path, 6 :scheme.
        let block = [
            literal(2, method),
            literal(6, "http"),
            literal(4, path),
            literal(1, "a.test"),
        ]
        .concat();
        self.send(HEADERS, 4 | u8::from(ends), stream, &block)
    }

    /// The next frame; none at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.io.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.io.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload,
        })
    }

    /// Reads to the first frame of a kind; none at the end of the connection.
    pub(crate) fn find(&mut self, kind: u8) -> Option<Frame> {
        std::iter::from_fn(|| self.next()).find(|frame| frame.kind == kind)
    }

    /// A second handle on the connection, for reading beside writing.
    pub(crate) fn split(&self) -> Self {
        Self {
            io: self.io.try_clone().unwrap(),
        }
    }
}
