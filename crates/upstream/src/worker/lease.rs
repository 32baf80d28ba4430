//! Keeps count of a request from the choice of its endpoint to the last byte of its answer.

use std::rc::Rc;

use lintel_http::body::{Lease, Release};

use super::{http2::Multiplexed, pool::Pool};

impl Pool {
    /// Counts one more request over a connection of its own.
    pub(crate) fn lease(self: &Rc<Self>) -> Lease {
        self.request_began();
        Lease::new(Rc::<Self>::clone(self))
    }
}

impl Release for Pool {
    fn release(&self) {
        self.request_ended();
        self.connection_left();
    }

    fn whole(&self) {
        self.reporter.whole();
    }

    fn broke_off(&self) {
        self.reporter.broke_off();
    }
}

impl Multiplexed {
    /// Counts one more request over a shared connection.
    pub(crate) fn lease(self: &Rc<Self>) -> Lease {
        self.stream_began();
        Lease::new(Rc::<Self>::clone(self))
    }
}

impl Release for Multiplexed {
    fn release(&self) {
        self.stream_ended();
    }

    fn whole(&self) {
        self.reporter.whole();
    }

    fn broke_off(&self) {
        self.reporter.broke_off();
    }
}
