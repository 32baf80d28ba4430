//! Questions that the control side asks a service beside the traffic: over a connection of their
//! own, and on a thread that no request waits for.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, header, request::Parts};
use lintel_kernel::beside::Beside;
use tokio::{sync::oneshot, time};

use crate::{
    health::ask_one,
    service::{HostRule, Service},
};

pub use crate::health::Reply;

/// It uses the codecs of the workers, which keep to one thread.
static THREAD: Beside = Beside::new("lintel-aside");

/// Work that goes on beside the traffic until this is dropped.
pub struct Aside {
    _stop: oneshot::Sender<()>,
}

impl Aside {
    /// Begins it.
    pub fn start<F: Future<Output = ()> + 'static>(
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Self {
        let (stop, mut stopped) = oneshot::channel::<()>();
        let runs = THREAD.run(move || async move {
            tokio::select! {
                // Also when the other end is dropped.
                _ = &mut stopped => {}
                () = make() => {}
            }
        });
        if !runs {
            tracing::error!("services can't be asked: there is no thread for it");
        }
        Self { _stop: stop }
    }
}

/// Asks the endpoints of a service, one after the other until one gives a whole answer. The answer
/// has at most `limit` bytes, and each endpoint has `patience` for it. Only within [`Aside`].
///
/// # Errors
/// What the last of them did.
pub async fn ask(
    service: &Arc<Service>,
    mut head: Parts,
    body: Bytes,
    (limit, patience): (usize, Duration),
) -> Result<Reply, String> {
    let set = service.endpoints();
    let mut failed = "it has no endpoint".to_owned();
    for endpoint in set.endpoints() {
        let host = match &service.spec().host {
            HostRule::Fixed(host) => host.clone(),
            HostRule::Preserve | HostRule::Endpoint => endpoint.host().clone(),
        };
        head.headers.insert(header::HOST, host);
        head.headers
            .entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static("lintel"));
        let asked = ask_one(service, endpoint, (&head, body.clone()), limit);
        match time::timeout(patience, asked).await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(why)) => failed = format!("{}: {why}", endpoint.spec()),
            Err(_) => failed = format!("{}: no answer within {patience:?}", endpoint.spec()),
        }
    }
    Err(failed)
}
