//! What one client waits for, over a line of a given length.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line to an address that holds what passes back for half a round trip each way, however much there is of it.
#[derive(Debug)]
pub(crate) struct Distance {
    address: SocketAddr,
}

impl Distance {
    /// Opens the line; without a length it is the address itself. It lasts as long as the process.
    ///
    /// # Errors
    /// There is no port.
    pub(crate) fn open(to: SocketAddr, round_trip: Duration) -> Result<Self> {
        if round_trip.is_zero() {
            return Ok(Self { address: to });
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // The client sees a line that can't be opened as a connection that closes.
                let _ = lay(&near, to, round_trip / 2);
            }
        });
        Ok(Self { address })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

fn lay(near: &TcpStream, to: SocketAddr, half: Duration) -> io::Result<()> {
    let far = TcpStream::connect(to)?;
    carry(near.try_clone()?, far.try_clone()?, half);
    carry(far, near.try_clone()?, half);
    Ok(())
}

/// Carries one direction until it ends.
fn carry(mut from: TcpStream, mut to: TcpStream, half: Duration) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let piece = buffer.get(..read).unwrap_or_default().to_vec();
            if send.send((Instant::now() + half, piece)).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        let _ = to.set_nodelay(true);
        for (due, piece) in receive {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}

/// What a client needs before it can show something.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) paths: Vec<String>,
    /// Each over a connection of its own at the same time, or one after the other over one.
    pub(crate) together: bool,
}

impl Screen {
    /// The connections that it takes.
    ///
    /// # Errors
    /// One can't be opened.
    pub(crate) fn connect(&self, to: SocketAddr) -> Result<Vec<Connection>> {
        let count = if self.together { self.paths.len() } else { 1 };
        (0..count).map(|_| Connection::open(to)).collect()
    }

    /// Asks for everything, and reads all of it.
    ///
    /// # Errors
    /// An answer is not a whole 200.
    pub(crate) fn show(&self, connections: &mut [Connection]) -> Result<()> {
        if self.together {
            for (connection, path) in connections.iter_mut().zip(&self.paths) {
                connection.ask(path)?;
            }
            return connections.iter_mut().try_for_each(Connection::success);
        }
        let connection = connections.first_mut().context("no connection")?;
        for path in &self.paths {
            connection.ask(path)?;
            connection.success()?;
        }
        Ok(())
    }
}

/// A kept connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// # Errors
    /// Nobody takes it.
    pub(crate) fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn ask(&mut self, path: &str) -> Result<()> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: bench.example\r\naccept: application/json\r\n\r\n"
        );
        Ok(self.stream.write_all(request.as_bytes())?)
    }

    fn success(&mut self) -> Result<()> {
        let status = self.answer()?;
        ensure!(status == 200, "answered with {status}");
        Ok(())
    }

    /// Reads an answer to its end: its status.
    ///
    /// # Errors
    /// It does not come, breaks off, or has no length.
    pub(crate) fn answer(&mut self) -> Result<u16> {
        self.read.clear();
        let mut buffer = [0; 64 << 10];
        let mut wanted = None;
        loop {
            if wanted.is_none() {
                wanted = head(&self.read)?;
            }
            if let Some((status, length)) = wanted
                && self.read.len() >= length
            {
                return Ok(status);
            }
            let read = self.stream.read(&mut buffer)?;
            ensure!(read > 0, "the connection ended");
            self.read
                .extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
    }
}

/// Status and length in all of an answer whose head is there.
fn head(answer: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(answer)? else {
        return Ok(None);
    };
    let field = head
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let field = field.context("an answer without a length")?;
    let body: usize = std::str::from_utf8(field.value)?.parse()?;
    Ok(Some((head.code.unwrap_or_default(), length + body)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_head_tells_how_long_the_answer_is() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for length in 0..answer.len() - 2 {
            assert_eq!(
                head(answer.get(..length).unwrap()).unwrap(),
                None,
                "{length}"
            );
        }
        assert_eq!(head(answer).unwrap(), Some((200, answer.len())));
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn a_line_takes_its_time_and_loses_nothing() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4];
            stream.read_exact(&mut buffer).unwrap();
            stream.write_all(&buffer).unwrap();
        });
        let round_trip = Duration::from_millis(40);
        let line = Distance::open(to, round_trip).unwrap();
        let mut stream = TcpStream::connect(line.address()).unwrap();
        let begun = Instant::now();
        stream.write_all(b"ping").unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert_eq!(back, b"ping");
        assert!(begun.elapsed() >= round_trip);
    }
}
