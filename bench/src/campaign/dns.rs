//! A name server that fails, lies and empties on command (RFC 1035).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What it answers to every question for addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Say {
    /// These, for a second.
    Addresses(Vec<Ipv4Addr>),
    /// That it failed (SERVFAIL).
    Failure,
    /// Nothing at all.
    Silence,
}

/// A running name server; stops when dropped.
#[derive(Debug)]
pub(super) struct NameServer {
    pub(super) address: SocketAddr,
    say: Arc<Mutex<Say>>,
    task: JoinHandle<()>,
}

impl NameServer {
    /// # Errors
    /// No socket is to be had.
    pub(super) async fn start(say: Say) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let say = Arc::new(Mutex::new(say));
        let said = Arc::clone(&say);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let say = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let question = buffer.get(..length).unwrap_or_default();
                if let Some(answer) = answer(question, &say) {
                    // Whoever asked asks again.
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Ok(Self { address, say, task })
    }

    pub(super) fn say(&self, say: Say) {
        *self.say.lock().unwrap_or_else(PoisonError::into_inner) = say;
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// QTYPE of IPv4 addresses (§3.2.2).
const A: [u8; 2] = [0, 1];
/// Time to live of an answer, in seconds.
const TTL: u8 = 1;

fn answer(query: &[u8], say: &Say) -> Option<Vec<u8>> {
    let (id, rest) = query.split_at_checked(2)?;
    let question = rest.get(10..)?;
    // A name ends with the root's empty label; type and class follow.
    let name = question.iter().position(|byte| *byte == 0)? + 1;
    let question = question.get(..name + 4)?;
    let kind = question.get(name..name + 2)?;
    let (code, addresses): (u8, &[Ipv4Addr]) = match say {
        Say::Silence => return None,
        Say::Failure => (2, &[]),
        Say::Addresses(addresses) if kind == A => (0, addresses),
        Say::Addresses(_) => (0, &[]),
    };
    let count = u8::try_from(addresses.len()).ok()?;
    let mut message = id.to_vec();
    // A response, recursion desired and available; one question, so many answers.
    message.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    message.extend(question);
    for address in addresses {
        // The name of the question, by its place in the message (§4.1.4).
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, TTL, 0, 4]);
        message.extend(address.octets());
    }
    Some(message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// `named.test` with an EDNS record after the question, as resolvers ask today.
    fn query(kind: u8) -> Vec<u8> {
        let mut query = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        query.extend(b"\x05named\x04test\x00");
        query.extend([0, kind, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        query
    }

    #[test]
    fn answers_are_those_of_the_standard() {
        let say = Say::Addresses(vec![Ipv4Addr::new(127, 0, 1, 1)]);
        let answered = answer(&query(1), &say).unwrap();
        assert_eq!(
            answered[..12],
            [0xab, 0xcd, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]
        );
        assert_eq!(
            answered[28..],
            [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 1, 1]
        );
        let other = answer(&query(28), &say).unwrap();
        assert_eq!(
            (other[3], other[7]),
            (0x80, 0),
            "no address of another kind"
        );
        let failed = answer(&query(1), &Say::Failure).unwrap();
        assert_eq!(failed[3] & 0xf, 2);
        assert_eq!(answer(&query(1), &Say::Silence), None);
        for cut in 0..28 {
            assert_eq!(answer(&query(1)[..cut], &say), None, "cut at {cut}");
        }
    }
}
