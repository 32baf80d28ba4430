//! What a filter may cost. It runs on the worker that serves other clients meanwhile, so that one
//! which would run for ever, or fill the memory, is stopped.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    ptr, thread,
};

/// Steps that a filter may take: about a tenth of a second. One is an operation of the interpreter,
/// an element of a list that is made, or 64 bytes of text that are made or looked through.
pub(crate) const STEPS: u64 = 1_000_000;

/// The largest value that a filter may make: its elements, members and bytes of text together.
pub(crate) const LARGEST: usize = 64 << 20;

/// The stack of a filter that can go deep, and how much of it the filter itself may use: the rest is
/// for letting go of what it has built. It takes memory as it is used.
const STACK: usize = 256 << 20;
const DEEPEST: usize = 96 << 20;

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(0) };
    /// The address that the stack may not grow below.
    static FLOOR: Cell<usize> = const { Cell::new(0) };
}

/// Why a filter was stopped.
struct Stop(&'static str);

/// Takes steps from the budget, or stops the filter.
pub(super) fn spend(steps: usize) {
    LEFT.with(|left| match left.get().checked_sub(steps as u64) {
        Some(rest) => left.set(rest),
        None => stop("the filter takes too long: more than a million steps"),
    });
}

/// The same for bytes of text.
pub(super) fn spend_text(bytes: usize) {
    spend(bytes / 64);
}

/// A step of the interpreter.
pub(super) fn step() {
    spend(1);
    let here = 0u8;
    if ptr::from_ref(&here).addr() < FLOOR.get() {
        stop("the filter goes too deep");
    }
}

/// The size of a value that is made, if it may be that large.
pub(super) fn sized(size: usize) -> usize {
    if size > LARGEST {
        stop("the filter makes a value of more than 64 MiB");
    }
    size
}

/// Unwinds to [`within`], without the words of a panic: nothing is broken.
fn stop(why: &'static str) -> ! {
    resume_unwind(Box::new(Stop(why)))
}

/// Runs something within the budget; `deep` says whether it needs a stack of its own.
///
/// # Errors
/// It fails, or was stopped; in words for the operator.
pub(super) fn within<T: Send>(
    deep: bool,
    run: impl FnOnce() -> Result<T, String> + Send,
) -> Result<T, String> {
    if !deep {
        FLOOR.set(0);
        return held(run);
    }
    let run = move || {
        let here = 0u8;
        FLOOR.set(ptr::from_ref(&here).addr().saturating_sub(DEEPEST));
        held(run)
    };
    thread::scope(|scope| {
        let named = thread::Builder::new().name("lintel-filter".to_owned());
        match named.stack_size(STACK).spawn_scoped(scope, run) {
            Ok(running) => running.join().unwrap_or_else(|broken| Err(told(&*broken))),
            Err(error) => Err(format!("there is no room for the filter: {error}")),
        }
    })
}

fn held<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    LEFT.set(STEPS);
    // What the filter has made is dropped on the way, and nothing else was touched.
    let done = catch_unwind(AssertUnwindSafe(run));
    done.unwrap_or_else(|broken| Err(told(&*broken)))
}

fn told(broken: &(dyn Any + Send)) -> String {
    let why = broken.downcast_ref::<Stop>();
    why.map_or("the filter is broken", |stop| stop.0).to_owned()
}
