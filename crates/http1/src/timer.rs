//! One timer for everything that happens in a connection's task.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep, sleep_until};

/// A lazily re-armed timer: any number of deadlines, one entry in the timer wheel, and no wheel operation in the usual request.
///
/// The inner sleep is armed at the earliest deadline anybody waits for. A later deadline does not touch it: when the sleep fires it
/// wakes the task, every waiter is polled again, and the first that still waits arms it anew. A waiter that goes away leaves at
/// worst one early wake-up behind.
///
/// All users of one timer must live in the same task and be polled with that task's waker on every wake: inside a combinator that
/// polls its children one by one (`FuturesUnordered`), give each child a timer of its own.
#[derive(Clone, Default)]
pub struct Timer(Rc<RefCell<Alarm>>);

#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// What the sleep is armed at; `None` once it has fired.
    armed: Option<Instant>,
    waker: Option<Waker>,
}

/// The deadline passed before the future was ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl Timer {
    /// A timer with nothing armed; it costs no wheel entry before its first deadline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether anybody else has a clone of it. One that nobody shares may go on to another task.
    pub fn is_shared(&self) -> bool {
        Rc::strong_count(&self.0) > 1
    }

    /// Ready once `deadline` has come; otherwise the task is woken no later than then.
    pub fn poll_deadline(&self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        self.0.borrow_mut().poll_deadline(cx, deadline)
    }

    /// Runs `future` until `deadline`; the future is polled first, so one that is ready wins over a deadline that has passed.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if the deadline came first; the future is dropped.
    pub async fn timeout_at<F: Future>(
        &self,
        deadline: Instant,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            self.poll_deadline(cx, deadline).map(|()| Err(Elapsed))
        })
        .await
    }
}

impl Alarm {
    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        loop {
            let armed = self.armed.filter(|armed| *armed <= deadline);
            let fresh = armed.is_none();
            if fresh {
                self.arm(deadline);
            }
            let Some(sleep) = self.sleep.as_mut() else {
                return Poll::Pending;
            };
            let same_waker = self
                .waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()));
            if !fresh && same_waker && !sleep.is_elapsed() {
                return Poll::Pending;
            }
            if !same_waker {
                self.waker = Some(cx.waker().clone());
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.armed = None;
            if armed == Some(deadline) || Instant::now() >= deadline {
                return Poll::Ready(());
            }
        }
    }

    fn arm(&mut self, deadline: Instant) {
        self.armed = Some(deadline);
        match self.sleep.as_mut() {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(sleep_until(deadline))),
        }
    }
}
