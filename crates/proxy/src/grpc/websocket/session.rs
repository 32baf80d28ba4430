//! One WebSocket from its opening to its end: one call.

use std::{cell::Cell, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, request};
use http_body::Body as _;
use lintel_grpc::{
    BadRequest, Binding,
    frame::{self, Encoding, Messages},
    status::{self, Status},
};
use lintel_http::{Body, http1::Timer};
use lintel_kernel::{GrpcCode, Outcome};
use lintel_upstream::{Call, Rules, Service, Tried, deadline::Deadline};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use super::{
    super::{Grpc, problem},
    inlet::Inlet,
    socket::{Ended, Socket},
};
use crate::{active::Active, dispatch};

/// How long a client may take to answer the end of the connection.
const LINGER: Duration = Duration::from_secs(1);

/// Close codes for applications begin here (RFC 6455 §7.4.2): a call that fails ends with its own
/// code added to it.
const FAILED: u16 = 4000;
const NORMAL: u16 = 1000;

/// A call that is to begin when the connection has switched.
pub(crate) struct Session {
    pub(super) service: Arc<Service>,
    pub(super) key: Option<u64>,
    pub(super) head: request::Parts,
    /// What path and query say; it goes along with the first message.
    pub(super) parameters: Bytes,
    pub(super) grpc: Arc<Grpc>,
    pub(super) binding: Arc<Binding>,
    pub(super) deadline: Option<Instant>,
    /// Largest message of the client, in bytes.
    pub(super) max_message: usize,
}

/// How it ends.
enum End {
    /// The service said so.
    Status(Status),
    /// The call could not be made, or broke: what the client is told, and what is logged.
    Broken(Status, String),
    /// The client did what it must not do.
    Refused(u16, String),
    ClientGone,
    Idle,
    Late,
}

/// What both directions share.
struct Traffic {
    last: Cell<Instant>,
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Session {
    /// Passes messages both ways until the call has ended, the client is gone, or neither has said
    /// anything for the idle timeout.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call.
    pub(crate) async fn run(
        mut self,
        client: impl AsyncRead + AsyncWrite,
        active: &mut Active,
        (timer, idle): (Timer, Duration),
    ) {
        let socket = Socket::new(Box::pin(client), self.max_message).await;
        let traffic = Traffic {
            last: Cell::new(Instant::now()),
            received: Cell::new(0),
            sent: Cell::new(0),
        };
        let end = self.serve(&socket, active, (&timer, idle), &traffic).await;
        active.bytes_in.set(traffic.received.get());
        active.bytes_out = traffic.sent.get();
        let closing = async {
            match self.told(end, active) {
                Some((code, reason, problem)) => {
                    if let Some(problem) = problem
                        && socket.send(problem).await.is_err()
                    {
                        return;
                    }
                    socket.close(code, &reason).await;
                }
                None => socket.close(NORMAL, "").await,
            }
        };
        // A client that does not listen is not waited for.
        let _ = timer.timeout_at(Instant::now() + LINGER, closing).await;
    }

    async fn serve(
        &mut self,
        socket: &Socket<impl AsyncRead + AsyncWrite + Unpin>,
        active: &mut Active,
        (timer, idle): (&Timer, Duration),
        traffic: &Traffic,
    ) -> End {
        let inlet = Inlet::default();
        let (grpc, binding) = (Arc::clone(&self.grpc), Arc::clone(&self.binding));
        let up = Up {
            grpc: &grpc,
            binding: &binding,
            parameters: self.parameters.clone(),
            inlet: &inlet,
            traffic,
        };
        let deadline = self.deadline;
        let both = async {
            tokio::select! {
                end = self.call(inlet.body(), socket, active, timer, traffic) => end,
                end = up.run(socket) => end,
            }
        };
        let mut both = std::pin::pin!(both);
        loop {
            let quiet = traffic.last.get() + idle;
            let until = deadline.map_or(quiet, |deadline| deadline.min(quiet));
            match timer.timeout_at(until, &mut both).await {
                Ok(end) => return end,
                Err(_) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                    return End::Late;
                }
                Err(_) if traffic.last.get().elapsed() < idle => {}
                Err(_) => return End::Idle,
            }
        }
    }

    /// Makes the call, and writes its messages to the client.
    async fn call(
        &mut self,
        body: Body,
        socket: &Socket<impl AsyncRead + AsyncWrite + Unpin>,
        active: &mut Active,
        timer: &Timer,
        traffic: &Traffic,
    ) -> End {
        let local = std::rc::Rc::clone(&active.local);
        let route = active.exchange.route;
        let route = route.and_then(|index| local.snapshot.routes.get(index as usize));
        let call = Call {
            head: &mut self.head,
            body,
            upgrade: None,
            expect_continue: false,
            te_trailers: true,
            deadline: self.deadline,
            timer,
            interim: &|_, _| {},
            key: self.key,
            tried: Tried::default(),
            // Messages have left already.
            retry: Rules::Nobody,
            guard: route.and_then(|route| route.terms.guard.as_ref()),
            hurried: true,
            told: self.deadline.map(Deadline::of_call),
        };
        let pools = std::rc::Rc::clone(&active.worker().pools);
        let answer = match pools.send(&self.service, call).await {
            Ok(answer) => answer,
            Err(failure) => {
                active.exchange.endpoint = failure.endpoint;
                let code = GrpcCode::from_status(failure.facts.status());
                let status = Status::new(code, dispatch::detail(failure.facts));
                return End::Broken(status, failure.cause);
            }
        };
        active.exchange.endpoint = answer.endpoint;
        active.exchange.attempts = answer.attempts;
        active.places[1] = answer.place;
        let (head, body) = answer.response.into_parts();
        let encoding = match encoding(&head) {
            Ok(encoding) => encoding,
            Err(broken) => return broken,
        };
        let early = Status::of(&head.headers);
        let reader = Messages::new(encoding, self.grpc.max_message);
        self.pass(socket, (body, reader), early, traffic).await
    }

    async fn pass(
        &self,
        socket: &Socket<impl AsyncRead + AsyncWrite + Unpin>,
        (mut body, mut reader): (Body, Messages),
        mut status: Option<Status>,
        traffic: &Traffic,
    ) -> End {
        let broken = |cause: String| End::Broken(Status::new(GrpcCode::Unavailable, BROKEN), cause);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = match frame {
                Ok(frame) => frame.into_data(),
                Err(error) => return broken(error.cause),
            };
            let data = match frame {
                Ok(data) => data,
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        status = Status::of(&trailers);
                    }
                    continue;
                }
            };
            reader.push(&data);
            loop {
                let message = match reader.take() {
                    Ok(Some(message)) => message,
                    Ok(None) => break,
                    Err(error) => return broken(error.to_string()),
                };
                let text = match self.text(&message) {
                    Ok(text) => text,
                    Err(cause) => return broken(cause),
                };
                let length = text.len() as u64;
                if socket.send(text).await.is_err() {
                    return End::ClientGone;
                }
                traffic.sent.set(traffic.sent.get() + length);
                traffic.last.set(Instant::now());
            }
        }
        match (reader.end(), status) {
            (Ok(()), Some(status)) => End::Status(status),
            (Ok(()), None) => broken("the call ended without a status".to_owned()),
            (Err(error), _) => broken(error.to_string()),
        }
    }

    fn text(&self, message: &[u8]) -> Result<String, String> {
        let mut json = Vec::with_capacity(message.len() * 2 + 64);
        let schema = self.grpc.transcoder.schema();
        let style = self.grpc.style;
        let written = self.binding.write_answer(schema, message, style, &mut json);
        written.map_err(|error| error.to_string())?;
        String::from_utf8(json).map_err(|error| error.to_string())
    }

    /// What the client is told at the end: a close code, its reason, and a last message. Nothing more
    /// than that it is over where all is well.
    fn told(&self, end: End, active: &mut Active) -> Option<(u16, String, Option<String>)> {
        active.ended(match &end {
            End::Status(_) | End::Refused(..) => Outcome::Complete,
            End::Broken(..) => Outcome::UpstreamAborted,
            End::ClientGone => Outcome::ClientGone,
            End::Idle | End::Late => Outcome::Timeout,
        });
        let status = match end {
            End::Status(status) if status.code == GrpcCode::Ok => return None,
            End::Status(status) => status,
            End::Broken(status, cause) => {
                active.exchange.cause = Some(cause.into_boxed_str());
                status
            }
            End::Refused(code, reason) => return Some((code, reason, None)),
            End::ClientGone => return None,
            End::Idle => return Some((1001, "nothing was said for a while".to_owned(), None)),
            End::Late => Status::new(GrpcCode::DeadlineExceeded, "the time is up"),
        };
        if active.exchange.cause.is_none() {
            let cause = format!("the call ended with {}", status::name(status.code));
            active.exchange.cause = Some(cause.into_boxed_str());
        }
        let shown = problem::details(active, &self.grpc.transcoder, &status);
        let problem = format!("{{\"error\":{}}}", String::from_utf8_lossy(&shown));
        let reason = match status.message.is_empty() {
            true => status::name(status.code).to_owned(),
            false => status.message,
        };
        Some((FAILED + status.code as u16, reason, Some(problem)))
    }
}

const BROKEN: &str = "The service broke off.";

/// How the messages of the answer are compressed, if it is one of gRPC.
fn encoding(head: &http::response::Parts) -> Result<Encoding, End> {
    let invalid = |code: GrpcCode, cause: String| {
        let told = "The service gave an invalid answer.";
        End::Broken(Status::new(code, told), cause)
    };
    let media = head.headers.get(http::header::CONTENT_TYPE);
    let is_grpc = media.is_some_and(|media| media.as_bytes().starts_with(b"application/grpc"));
    if head.status != StatusCode::OK || !is_grpc {
        let cause = format!(
            "the answer is not one of gRPC; its status is {}",
            head.status
        );
        return Err(invalid(status::of_http(head.status), cause));
    }
    let name = head.headers.get("grpc-encoding").map(HeaderValue::as_bytes);
    Encoding::of(name).ok_or_else(|| {
        let cause = "its messages are compressed in an unknown way";
        invalid(GrpcCode::Internal, cause.to_owned())
    })
}

/// From the client to the call.
struct Up<'a> {
    grpc: &'a Grpc,
    binding: &'a Binding,
    parameters: Bytes,
    inlet: &'a Inlet,
    traffic: &'a Traffic,
}

impl Up<'_> {
    /// Reads until the client leaves, or does what it must not do. An empty message ends its side of
    /// the call; a method that takes one message has it after the first.
    async fn run(mut self, socket: &Socket<impl AsyncRead + AsyncWrite + Unpin>) -> End {
        let mut open = true;
        if !self.binding.takes_body() {
            if let Err(error) = self.give("") {
                return unfit(&error);
            }
            self.inlet.end();
            open = false;
        }
        let seen = || self.traffic.last.set(Instant::now());
        loop {
            poll_fn(|cx| self.inlet.poll_room(cx)).await;
            let text = match socket.text(&seen).await {
                Ok(text) => text,
                Err(Ended::Gone) => return End::ClientGone,
                Err(Ended::Wrong(code, why)) => return End::Refused(code, why.to_owned()),
            };
            let received = self.traffic.received.get() + text.len() as u64;
            self.traffic.received.set(received);
            let last = text.is_empty() && self.binding.method.client_streaming;
            if !open {
                let why = "no more messages are taken".to_owned();
                return End::Refused(FAILED + GrpcCode::InvalidArgument as u16, why);
            }
            if !last && let Err(error) = self.give(&text) {
                return unfit(&error);
            }
            if last || !self.binding.method.client_streaming {
                self.inlet.end();
                open = false;
            }
        }
    }

    fn give(&mut self, text: &str) -> Result<(), BadRequest> {
        let mut out = Vec::with_capacity(frame::PREFIX + text.len() + self.parameters.len());
        let parameters = std::mem::take(&mut self.parameters);
        frame::framed(&mut out, |out| {
            let schema = self.grpc.transcoder.schema();
            if self.binding.takes_body() {
                let unknown = self.grpc.unknown;
                self.binding
                    .write_body(schema, text.as_bytes(), unknown, out)?;
            }
            out.extend_from_slice(&parameters);
            Ok::<(), BadRequest>(())
        })?;
        self.inlet.push(Bytes::from(out));
        Ok(())
    }
}

fn unfit(error: &BadRequest) -> End {
    let code = FAILED + GrpcCode::InvalidArgument as u16;
    End::Refused(code, error.detail())
}
