//! One worker's connection to one server.

use std::{cell::RefCell, future::Future};

use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

use super::{breaker::Breaker, dial::Failure};

/// A connection, made when it is first needed and again when it breaks, and whether it is worth asking.
#[derive(Default)]
pub(super) struct Node {
    state: RefCell<State>,
    pub(super) breaker: Breaker,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Connecting(watch::Receiver<Option<Connected>>),
    Ready(MultiplexedConnection),
}

type Connected = Result<MultiplexedConnection, Failure>;

impl Node {
    /// The connection; `dial` makes one where there is none. Connecting goes on in a task of its own
    /// when whoever waits for it gives up: a server that is far must not be out of reach for that.
    pub(super) async fn connection<D>(&self, dial: impl FnOnce() -> D) -> Connected
    where
        D: Future<Output = Connected> + Send + 'static,
    {
        let mut connecting = {
            let mut state = self.state.borrow_mut();
            match &*state {
                State::Ready(connection) => return Ok(connection.clone()),
                State::Connecting(connecting) => connecting.clone(),
                State::Idle => {
                    let (done, connecting) = watch::channel(None);
                    let dialing = dial();
                    tokio::spawn(async move {
                        let connected = dialing.await;
                        done.send_replace(Some(connected));
                    });
                    *state = State::Connecting(connecting.clone());
                    connecting
                }
            }
        };
        let outcome = connecting.wait_for(Option::is_some).await;
        let outcome = outcome.map_or(None, |outcome| outcome.clone());
        let outcome = outcome.unwrap_or_else(|| Err(Failure::of("connecting broke off")));
        let mut state = self.state.borrow_mut();
        // Whoever was told first has put it there, and it may have broken since.
        if let State::Connecting(known) = &*state
            && known.same_channel(&connecting)
        {
            *state = match &outcome {
                Ok(connection) => State::Ready(connection.clone()),
                Err(_) => State::Idle,
            };
        }
        outcome
    }

    /// The connection is of no more use. What is under way on it gets its answer or fails; who asks next
    /// connects anew.
    pub(super) fn disconnect(&self) {
        *self.state.borrow_mut() = State::Idle;
    }
}
