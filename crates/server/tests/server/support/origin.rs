//! An upstream that does what the path of a request says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

/// A scripted origin.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    held: AtomicUsize,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Origin {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || drop(serve(stream, &state)));
            }
        });
        Self { address, state }
    }

    /// Requests for `/held` that are waiting.
    pub(crate) fn held(&self) -> usize {
        self.state.held.load(SeqCst)
    }

    /// Answers all requests for `/held`, now and later.
    pub(crate) fn release(&self) {
        *self.state.open.lock().unwrap() = true;
        self.state.opened.notify_all();
    }
}

fn serve(stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let path = head.split(' ').nth(1).unwrap_or("").to_owned();
        if path == "/switch" {
            stream.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
            )?;
            std::io::copy(&mut reader, &mut stream)?;
            return Ok(());
        }
        if path == "/unread" {
            state.held.fetch_add(1, SeqCst);
            let open = state.open.lock().unwrap();
            drop(state.opened.wait_while(open, |open| !*open).unwrap());
            state.held.fetch_sub(1, SeqCst);
            return Ok(());
        }
        if path == "/websocket" {
            let accept = websocket_accept(&head);
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
            );
            stream.write_all(answer.as_bytes())?;
            std::io::copy(&mut reader, &mut stream)?;
            return Ok(());
        }
        if path == "/refuse" {
            let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
            return stream.write_all(answer);
        }
        if path == "/hints" {
            for link in ["one", "two"] {
                let hint = format!(
                    "HTTP/1.1 103 Early Hints\r\nLink: </{link}>; rel=preload\r\nConnection: x\r\n\r\n"
                );
                stream.write_all(hint.as_bytes())?;
            }
        }
        if path == "/continue" {
            let expected = head.to_ascii_lowercase().contains("expect: 100-continue");
            assert!(expected && reader.buffer().is_empty(), "{head}");
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = read_body(&mut reader, &head)?;
        match path.as_str() {
            "/head" => answer(&mut stream, head.as_bytes())?,
            "/length" | "/continue" => answer(&mut stream, body.to_string().as_bytes())?,
            "/big" => answer(&mut stream, &vec![b'x'; 8 << 20])?,
            "/broken" => {
                return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
            }
            "/held" => {
                state.held.fetch_add(1, SeqCst);
                let open = state.open.lock().unwrap();
                drop(state.opened.wait_while(open, |open| !*open).unwrap());
                state.held.fetch_sub(1, SeqCst);
                answer(&mut stream, b"held")?;
            }
            _ => answer(&mut stream, b"hello")?,
        }
    }
}

/// RFC 6455 §4.2.2; a wrong one for `/websocket` with a protocol of `broken`.
fn websocket_accept(head: &str) -> String {
    let field = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).unwrap_or_default()
    };
    assert!(head.starts_with("GET "), "{head}");
    assert_eq!(field("upgrade"), "websocket");
    assert_eq!(field("sec-websocket-version"), "13");
    if field("sec-websocket-protocol") == "broken" {
        return "bm90IGEgZGlnZXN0".to_owned();
    }
    let key = field("sec-websocket-key").to_owned() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    STANDARD.encode(Sha1::digest(key))
}

fn answer(stream: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat())
}

fn read_body(reader: &mut BufReader<TcpStream>, head: &str) -> std::io::Result<u64> {
    let head = head.to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        let mut total = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
            std::io::copy(&mut reader.take(size + 2), &mut std::io::sink())?;
            total += size;
            if size == 0 {
                return Ok(total);
            }
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.trim().parse().unwrap());
    std::io::copy(&mut reader.take(length), &mut std::io::sink())
}
