//! Who makes the calls of legs, and what comes of them.

use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use lintel_kernel::GrpcCode;

use crate::{Reason, Request, value};

/// A whole answer to a leg.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// How it ended, where it was a call of gRPC.
    pub call: Option<CallEnd>,
    /// Who answered.
    pub endpoint: Option<SocketAddr>,
    /// How many tries there were.
    pub attempts: u8,
}

/// How a call of gRPC ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallEnd {
    /// Its status.
    pub code: GrpcCode,
    /// The word for that.
    pub name: &'static str,
}

/// Why there is no whole answer.
#[derive(Clone, Debug)]
pub struct Missed {
    /// The reason.
    pub reason: Reason,
    /// In words, for the operator; never for the client.
    pub cause: String,
    /// Who was tried last.
    pub endpoint: Option<SocketAddr>,
    /// How many tries there were.
    pub attempts: u8,
}

/// A call that is being made.
pub type Calling<'a> = Pin<Box<dyn Future<Output = Result<Reply, Missed>> + 'a>>;

/// Makes calls.
pub trait Caller {
    /// Begins the call of a leg. Dropping the future gives it up.
    fn call(&self, leg: usize, request: Request) -> Calling<'_>;

    /// Adds to a key all that the answer to a request depends on: the request, and what of the client
    /// goes along with it.
    fn add_key(&self, _leg: usize, _request: &Request, _key: &mut Vec<u8>) {}

    /// This is a good answer to a request.
    fn keep(&self, _leg: usize, _key: &[u8], _value: &Bytes) {}

    /// The last good answer, and how old it is.
    fn last_good(&self, _leg: usize, _key: &[u8]) -> Option<(Bytes, Duration)> {
        None
    }

    /// There is no good answer any more.
    fn forget(&self, _leg: usize, _key: &[u8]) {}

    /// The JSON that the client sent; `null` where nobody reads it.
    fn sent(&self) -> Bytes {
        Bytes::from_static(value::NULL)
    }
}
