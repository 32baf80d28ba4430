//! Scripted HTTP/1 origins: real sockets, bytes by hand.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// An origin on a thread of its own, with a thread for each connection.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    seen: Arc<Sightings>,
}

#[derive(Default)]
struct Sightings {
    connections: AtomicUsize,
    closed: AtomicUsize,
    requests: Mutex<Vec<Seen>>,
}

/// One request as the origin saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Which connection, from 0.
    pub(super) connection: usize,
    /// Which request of that connection, from 0.
    pub(super) turn: usize,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// What the origin does about a request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Writes this, and waits for the next request.
    Say(String),
    /// Writes this, and closes in good order.
    SayAndClose(String),
    /// Writes this, and then nothing more until the gateway hangs up.
    SayAndStall(String),
    /// Closes without a word.
    Close,
    /// Resets the connection.
    Reset,
}

/// A plain answer with a body.
pub(super) fn ok(body: &str) -> Act {
    Act::Say(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

impl Origin {
    pub(super) fn start(script: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    pub(super) fn serve(
        listener: TcpListener,
        script: impl Fn(&Seen) -> Act + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Sightings::default());
        let (shared, script) = (Arc::clone(&seen), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = shared.connections.fetch_add(1, SeqCst);
                let (shared, script) = (Arc::clone(&shared), Arc::clone(&script));
                thread::spawn(move || {
                    converse(stream.unwrap(), connection, &*script, &shared);
                    shared.closed.fetch_add(1, SeqCst);
                });
            }
        });
        Self { address, seen }
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }

    /// Connections that have ended, from whichever side.
    pub(super) fn closed(&self) -> usize {
        self.seen.closed.load(SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.seen.requests.lock().unwrap().clone()
    }
}

fn converse(
    mut stream: TcpStream,
    connection: usize,
    script: &dyn Fn(&Seen) -> Act,
    sightings: &Sightings,
) {
    let mut buffer = Vec::new();
    for turn in 0.. {
        let Some((head, body)) = read_request(&mut stream, &mut buffer) else {
            return;
        };
        let seen = Seen {
            connection,
            turn,
            head,
            body,
        };
        sightings.requests.lock().unwrap().push(seen.clone());
        match script(&seen) {
            Act::Say(text) => stream.write_all(text.as_bytes()).unwrap(),
            Act::SayAndClose(text) => return stream.write_all(text.as_bytes()).unwrap(),
            Act::SayAndStall(text) => {
                stream.write_all(text.as_bytes()).unwrap();
                while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {}
                return;
            }
            Act::Close => return,
            Act::Reset => {
                return socket2::SockRef::from(&stream)
                    .set_linger(Some(std::time::Duration::ZERO))
                    .unwrap();
            }
        }
    }
}

/// One request from the stream; bytes after it stay in `buffer`.
fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, buffer)?;
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
    let fields = head.to_ascii_lowercase();
    let body = if fields.contains("transfer-encoding: chunked") {
        let end = loop {
            if let Some(end) = find(buffer, b"0\r\n\r\n") {
                break end + 5;
            }
            more(stream, buffer)?;
        };
        buffer.drain(..end).collect()
    } else {
        let length = fields
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        while buffer.len() < length.unwrap_or(0) {
            more(stream, buffer)?;
        }
        buffer.drain(..length.unwrap_or(0)).collect()
    };
    Some((head, body))
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
    buffer.extend_from_slice(&chunk[..count]);
    Some(())
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
