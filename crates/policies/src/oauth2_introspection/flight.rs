//! One question about each thing at a time, however many want to know.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use lintel_state::Local;
use rustc_hash::FxHashMap;
use tokio::{sync::Notify, task::spawn_local};

/// Questions under way in each worker, by what they are about.
pub(super) struct Flights<T: 'static> {
    under_way: Local<FxHashMap<[u8; 32], Rc<Flight<T>>>>,
}

/// A question under way.
pub(super) struct Flight<T> {
    landed: RefCell<Option<T>>,
    news: Notify,
}

impl<T: Clone + 'static> Flights<T> {
    pub(super) fn new() -> Self {
        Self {
            under_way: Local::new(),
        }
    }

    /// Joins the question about `key`, or begins it. It goes on by itself: who began it may leave.
    /// Where its answer is given out nobody is waited for, so `asked` has to end by itself; if it
    /// panics, the others learn `lost`.
    pub(super) fn join<F>(
        self: &Arc<Self>,
        key: [u8; 32],
        lost: T,
        begin: impl FnOnce() -> F,
    ) -> Rc<Flight<T>>
    where
        F: Future<Output = T> + 'static,
        Self: 'static,
    {
        if let Some(known) = self.find(&key) {
            return known;
        }
        let flight = Rc::new(Flight {
            landed: RefCell::default(),
            news: Notify::new(),
        });
        let own = Rc::clone(&flight);
        self.under_way
            .with(FxHashMap::default, |all| all.insert(key, own));
        let landing = Landing {
            flights: Arc::clone(self),
            flight: Rc::clone(&flight),
            key,
            answer: Some(lost),
        };
        let asked = begin();
        drop(spawn_local(async move {
            // By a method, so that the task takes all of it and not only the field.
            landing.land(asked.await);
        }));
        flight
    }

    fn find(&self, key: &[u8; 32]) -> Option<Rc<Flight<T>>> {
        let find = |all: &mut FxHashMap<_, Rc<Flight<T>>>| all.get(key).map(Rc::clone);
        self.under_way.with(FxHashMap::default, find)
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.under_way.with(FxHashMap::default, |all| all.len())
    }
}

impl<T: Clone> Flight<T> {
    /// The answer, once it is there.
    pub(super) async fn answer(&self) -> T {
        loop {
            let news = self.news.notified();
            if let Some(answer) = self.landed.borrow().clone() {
                return answer;
            }
            news.await;
        }
    }
}

/// The end of a question, whatever way it ends.
struct Landing<T: Clone + 'static> {
    flights: Arc<Flights<T>>,
    flight: Rc<Flight<T>>,
    key: [u8; 32],
    answer: Option<T>,
}

impl<T: Clone + 'static> Landing<T> {
    fn land(mut self, answer: T) {
        self.answer = Some(answer);
    }
}

impl<T: Clone + 'static> Drop for Landing<T> {
    fn drop(&mut self) {
        self.flights
            .under_way
            .with(FxHashMap::default, |all| all.remove(&self.key));
        self.flight.landed.replace(self.answer.take());
        self.flight.news.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use tokio::{sync::oneshot, task::LocalSet};

    use super::*;

    #[tokio::test]
    async fn one_question_answers_all() {
        let work = async {
            let flights = Arc::new(Flights::new());
            let begun = Rc::new(Cell::new(0));
            let (tell, told) = oneshot::channel::<u32>();
            let told = Cell::new(Some(told));
            let join = || {
                flights.join([1; 32], 0, || {
                    begun.set(begun.get() + 1);
                    let told = told.take();
                    async move {
                        match told {
                            Some(told) => told.await.unwrap_or(1),
                            None => pending().await,
                        }
                    }
                })
            };
            let all = [join(), join(), join()];
            assert_eq!((begun.get(), flights.count()), (1, 1));
            // The first has left.
            let [first, second, third] = all;
            drop(first);
            assert_eq!(tell.send(7), Ok(()));
            assert_eq!((second.answer().await, third.answer().await), (7, 7));
            assert_eq!(flights.count(), 0);
            drop(join());
            assert_eq!(begun.get(), 2);
        };
        LocalSet::new().run_until(work).await;
    }

    #[tokio::test]
    async fn nobody_waits_for_one_that_panicked() {
        let work = async {
            let flights = Arc::new(Flights::new());
            let flight = flights.join([1; 32], 9, || async { unreachable!("on purpose") });
            assert_eq!(flight.answer().await, 9);
            assert_eq!(flights.count(), 0);
        };
        LocalSet::new().run_until(work).await;
    }
}
