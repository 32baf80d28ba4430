//! What the tests are written with.

mod client;
pub(crate) mod frames;
mod gateway;
pub(crate) mod heap;
mod load;
mod origin;

pub(crate) use self::{
    client::Client,
    frames::Raw,
    gateway::{Gateway, generation, rules, spec, tcp},
    load::Load,
    origin::Origin,
};

use std::time::{Duration, Instant};

/// The longest that anything in a test may take, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition.
#[expect(
    clippy::disallowed_methods,
    reason = "a pause between two looks, not a wait for luck"
)]
pub(crate) fn wait_for(what: &str, mut met: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !met() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a future to its end on a runtime of its own.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async {
        tokio::time::timeout(PATIENCE, future)
            .await
            .expect("it takes too long")
    }))
}

/// One test of this program in a process of its own.
pub(crate) fn child(test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command
}
