use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a test waits for something that is bound to happen, on a slow and busy machine. Only a
/// failing test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `probe` has something, and returns it.
///
/// # Panics
/// When it has nothing within [`PATIENCE`].
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own thread pauses between two looks at a condition"
)]
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain waited until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
