//! Requests as raw bytes, and what the codec makes of each. The codec's own tests run them in memory,
//! the tests of the whole gateway side by side with other proxies.
#![allow(dead_code, unreachable_pub)]

pub mod framing;
pub mod heads;
pub mod hygiene;

/// One message as raw bytes: the section that rules it, its name, the bytes, and what must come of it.
pub struct Case(
    pub &'static str,
    pub &'static str,
    pub &'static [u8],
    pub Outcome,
);

#[derive(Debug)]
pub enum Outcome {
    /// The codec answers with this status and closes; the service sees nothing.
    Refused(u16),
    /// The service sees exactly one request, described with this text in it, and it is answered.
    Seen(&'static str),
    /// The service sees a request whose body fails with this text, its answer goes out and the connection is closed.
    SeenThen400(&'static str),
}
