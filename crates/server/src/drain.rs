//! Ending the connections of a listener without breaking a request.

use std::{cell::Cell, rc::Rc, time::Duration};

use lintel_http1::server::Drain;
use tokio::sync::watch;

/// One switch for all connections of a listener on one worker.
///
/// It goes through two stages. First connections are asked to end: HTTP/2 ones by GOAWAY, HTTP/1
/// ones by `Connection: close` in their next answer. After a time of grace, HTTP/1 connections that
/// have had no request are closed.
#[derive(Clone)]
pub(crate) struct Closing(Rc<Switch>);

struct Switch {
    asked: Cell<bool>,
    h1: Drain,
    h2: watch::Sender<bool>,
}

impl Closing {
    pub(crate) fn new() -> Self {
        Self(Rc::new(Switch {
            asked: Cell::new(false),
            h1: Drain::new(),
            h2: watch::Sender::new(false),
        }))
    }

    /// The first stage.
    pub(crate) fn ask(&self) {
        self.0.asked.set(true);
        self.0.h2.send_replace(true);
    }

    /// The second stage.
    pub(crate) fn close_idle(&self) {
        self.ask();
        self.0.h1.start();
    }

    /// Both stages, with the grace between them.
    pub(crate) async fn run(self, grace: Duration) {
        self.ask();
        tokio::time::sleep(grace).await;
        self.close_idle();
    }

    /// Whether connections are to end.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.asked.get()
    }

    /// The codec's switch for the second stage.
    pub(crate) fn h1(&self) -> &Drain {
        &self.0.h1
    }

    /// Ready once connections are to end.
    pub(crate) async fn asked(&self) {
        // Fails only if the sender is gone, and this holds it.
        let _ = self.0.h2.subscribe().wait_for(|asked| *asked).await;
    }
}
