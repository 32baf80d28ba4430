//! The answer side of a minimal HTTP/1.1 client: one request in flight, bodies by length.

use anyhow::{Result, bail, ensure};

/// Where an answer stands.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Bytes of a head that came in parts.
    head: Vec<u8>,
    /// Body bytes still to come, once the head is known.
    remaining: Option<u64>,
    close: bool,
}

/// An answer that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Complete {
    /// The server closes the connection after it.
    pub(super) close: bool,
}

impl Answer {
    /// Whether no byte of the answer has come.
    pub(super) fn untouched(&self) -> bool {
        self.head.is_empty() && self.remaining.is_none()
    }

    /// Takes received bytes.
    ///
    /// # Errors
    /// A malformed head, a status other than 200, no `Content-Length`, or more bytes than the answer has.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Complete>> {
        let body = match self.remaining {
            Some(_) => bytes,
            None if self.head.is_empty() => match self.parse(bytes)? {
                Some(length) => bytes.get(length..).unwrap_or_default(),
                None => {
                    self.head.extend_from_slice(bytes);
                    return Ok(None);
                }
            },
            None => {
                let mut head = std::mem::take(&mut self.head);
                let before = head.len();
                head.extend_from_slice(bytes);
                let parsed = self.parse(&head)?;
                let Some(length) = parsed else {
                    self.head = head;
                    return Ok(None);
                };
                bytes
                    .get(length.saturating_sub(before)..)
                    .unwrap_or_default()
            }
        };
        let remaining = self.remaining.unwrap_or_default();
        let Some(left) = remaining.checked_sub(body.len() as u64) else {
            bail!("bytes past the end of the answer")
        };
        self.remaining = Some(left);
        if left > 0 {
            return Ok(None);
        }
        let complete = Complete { close: self.close };
        *self = Self::default();
        Ok(Some(complete))
    }

    /// Length of the head, if it is all there.
    fn parse(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes)? else {
            return Ok(None);
        };
        ensure!(
            response.code == Some(200),
            "status {}",
            response.code.unwrap_or_default()
        );
        let mut body = None;
        for header in response.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                body = std::str::from_utf8(header.value)
                    .ok()
                    .and_then(|text| text.parse().ok());
            } else if header.name.eq_ignore_ascii_case("connection") {
                self.close = header.value.eq_ignore_ascii_case(b"close");
            }
        }
        ensure!(body.is_some(), "answer without Content-Length");
        self.remaining = body;
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Answer, Complete};

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

    #[test]
    fn an_answer_is_complete_however_it_is_cut() {
        for cut in 0..ANSWER.len() {
            let (first, second) = ANSWER.split_at(cut);
            let mut answer = Answer::default();
            if !first.is_empty() {
                assert_eq!(answer.feed(first).unwrap(), None, "cut at {cut}");
            }
            assert_eq!(
                answer.feed(second).unwrap(),
                Some(Complete { close: true }),
                "cut at {cut}"
            );
            assert!(answer.untouched());
        }
    }

    #[test]
    fn wrong_answers_are_errors() {
        for bytes in [
            &b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
            b"SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            assert!(Answer::default().feed(bytes).is_err());
        }
    }
}
