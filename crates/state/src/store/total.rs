//! Totals as the control side sees them.

use std::{sync::Arc, time::Duration};

use lintel_kernel::beside::Beside;
use tokio::sync::oneshot;

use super::Redis;

/// Connections to stores belong to the thread that made them; this is the control side's.
pub(super) static STORES: Beside = Beside::new("lintel-stores");

/// What is to become of a total; see [`Meaning::Total`](super::Meaning).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// It is only read.
    Read,
    /// It is so many from now on.
    Set(u64),
    /// So many more, or fewer, down to none.
    Add(i64),
}

/// How much longer than its period a total is known, as where requests are counted.
const AFTER: Duration = Duration::from_hours(24);

impl Redis {
    /// Reads or changes the total under a key, of a period that ends in `left`; what it is then. Not for
    /// the request path. Cancel safe in that nothing is left behind here; the store may have changed it.
    ///
    /// # Errors
    /// Why the store has not answered, for the operator.
    pub fn total(
        self: &Arc<Self>,
        key: String,
        total: Total,
        left: Duration,
    ) -> impl Future<Output = Result<u64, String>> + Send + use<> {
        let (told, answer) = oneshot::channel();
        let store = Arc::clone(self);
        let running = STORES.run(move || async move {
            let life = (left + AFTER).as_millis();
            let mut call = store.scripts().total.call();
            let call = match total {
                Total::Read => call.key(&key).arg("get").arg(0).arg(life),
                Total::Set(to) => call.key(&key).arg("set").arg(to).arg(life),
                Total::Add(more) => call.key(&key).arg("add").arg(more).arg(life),
            };
            // Whoever asked may have gone.
            let _ = told.send(store.ask(call).await);
        });
        async move {
            if !running {
                return Err("there is no thread to ask it from".to_owned());
            }
            answer.await.map_err(|_| "it was not asked".to_owned())?
        }
    }
}
