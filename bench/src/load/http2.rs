//! A minimal HTTP/2 client (RFC 9113): many streams, no push, no priorities, windows too large to matter for answers.

use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use httlib_hpack::Decoder;

use super::request::Requests;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// Window that is offered for each stream and for the connection, in bytes.
const WINDOW: u32 = 16 << 20;

/// How one request ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Done(Instant),
    Failed(Instant, String),
    /// The server says that it did not look at it: to be sent again on another connection.
    Refused(Instant),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    decoder: Decoder<'static>,
    /// Received bytes of a frame that is not complete.
    input: Vec<u8>,
    /// Bytes to send.
    pub(super) output: Vec<u8>,
    next_stream: u32,
    /// Bytes of DATA that the server lets this connection send.
    window: i64,
    /// DATA received since the last window update.
    consumed: u32,
    streams: Vec<Stream>,
    block: Vec<u8>,
    block_ends_stream: bool,
    /// The server takes no more streams.
    pub(super) draining: bool,
}

#[derive(Debug)]
struct Stream {
    id: u32,
    due: Instant,
    body: usize,
    fault: Option<String>,
    ok: bool,
}

impl Session {
    /// A connection whose preface and settings wait to be sent.
    pub(super) fn new() -> Self {
        let mut output = PREFACE.to_vec();
        let mut settings = Vec::new();
        // SETTINGS_ENABLE_PUSH = 0, SETTINGS_INITIAL_WINDOW_SIZE (section 6.5.2).
        for (id, value) in [(2_u16, 0_u32), (4, WINDOW)] {
            settings.extend(id.to_be_bytes());
            settings.extend(value.to_be_bytes());
        }
        frame(&mut output, SETTINGS, 0, 0, &settings);
        frame(
            &mut output,
            WINDOW_UPDATE,
            0,
            0,
            &(WINDOW - 65_535).to_be_bytes(),
        );
        Self {
            decoder: Decoder::with_dynamic_size(4_096),
            input: Vec::new(),
            output,
            next_stream: 1,
            window: 65_535,
            consumed: 0,
            streams: Vec::new(),
            block: Vec::new(),
            block_ends_stream: false,
            draining: false,
        }
    }

    pub(super) fn idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// Queues a request; false where the server's windows or a GOAWAY forbid it now.
    pub(super) fn send(&mut self, requests: &Requests, due: Instant) -> bool {
        let body = requests.data.as_deref();
        let length = i64::try_from(body.map_or(0, <[u8]>::len)).unwrap_or(i64::MAX);
        if self.draining || length > self.window {
            return false;
        }
        let block = if self.next_stream == 1 {
            &requests.first_block
        } else {
            &requests.later_block
        };
        let flags = if body.is_none() {
            END_HEADERS | END_STREAM
        } else {
            END_HEADERS
        };
        frame(&mut self.output, HEADERS, flags, self.next_stream, block);
        if let Some(body) = body {
            frame(&mut self.output, DATA, END_STREAM, self.next_stream, body);
            self.window -= length;
        }
        self.streams.push(Stream {
            id: self.next_stream,
            due,
            body: 0,
            fault: None,
            ok: !requests.grpc,
        });
        self.next_stream += 2;
        true
    }

    /// Requests that have no answer yet.
    pub(super) fn take_unanswered(&mut self) -> impl Iterator<Item = Instant> {
        self.streams.drain(..).map(|stream| stream.due)
    }

    /// Due times of requests without an answer.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = Instant> {
        self.streams.iter().map(|stream| stream.due)
    }

    /// Takes received bytes and reports what ended.
    ///
    /// # Errors
    /// A frame or header block that no server may send.
    pub(super) fn feed(&mut self, bytes: &[u8], outcomes: &mut Vec<Outcome>) -> Result<()> {
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut rest = input.as_slice();
        while let Some((head, after)) = rest.split_first_chunk::<9>() {
            let [a, b, c, kind, flags, d, e, f, g] = *head;
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c]))?;
            let Some((payload, after)) = after.split_at_checked(length) else {
                break;
            };
            rest = after;
            self.frame(
                kind,
                flags,
                u32::from_be_bytes([d & 0x7f, e, f, g]),
                payload,
                outcomes,
            )?;
        }
        let used = input.len() - rest.len();
        input.drain(..used);
        self.input = input;
        if self.consumed > WINDOW / 2 {
            frame(
                &mut self.output,
                WINDOW_UPDATE,
                0,
                0,
                &self.consumed.to_be_bytes(),
            );
            self.consumed = 0;
        }
        Ok(())
    }

    fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        id: u32,
        payload: &[u8],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        match kind {
            DATA => {
                self.consumed += u32::try_from(payload.len())?;
                if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
                    stream.body += payload.len();
                }
                if flags & END_STREAM != 0 {
                    self.end(id, outcomes);
                }
            }
            HEADERS => {
                self.block_ends_stream = flags & END_STREAM != 0;
                self.block.clear();
                self.block.extend_from_slice(
                    unpadded(flags, payload).ok_or_else(|| anyhow!("malformed HEADERS"))?,
                );
                if flags & END_HEADERS != 0 {
                    self.header_block(id, outcomes)?;
                }
            }
            CONTINUATION => {
                self.block.extend_from_slice(payload);
                if flags & END_HEADERS != 0 {
                    self.header_block(id, outcomes)?;
                }
            }
            RST_STREAM => self.reset(id, payload, outcomes),
            SETTINGS if flags & ACK == 0 => frame(&mut self.output, SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => frame(&mut self.output, PING, ACK, 0, payload),
            WINDOW_UPDATE if id == 0 => self.window += i64::from(number(payload)),
            GOAWAY => {
                self.draining = true;
                let last = number(payload) & 0x7fff_ffff;
                let refused = self.streams.extract_if(.., |stream| stream.id > last);
                outcomes.extend(refused.map(|stream| Outcome::Refused(stream.due)));
            }
            _ => {}
        }
        Ok(())
    }

    fn header_block(&mut self, id: u32, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let mut fields = Vec::with_capacity(16);
        self.decoder
            .decode(&mut self.block, &mut fields)
            .map_err(|error| anyhow!("header block: {error:?}"))?;
        ensure!(self.block.is_empty(), "header block not consumed");
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
            for (name, value, _) in &fields {
                match name.as_slice() {
                    b":status" if value != b"200" => {
                        stream.fault = Some(format!("status {}", String::from_utf8_lossy(value)));
                    }
                    b"grpc-status" if value == b"0" => stream.ok = true,
                    b"grpc-status" => {
                        stream.fault =
                            Some(format!("grpc-status {}", String::from_utf8_lossy(value)));
                    }
                    _ => {}
                }
            }
        }
        if self.block_ends_stream {
            self.end(id, outcomes);
        }
        Ok(())
    }

    fn end(&mut self, id: u32, outcomes: &mut Vec<Outcome>) {
        let Some(place) = self.streams.iter().position(|stream| stream.id == id) else {
            return;
        };
        let stream = self.streams.swap_remove(place);
        outcomes.push(match stream.fault {
            Some(fault) => Outcome::Failed(stream.due, fault),
            None if !stream.ok => Outcome::Failed(stream.due, "no grpc-status".to_owned()),
            None if stream.body == 0 => Outcome::Failed(stream.due, "empty answer".to_owned()),
            None => Outcome::Done(stream.due),
        });
    }

    fn reset(&mut self, id: u32, payload: &[u8], outcomes: &mut Vec<Outcome>) {
        const REFUSED_STREAM: u32 = 7;
        let Some(place) = self.streams.iter().position(|stream| stream.id == id) else {
            return;
        };
        let stream = self.streams.swap_remove(place);
        outcomes.push(match number(payload) {
            REFUSED_STREAM => Outcome::Refused(stream.due),
            code => Outcome::Failed(stream.due, format!("stream reset, code {code}")),
        });
    }
}

/// A HEADERS payload without padding and priority (section 6.2).
fn unpadded(flags: u8, mut payload: &[u8]) -> Option<&[u8]> {
    if flags & PADDED != 0 {
        let (padding, rest) = payload.split_first()?;
        payload = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
    }
    if flags & PRIORITY != 0 {
        payload = payload.get(5..)?;
    }
    Some(payload)
}

fn number(payload: &[u8]) -> u32 {
    // GOAWAY, WINDOW_UPDATE and RST_STREAM all begin with 32 bits.
    payload
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn frame(output: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len())
        .unwrap_or_default()
        .to_be_bytes();
    output.extend_from_slice(length.get(1..).unwrap_or_default());
    output.extend([kind, flags]);
    output.extend(stream.to_be_bytes());
    output.extend_from_slice(payload);
}
