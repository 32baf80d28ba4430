use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
};

use crate::{
    message::{self, Fields},
    wait::PATIENCE,
};

/// A client of one connection that sends what it is told and shows what came.
pub struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub fields: Fields,
    /// The body, framing removed; as much of it as came.
    pub body: Vec<u8>,
    /// Whether the message ended as its framing says (RFC 9112 §8), and did not break off.
    pub complete: bool,
}

impl Client {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    /// Connects, if somebody listens.
    ///
    /// # Errors
    /// The connection was refused.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        // A peer that has refused already may have closed; what it said is still to be read.
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Sends a request without a body.
    pub fn request(&mut self, method: &str, target: &str) -> &mut Self {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n\r\n"))
    }

    /// Sends a request with a body.
    pub fn request_with(&mut self, method: &str, target: &str, body: &[u8]) -> &mut Self {
        let length = body.len();
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
        self.send([head.as_bytes(), body].concat())
    }

    /// GET, and its answer.
    pub fn get(&mut self, target: &str) -> Reply {
        self.request("GET", target).reply()
    }

    /// The next answer.
    ///
    /// # Panics
    /// When the connection ends without one.
    pub fn reply(&mut self) -> Reply {
        self.try_reply(false)
            .unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// The next answer, of which only the head is to come: it answers HEAD.
    pub fn reply_to_head(&mut self) -> Reply {
        self.try_reply(true)
            .unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// The next answer, interim ones passed over.
    ///
    /// # Errors
    /// The connection ends before the head of an answer is whole.
    pub fn try_reply(&mut self, to_head: bool) -> io::Result<Reply> {
        let (status, fields) = self.head()?;
        if (100..200).contains(&status) && status != 101 {
            return self.try_reply(to_head);
        }
        let mut body = Vec::new();
        let bodiless = to_head || matches!(status, 101 | 204 | 304);
        let ended = match bodiless {
            true => Ok(()),
            false => message::body(&mut self.reader, &fields, true, &mut body),
        };
        Ok(Reply {
            status,
            fields,
            body,
            complete: ended.is_ok(),
        })
    }

    /// The head of the next answer, whose body is left to read.
    ///
    /// # Errors
    /// The connection ends before it is whole.
    pub fn head(&mut self) -> io::Result<(u16, Fields)> {
        let head = message::head(&mut self.reader)?;
        let (start, fields) = head.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = start.split(' ').nth(1).and_then(|word| word.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, fields))
    }

    /// Exactly this many bytes, as they came.
    ///
    /// # Panics
    /// When the connection ends before.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads until the bytes that came end so, and returns them.
    ///
    /// # Panics
    /// When the connection ends before.
    pub fn bytes_until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            bytes.extend(self.bytes(1));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether the peer has closed, with nothing left to read. Waits for one or the other.
    pub fn is_closed(&mut self) -> bool {
        match self.reader.fill_buf() {
            Ok(rest) => rest.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) -> &mut Self {
        let _ = self.stream.shutdown(Shutdown::Write);
        self
    }
}

impl Reply {
    /// The first field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.fields.first(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
