//! Clients at a steady rate: each request is sent when it is due, however the others do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time;

/// After this a client gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// One request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// When it was due.
    pub(super) at: Instant,
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// 200, whole.
    Good,
    /// Another status.
    Status(u16),
    /// A connection that broke, before the answer or in it.
    Broken,
    /// Nothing for five seconds.
    Silence,
}

/// Connections between two requests.
type Idle = Arc<Mutex<Vec<TcpStream>>>;

/// Requests for a path until `end`, so many in a second.
pub(super) async fn load(target: SocketAddr, path: &str, rate: f64, end: Instant) -> Vec<Sample> {
    let idle = Idle::default();
    let request: Arc<str> =
        format!("GET {path} HTTP/1.1\r\nhost: bench.example\r\naccept: */*\r\n\r\n").into();
    let begun = Instant::now();
    let mut requests = JoinSet::new();
    let mut samples = Vec::new();
    for number in 0_u32.. {
        let due = begun + Duration::from_secs_f64(f64::from(number) / rate);
        if due >= end {
            break;
        }
        time::sleep_until(due.into()).await;
        let (idle, request) = (Arc::clone(&idle), Arc::clone(&request));
        requests.spawn(async move {
            let outcome = time::timeout(PATIENCE, one(target, &request, &idle)).await;
            Sample {
                at: due,
                took: due.elapsed(),
                outcome: match outcome {
                    Ok(Ok(200)) => Outcome::Good,
                    Ok(Ok(status)) => Outcome::Status(status),
                    Ok(Err(_)) => Outcome::Broken,
                    Err(_) => Outcome::Silence,
                },
            }
        });
        while let Some(done) = requests.try_join_next() {
            samples.extend(done);
        }
    }
    while let Some(done) = requests.join_next().await {
        samples.extend(done);
    }
    samples
}

/// A kept connection that is closed before a byte of answer says nothing about the server: another
/// is opened (RFC 9110 §9.2.2).
async fn one(target: SocketAddr, request: &str, idle: &Idle) -> Result<u16> {
    let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut answer = Vec::with_capacity(512);
    if let Some(stream) = kept {
        match exchange(stream, request, &mut answer, idle).await {
            Err(_) if answer.is_empty() => {}
            done => return done,
        }
    }
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    exchange(stream, request, &mut answer, idle).await
}

async fn exchange(
    mut stream: TcpStream,
    request: &str,
    answer: &mut Vec<u8>,
    idle: &Idle,
) -> Result<u16> {
    stream.write_all(request.as_bytes()).await?;
    let (status, whole) = loop {
        ensure!(stream.read_buf(answer).await? > 0, "closed");
        if let Some(head) = head(answer)? {
            break head;
        }
    };
    if status != 200 {
        // What the proxy says with it is of no interest here.
        return Ok(status);
    }
    let whole = whole.context("an answer without a length")?;
    while answer.len() < whole {
        ensure!(stream.read_buf(answer).await? > 0, "cut off");
    }
    idle.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(stream);
    Ok(status)
}

/// Status, and the length with the body if it is told, once the head is there.
fn head(answer: &[u8]) -> Result<Option<(u16, Option<usize>)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(answer)? else {
        return Ok(None);
    };
    let field = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body = field.and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok());
    Ok(Some((
        response.code.unwrap_or_default(),
        body.map(|body| length + body),
    )))
}
