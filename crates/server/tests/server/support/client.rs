//! A blocking HTTP/1 client that says exactly what it is told.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
};

use super::PATIENCE;

trait Io: Read + Write + Send {}
impl<T: Read + Write + Send> Io for T {}

/// One connection.
pub(crate) struct Client {
    io: Box<dyn Io>,
    read: Vec<u8>,
}

/// An answer whose length its head tells.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Whether the connection ends with this answer.
    pub(crate) fn closes(&self) -> bool {
        self.head
            .to_ascii_lowercase()
            .contains("\r\nconnection: close")
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let io = TcpStream::connect(address)?;
        io.set_read_timeout(Some(PATIENCE))?;
        io.set_nodelay(true)?;
        Ok(Self::new(io))
    }

    pub(crate) fn connect_unix(path: &Path) -> Self {
        let io = UnixStream::connect(path).unwrap();
        io.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::new(io)
    }

    fn new(io: impl Read + Write + Send + 'static) -> Self {
        Self {
            io: Box::new(io),
            read: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.io.write_all(bytes.as_ref())
    }

    /// Asks for a path and reads the answer.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.try_get(path).unwrap()
    }

    pub(crate) fn try_get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n"))?;
        self.answer()
    }

    /// Reads one answer.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let end = loop {
            let found = self
                .read
                .windows(4)
                .position(|window| window == b"\r\n\r\n");
            match found {
                Some(at) => break at + 4,
                None => self.fill()?,
            }
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let status = head[9..12].parse().unwrap();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().unwrap())
        });
        let length = length.unwrap_or(0);
        while self.read.len() < length {
            self.fill()?;
        }
        let body = self.read.drain(..length).collect();
        let body = String::from_utf8(body).unwrap();
        Ok(Answer { status, head, body })
    }

    /// Reads exactly these bytes.
    pub(crate) fn expect(&mut self, bytes: &str) {
        while self.read.len() < bytes.len() {
            self.fill().unwrap();
        }
        let got: Vec<u8> = self.read.drain(..bytes.len()).collect();
        assert_eq!(String::from_utf8_lossy(&got), bytes);
    }

    /// Whether the other side ends the connection without another byte.
    pub(crate) fn is_closed(&mut self) -> bool {
        assert!(self.read.is_empty());
        match self.fill() {
            Ok(()) => false,
            Err(error) => !matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ),
        }
    }

    /// Forgets what was read.
    pub(crate) fn discard(&mut self) {
        self.read.clear();
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let count = self.io.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}
