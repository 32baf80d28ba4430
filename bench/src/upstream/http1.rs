//! The HTTP/1.1 origin: 100 bytes of JSON for any path, `/bytes/N` for N bytes, and the length of what was posted.
//! `/fault/KIND/PREFIX` lets paths with this prefix fail from then on, and `/fault/none/` nothing any more.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Result, bail, ensure};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::fault::{Fault, Faults};

const JSON: &str = r#"{"id":42,"name":"a small answer","tags":["alpha","beta","gamma"],"price":1999,"stock":true,"n":1234}"#;
/// What `/bytes/N` sends, over and over.
static BLOCK: [u8; 64 << 10] = [b'x'; 64 << 10];
/// Bytes of a huge answer: a text of JSON.
const HUGE: usize = 8 << 20;
const LISTENER: u64 = u64::MAX;

/// Serves until an error of the event loop itself.
pub(super) fn serve(listener: &TcpListener) -> Result<()> {
    const { assert!(JSON.len() == 100) };
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut events = Vec::with_capacity(256);
    let mut faults = Faults::default();
    loop {
        events.clear();
        match epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            if event.data.u64() == LISTENER {
                accept(listener, &epoll, &mut connections, &mut free)?;
                continue;
            }
            let index = usize::try_from(event.data.u64())?;
            let Some(slot) = connections.get_mut(index) else {
                continue;
            };
            let Some(connection) = slot else { continue };
            // A broken client is the client's trouble: its connection ends.
            if !connection
                .advance(&mut buffer, &epoll, index, &mut faults)
                .unwrap_or(false)
            {
                *slot = None;
                free.push(index);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    epoll: &OwnedFd,
    connections: &mut Vec<Option<Connection>>,
    free: &mut Vec<usize>,
) -> Result<()> {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let index = free.pop().unwrap_or(connections.len());
        epoll::add(
            epoll,
            &stream,
            EventData::new_u64(index as u64),
            EventFlags::IN,
        )?;
        let connection = Connection::new(stream);
        match connections.get_mut(index) {
            Some(slot) => *slot = Some(connection),
            None => connections.push(Some(connection)),
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// Bytes of a request head that is not complete.
    head: Vec<u8>,
    /// Bytes of the request body still to come, and how many there are in all.
    body: Option<(usize, usize)>,
    /// What is to be sent before the blocks.
    output: Vec<u8>,
    /// Bytes of blocks still to be sent.
    blocks: usize,
    /// What is to be sent after the blocks.
    end: &'static [u8],
    close: bool,
    blocked: bool,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            head: Vec::new(),
            body: None,
            output: Vec::new(),
            blocks: 0,
            end: b"",
            close: false,
            blocked: false,
        }
    }

    /// Whether the connection goes on.
    fn advance(
        &mut self,
        buffer: &mut [u8],
        epoll: &OwnedFd,
        index: usize,
        faults: &mut Faults,
    ) -> Result<bool> {
        if !self.blocked {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => self.feed(buffer.get(..read).unwrap_or_default(), faults)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        let blocked = !self.flush()?;
        if blocked != self.blocked {
            self.blocked = blocked;
            let flags = if blocked {
                EventFlags::OUT
            } else {
                EventFlags::IN
            };
            epoll::modify(epoll, &self.stream, EventData::new_u64(index as u64), flags)?;
        }
        Ok(blocked || !self.close)
    }

    fn feed(&mut self, mut bytes: &[u8], faults: &mut Faults) -> Result<()> {
        while !bytes.is_empty() {
            if let Some((left, total)) = self.body {
                let taken = left.min(bytes.len());
                bytes = bytes.get(taken..).unwrap_or_default();
                self.body = Some((left - taken, total));
                if left == taken {
                    self.body = None;
                    self.answer(format!("{{\"length\":{total}}}").as_bytes());
                }
                continue;
            }
            if self.head.is_empty() {
                let Some(length) = self.request(bytes, faults)? else {
                    self.head.extend_from_slice(bytes);
                    return Ok(());
                };
                bytes = bytes.get(length..).unwrap_or_default();
                continue;
            }
            let mut head = std::mem::take(&mut self.head);
            let before = head.len();
            head.extend_from_slice(bytes);
            let Some(length) = self.request(&head, faults)? else {
                self.head = head;
                return Ok(());
            };
            bytes = bytes
                .get(length.saturating_sub(before)..)
                .unwrap_or_default();
        }
        Ok(())
    }

    /// Reads a request head and answers it where no body follows. Its length, if it is all there.
    fn request(&mut self, bytes: &[u8], faults: &mut Faults) -> Result<Option<usize>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = request.parse(bytes)? else {
            return Ok(None);
        };
        let mut body = 0;
        for header in request.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                body = std::str::from_utf8(header.value)?.parse()?;
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("a request body without a length");
            } else if header.name.eq_ignore_ascii_case("connection") {
                self.close = header.value.eq_ignore_ascii_case(b"close");
            }
        }
        let path = request.path.unwrap_or_default();
        if body > 0 {
            self.body = Some((body, body));
        } else if let Some(fault) = faults.of(path) {
            self.fail(fault)?;
        } else if let Some(count) = path.strip_prefix("/bytes/") {
            ensure!(self.blocks == 0, "pipelined download");
            self.blocks = count.parse()?;
            let length = self.blocks;
            self.head_of_answer(length, "application/octet-stream");
        } else {
            self.answer(JSON.as_bytes());
        }
        Ok(Some(length))
    }

    fn fail(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Slow => {}
            Fault::Down => bail!("it is down"),
            Fault::Wrong => self.answer(b"<html>not what was asked for</html>"),
            Fault::Huge => {
                self.head_of_answer(HUGE + 2, "application/json");
                self.output.push(b'"');
                (self.blocks, self.end) = (HUGE, b"\"");
            }
        }
        Ok(())
    }

    fn answer(&mut self, body: &[u8]) {
        self.head_of_answer(body.len(), "application/json");
        self.output.extend_from_slice(body);
    }

    fn head_of_answer(&mut self, length: usize, kind: &str) {
        self.output
            .extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: ");
        self.output.extend_from_slice(kind.as_bytes());
        self.output.extend_from_slice(b"\r\ncontent-length: ");
        self.output.extend_from_slice(length.to_string().as_bytes());
        self.output.extend_from_slice(b"\r\n\r\n");
    }

    /// Whether everything is sent.
    fn flush(&mut self) -> io::Result<bool> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(written) => drop(self.output.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        while self.blocks > 0 {
            let block = BLOCK
                .get(..self.blocks.min(BLOCK.len()))
                .unwrap_or_default();
            match self.stream.write(block) {
                Ok(written) => self.blocks -= written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        while !self.end.is_empty() {
            match self.stream.write(self.end) {
                Ok(written) => self.end = self.end.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
