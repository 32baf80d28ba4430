//! A blocking `GET` for what is asked now and then: readiness, the served generation, metrics.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// An answer with how long it took.
#[derive(Debug)]
pub(crate) struct Scrape {
    /// As it came; chunk framing, if any, is left in.
    pub(crate) body: Vec<u8>,
    /// From connecting to the last byte.
    pub(crate) took: Duration,
}

/// Fetches a path over a new connection.
///
/// # Errors
/// No connection, no answer within `patience` between two reads, or a status other than 200.
pub(crate) fn scrape(address: SocketAddr, path: &str, patience: Duration) -> Result<Scrape> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: bench.example\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let took = begun.elapsed();
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{address}{path} did not answer 200"
    );
    let head = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .context("an answer without an end of head")?;
    Ok(Scrape {
        body: answer.split_off(head + 4),
        took,
    })
}

/// The generation of the configuration that a new connection meets.
///
/// # Errors
/// No answer.
pub(crate) fn generation_served(address: SocketAddr) -> Result<String> {
    let body = scrape(address, "/generation", Duration::from_secs(5))?.body;
    Ok(String::from_utf8_lossy(&body)
        .chars()
        .filter(char::is_ascii_digit)
        .collect())
}
