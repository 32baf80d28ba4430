//! The listening sockets of the process.
//!
//! A TCP address has one socket for each worker, which share it by `SO_REUSEPORT`. A socket that
//! can't be shared that way, such as a Unix socket or one made by a service manager, is given to
//! every worker. Connections in the queue of a socket are lost when it is closed, so a socket is
//! kept as long as anything listens in its place, whichever listener that is.

mod bind;
mod bound;
mod place;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    bind::refuse_handshakes,
    place::{Key, Place, places},
    table::{Hand, Table},
};
