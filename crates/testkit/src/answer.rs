use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

/// What an origin does with a request.
pub struct Answer(Box<dyn FnOnce(&mut TcpStream) -> Then>);

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

impl Answer {
    /// A whole answer with a length; the connection is kept.
    pub fn new(status: u16, fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
        for (name, value) in fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = body.as_ref();
        if status != 204 && status != 304 {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Self::raw(bytes, Then::Keep)
    }

    /// 200 with a body.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::new(200, &[], body)
    }

    /// An answer to HEAD: the length of a body that is not sent.
    pub fn head(length: usize) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        Self::raw(head.into_bytes(), Then::Keep)
    }

    /// These very bytes, and then a close.
    pub fn bytes_then_close(bytes: impl Into<Vec<u8>>) -> Self {
        Self::raw(bytes.into(), Then::Close)
    }

    /// No answer at all, until the other side gives up.
    pub fn silence() -> Self {
        Self::script(|stream| {
            let _ = io::copy(stream, &mut io::sink());
        })
    }

    /// Switches protocols, and then echoes every byte.
    pub fn echo_tunnel(protocol: &str) -> Self {
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
        );
        Self::script(move |stream| {
            let _ = stream.write_all(head.as_bytes());
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
        })
    }

    /// Whatever the closure does with the connection, which is closed after it.
    pub fn script(script: impl FnOnce(&mut TcpStream) + 'static) -> Self {
        Self(Box::new(|stream| {
            script(stream);
            Then::Close
        }))
    }

    /// Gives this answer within a script.
    pub fn write(self, stream: &mut TcpStream) {
        self.give(stream);
    }

    fn raw(bytes: Vec<u8>, then: Then) -> Self {
        Self(Box::new(move |stream| {
            match stream.write_all(&bytes).is_ok() {
                true => then,
                false => Then::Close,
            }
        }))
    }

    pub(crate) fn give(self, stream: &mut TcpStream) -> Then {
        (self.0)(stream)
    }
}
