//! Threads beside the workers.

use std::{io, sync::OnceLock, thread};

use tokio::sync::mpsc::{self, UnboundedSender};

type Job = Box<dyn FnOnce() + Send>;

/// A thread for tasks that are to stay on one and apart from the requests: they use the workers' own
/// codecs and connections, which belong to the thread that made them. It is started by the first task
/// and lives as long as the process.
pub struct Beside {
    name: &'static str,
    thread: OnceLock<Option<UnboundedSender<Job>>>,
}

impl Beside {
    /// One of a name, as the system shows it: 15 bytes at most.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            thread: OnceLock::new(),
        }
    }

    /// Runs a task there. False where there is no thread, for the system refuses another.
    #[must_use = "the task does not run where there is no thread"]
    pub fn run<F: Future<Output = ()> + 'static>(
        &self,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> bool {
        let job: Job = Box::new(move || drop(tokio::task::spawn_local(make())));
        let thread = self.thread.get_or_init(|| start(self.name).ok());
        thread
            .as_ref()
            .is_some_and(|thread| thread.send(job).is_ok())
    }
}

fn start(name: &str) -> io::Result<UnboundedSender<Job>> {
    let (sender, mut jobs) = mpsc::unbounded_channel::<Job>();
    let (told, built) = std::sync::mpsc::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // A runtime stays on the thread that it was built on.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default());
            let (runtime, outcome) = match runtime {
                Ok(runtime) => (Some(runtime), Ok(())),
                Err(error) => (None, Err(error)),
            };
            // Whoever starts the thread waits for this.
            let _ = told.send(outcome);
            if let Some(runtime) = runtime {
                runtime.block_on(async move {
                    while let Some(job) = jobs.recv().await {
                        job();
                    }
                });
            }
        })?;
    built.recv().map_err(io::Error::other)??;
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use std::{rc::Rc, sync::mpsc};

    use super::*;

    #[test]
    fn all_tasks_run_on_one_thread() {
        static BESIDE: Beside = Beside::new("lintel-test");
        let (sender, receiver) = mpsc::channel();
        for _ in 0..3 {
            let sender = sender.clone();
            assert!(BESIDE.run(|| async move {
                let local = Rc::new(());
                tokio::task::yield_now().await;
                let thread = thread::current();
                let told = (thread.id(), thread.name().map(str::to_owned));
                assert!(sender.send(told).is_ok() && Rc::strong_count(&local) == 1);
            }));
        }
        drop(sender);
        let seen: Vec<_> = receiver.iter().collect();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|one| Some(one) == seen.first()));
        let name = seen.first().and_then(|(_, name)| name.clone());
        assert_eq!(name.as_deref(), Some("lintel-test"));
    }
}
