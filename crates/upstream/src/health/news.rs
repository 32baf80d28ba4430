//! The way from workers to the control side.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::story::Reason;
use crate::service::Endpoint;

/// What a worker has to tell of an endpoint.
pub(crate) enum Event {
    /// It is ejected.
    Ejected {
        endpoint: Arc<Endpoint>,
        reason: Reason,
        lasts: Duration,
    },
    /// Its trial went well.
    Trusted(Arc<Endpoint>),
}

/// Takes events to whoever listens last; drops them where nobody does. Telling never waits.
#[derive(Default)]
pub(crate) struct News(ArcSwapOption<UnboundedSender<Event>>);

impl News {
    pub(crate) fn tell(&self, event: Event) {
        if let Some(sender) = &*self.0.load() {
            // Fails where the listener is gone.
            let _ = sender.send(event);
        }
    }

    /// Listens from now on, in place of whoever did.
    pub(crate) fn listen(&self) -> UnboundedReceiver<Event> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0.store(Some(Arc::new(sender)));
        receiver
    }
}
