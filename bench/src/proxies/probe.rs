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
    let mut buffer = vec![0; 64 << 10];
    // The end of the body, not of the connection: Envoy may keep one open for a second after its last byte.
    while !complete(&answer) {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    let took = begun.elapsed();
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{address}{path} did not answer 200"
    );
    let head = end_of_head(&answer).context("an answer without an end of head")?;
    Ok(Scrape {
        body: answer.split_off(head),
        took,
    })
}

/// Whether the answer says where it ends and has come there; one that does not ends with its connection.
fn complete(answer: &[u8]) -> bool {
    let Some((head, body)) = end_of_head(answer).and_then(|end| answer.split_at_checked(end))
    else {
        return false;
    };
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => head.contains("transfer-encoding: chunked") && body.ends_with(b"\r\n0\r\n\r\n"),
    }
}

fn end_of_head(answer: &[u8]) -> Option<usize> {
    answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|place| place + 4)
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

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn an_answer_ends_where_it_says() {
        assert!(complete(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        assert!(!complete(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"));
        assert!(complete(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        ));
        assert!(!complete(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
        ));
        assert!(!complete(b"HTTP/1.1 200 OK\r\n\r\nok"));
    }
}
