//! The thread that stores are attended to on, apart from requests.
//!
//! Connections to stores belong to the thread that made them; so what the control side asks of them
//! gets a thread of its own, for the whole process.

use std::{io, sync::OnceLock, thread};

use tokio::sync::mpsc::{self, UnboundedSender};

type Job = Box<dyn FnOnce() + Send>;

/// Runs a task there. Does nothing where the system refuses another thread, which is logged.
pub(super) fn run<F: Future<Output = ()> + 'static>(make: impl FnOnce() -> F + Send + 'static) {
    static THREAD: OnceLock<Option<UnboundedSender<Job>>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| match start() {
        Ok(sender) => Some(sender),
        Err(error) => {
            tracing::error!(%error, "stores can't be attended to: there is no thread for it");
            None
        }
    });
    if let Some(thread) = thread {
        let job: Job = Box::new(move || drop(tokio::task::spawn_local(make())));
        // The thread lives as long as the process.
        let _ = thread.send(job);
    }
}

fn start() -> io::Result<UnboundedSender<Job>> {
    let (sender, mut jobs) = mpsc::unbounded_channel::<Job>();
    let thread = thread::Builder::new().name("lintel-stores".to_owned());
    thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default());
        // A runtime stays on the thread that it was built on.
        match runtime {
            Ok(runtime) => runtime.block_on(async move {
                while let Some(job) = jobs.recv().await {
                    job();
                }
            }),
            Err(error) => tracing::error!(%error, "stores can't be attended to"),
        }
    })?;
    Ok(sender)
}
