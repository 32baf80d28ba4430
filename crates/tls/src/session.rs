//! Drives rustls' unbuffered connections: records in, plaintext and records out.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedConnectionCommon,
    UnbufferedStatus, WriteTraffic,
};
use tokio::io::ReadBuf;

use crate::scratch::Output;

/// The rustls state of one connection, either side.
pub(crate) enum Session {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What to do once the session may carry application data.
#[derive(Clone, Copy)]
pub(crate) enum Goal<'a> {
    /// Take in records until the sink is full or more bytes are needed.
    Read,
    /// Encrypt these bytes, all of them.
    Seal(&'a [u8]),
    /// Announce the end of our data (RFC 8446 §6.1).
    CloseNotify,
}

/// Why a [`Session::drive`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Every complete record is taken in: more bytes from the peer are needed.
    Starved,
    /// The sink is full; there may be more complete records.
    Full,
    /// The goal's bytes are in the output.
    Done,
}

/// What one [`Session::drive`] did.
pub(crate) struct Driven {
    /// Bytes of the input that are taken in and must not be shown again.
    pub(crate) consumed: usize,
    /// The peer announced the end of its data.
    pub(crate) peer_closed: bool,
    pub(crate) result: Result<Progress, rustls::Error>,
}

/// Decrypted bytes: into the reader's buffer while it has room, and kept for the next read after.
pub(crate) struct Sink<'a, 'b> {
    pub(crate) direct: Option<&'a mut ReadBuf<'b>>,
    pub(crate) spill: &'a mut Spill,
}

/// A byte queue that gives its memory back when it runs empty.
#[derive(Default)]
pub(crate) struct Spill {
    bytes: Vec<u8>,
    taken: usize,
}

impl Session {
    /// Feeds `input` to the session, passes plaintext to `sink`, appends records for the peer to
    /// `output`, and works towards `goal`. On an error the alert for the peer is in `output`.
    pub(crate) fn drive(
        &mut self,
        input: &mut [u8],
        sink: &mut Sink<'_, '_>,
        output: &mut Output,
        goal: Goal<'_>,
    ) -> Driven {
        match self {
            Self::Client(connection) => drive(&mut **connection, input, sink, output, goal),
            Self::Server(connection) => drive(&mut **connection, input, sink, output, goal),
        }
    }

    /// The state that both sides have in common.
    pub(crate) fn common(&self) -> &rustls::CommonState {
        match self {
            Self::Client(connection) => connection,
            Self::Server(connection) => connection,
        }
    }
}

/// The one call that rustls defines once for each side.
trait Records {
    type Side;

    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Side>;

    fn wants_write(&self) -> bool;
}

impl Records for UnbufferedConnectionCommon<ClientConnectionData> {
    type Side = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Side> {
        self.process_tls_records(input)
    }

    fn wants_write(&self) -> bool {
        rustls::CommonState::wants_write(self)
    }
}

impl Records for UnbufferedConnectionCommon<ServerConnectionData> {
    type Side = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Side> {
        self.process_tls_records(input)
    }

    fn wants_write(&self) -> bool {
        rustls::CommonState::wants_write(self)
    }
}

fn drive<C: Records + ?Sized>(
    connection: &mut C,
    input: &mut [u8],
    sink: &mut Sink<'_, '_>,
    output: &mut Output,
    goal: Goal<'_>,
) -> Driven {
    let mut driven = Driven {
        consumed: 0,
        peer_closed: false,
        result: Ok(Progress::Starved),
    };
    loop {
        let rest = input.get_mut(driven.consumed..).unwrap_or_default();
        let status = connection.process(rest);
        let mut discard = status.discard;
        let step = match status.state {
            Ok(state) => take_step(state, sink, output, goal, &mut driven, &mut discard),
            Err(error) => {
                driven.consumed += discard;
                emit_alert(connection, sink, output);
                driven.result = Err(error);
                return driven;
            }
        };
        driven.consumed += discard;
        match step {
            Ok(None) => {}
            Ok(Some(progress)) => {
                driven.result = Ok(progress);
                return driven;
            }
            Err(error) => {
                driven.result = Err(error);
                return driven;
            }
        }
    }
}

/// Handles one state; `None` means go on.
fn take_step<Side>(
    state: ConnectionState<'_, '_, Side>,
    sink: &mut Sink<'_, '_>,
    output: &mut Output,
    goal: Goal<'_>,
    driven: &mut Driven,
    discard: &mut usize,
) -> Result<Option<Progress>, rustls::Error> {
    match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record?;
                *discard += record.discard;
                sink.push(record.payload);
            }
            let full = matches!(goal, Goal::Read) && sink.is_full();
            Ok(full.then_some(Progress::Full))
        }
        ConnectionState::EncodeTlsData(data) => encode(data, output).map(|()| None),
        ConnectionState::TransmitTlsData(sent) => {
            sent.done();
            Ok(None)
        }
        ConnectionState::WriteTraffic(traffic) => traffic_step(traffic, output, goal).map(Some),
        ConnectionState::PeerClosed => {
            driven.peer_closed = true;
            Ok(None)
        }
        ConnectionState::Closed | ConnectionState::BlockedHandshake => Ok(Some(Progress::Starved)),
        // Early data is never accepted (`max_early_data_size` stays 0: it can be replayed,
        // RFC 8446 §8), and rustls has no further states.
        _ => Err(rustls::Error::General("unexpected TLS state".into())),
    }
}

fn traffic_step<Side>(
    mut traffic: WriteTraffic<'_, Side>,
    output: &mut Output,
    goal: Goal<'_>,
) -> Result<Progress, rustls::Error> {
    /// Room for the header, the tag and the padding byte of a record, and to spare.
    const OVERHEAD: usize = 64;
    let (first_try, plain) = match goal {
        Goal::Read => return Ok(Progress::Starved),
        Goal::Seal(plain) => {
            let records = plain.len().div_ceil(16 * 1024) + 1;
            (plain.len() + records * OVERHEAD, Some(plain))
        }
        Goal::CloseNotify => (OVERHEAD, None),
    };
    let mut room = first_try;
    for _ in 0..2 {
        let spare = output.spare(room);
        let written = match plain {
            Some(plain) => traffic.encrypt(plain, spare),
            None => traffic.queue_close_notify(spare),
        };
        match written {
            Ok(written) => {
                output.advance(written);
                return Ok(Progress::Done);
            }
            Err(EncryptError::InsufficientSize(size)) => room = size.required_size,
            Err(EncryptError::EncryptExhausted) => break,
        }
    }
    Err(rustls::Error::EncryptError)
}

fn encode<Side>(
    mut data: EncodeTlsData<'_, Side>,
    output: &mut Output,
) -> Result<(), rustls::Error> {
    let room = match data.encode(&mut []) {
        Err(EncodeError::InsufficientSize(size)) => size.required_size,
        Ok(_) | Err(EncodeError::AlreadyEncoded) => return Ok(()),
    };
    match data.encode(output.spare(room)) {
        Ok(written) => {
            output.advance(written);
            Ok(())
        }
        Err(_) => Err(rustls::Error::EncryptError),
    }
}

/// After an error rustls holds the alert that tells the peer. Only `wants_write` states may be
/// stepped through now: going on to the records would process the offending one again.
fn emit_alert<C: Records + ?Sized>(
    connection: &mut C,
    sink: &mut Sink<'_, '_>,
    output: &mut Output,
) {
    while connection.wants_write() {
        match connection.process(&mut []).state {
            Ok(ConnectionState::EncodeTlsData(data)) => {
                if encode(data, output).is_err() {
                    return;
                }
            }
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(Ok(record)) = traffic.next_record() {
                    sink.push(record.payload);
                }
            }
            _ => return,
        }
    }
}

impl Sink<'_, '_> {
    fn push(&mut self, plain: &[u8]) {
        let mut rest = plain;
        if let Some(direct) = &mut self.direct
            && self.spill.is_empty()
        {
            let fits = direct.remaining().min(rest.len());
            let (now, later) = rest.split_at_checked(fits).unwrap_or((rest, &[]));
            direct.put_slice(now);
            rest = later;
        }
        self.spill.push(rest);
    }

    fn is_full(&self) -> bool {
        match &self.direct {
            Some(direct) => direct.remaining() == 0,
            None => !self.spill.is_empty(),
        }
    }
}

impl Spill {
    pub(crate) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// The bytes that have not been taken yet.
    pub(crate) fn rest(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Drops `count` bytes from the front, and the memory with the last of them.
    pub(crate) fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken >= self.bytes.len() {
            *self = Self::default();
        }
    }

    /// Bytes of memory held.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
