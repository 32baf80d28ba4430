#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    task::{Context, Poll, Waker},
    thread,
};

use proptest::prelude::*;

use super::{
    count::{Count, Room},
    *,
};
use crate::limit::Key;

const THREE: Bounds = Bounds { max: 3, queue: 2 };

fn table() -> InFlight {
    let table = InFlight::new(1_000);
    table.with_lines();
    table
}

fn key(table: &InFlight, number: u64) -> Key {
    table.key().number(number).finish()
}

fn entered(enter: Enter) -> Place {
    match enter {
        Enter::In(place) => place,
        other => panic!("{other:?}"),
    }
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Enter> + 'a>>;

fn poll(waiting: &mut Waiting<'_>) -> Poll<Enter> {
    waiting
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn places_are_taken_and_given_back() {
    let table = table();
    let one = key(&table, 1);
    let all = Bounds { max: 2, queue: 0 };
    let places = [
        entered(table.enter(one, all)),
        entered(table.enter(one, all)),
    ];
    assert_eq!(table.enter(one, all), Enter::Full);
    assert_eq!(table.look(one), (2, 0));
    entered(table.enter(key(&table, 2), all));
    table.leave(places[0], all);
    assert_eq!(table.look(one), (1, 0));
    let again = entered(table.enter(one, all));
    table.leave(again, all);
    table.leave(places[1], all);
    assert_eq!(table.look(one), (0, 0));
}

#[test]
fn who_waited_longest_is_next_and_nobody_overtakes() {
    let table = table();
    let one = key(&table, 1);
    let places = [(); 3].map(|()| entered(table.enter(one, THREE)));
    let mut first: Waiting<'_> = Box::pin(table.wait(one, THREE));
    let mut second: Waiting<'_> = Box::pin(table.wait(one, THREE));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    assert_eq!(table.enter(one, THREE), Enter::Full);
    assert_eq!(table.look(one), (3, 2));
    table.leave(places[0], THREE);
    // Granted, and not fetched yet: the place is not free.
    assert_eq!(table.enter(one, THREE), Enter::Wait);
    assert!(poll(&mut second).is_pending());
    assert!(poll(&mut first).is_ready());
    table.leave(places[1], THREE);
    assert!(poll(&mut second).is_ready());
    assert_eq!(table.look(one), (3, 0));
}

#[test]
fn who_gives_up_passes_on_what_was_granted() {
    let table = table();
    let one = key(&table, 1);
    let one_place = Bounds { max: 1, queue: 2 };
    let place = entered(table.enter(one, one_place));
    let mut first: Waiting<'_> = Box::pin(table.wait(one, one_place));
    let mut second: Waiting<'_> = Box::pin(table.wait(one, one_place));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    table.leave(place, one_place);
    drop(first);
    assert!(poll(&mut second).is_ready());
    assert_eq!(table.look(one), (1, 0));
    table.leave(place, one_place);
    assert_eq!(table.look(one), (0, 0));

    // And where nobody is left to pass it on to, it is free; what was told stays without effect.
    let place = entered(table.enter(one, one_place));
    let mut only: Waiting<'_> = Box::pin(table.wait(one, one_place));
    assert!(poll(&mut only).is_pending());
    table.leave(place, one_place);
    drop(only);
    assert_eq!(table.look(one), (0, 0));
    let place = entered(table.enter(one, one_place));
    let mut next: Waiting<'_> = Box::pin(table.wait(one, one_place));
    assert!(poll(&mut next).is_pending());
    assert!(poll(&mut next).is_pending());
    table.leave(place, one_place);
    assert!(poll(&mut next).is_ready());
}

#[test]
fn a_bound_may_move() {
    let table = table();
    let one = key(&table, 1);
    let places = [(); 3].map(|()| entered(table.enter(one, THREE)));
    let mut waiting: Waiting<'_> = Box::pin(table.wait(one, THREE));
    assert!(poll(&mut waiting).is_pending());
    let lower = Bounds { max: 1, queue: 2 };
    table.leave(places[0], lower);
    table.leave(places[1], lower);
    assert!(poll(&mut waiting).is_pending());
    table.leave(places[2], lower);
    assert!(poll(&mut waiting).is_ready());
    let higher = Bounds { max: 5, queue: 9 };
    let mut line: Vec<Waiting<'_>> = (0..4)
        .map(|_| Box::pin(table.wait(one, Bounds { max: 1, queue: 9 })) as Waiting<'_>)
        .collect();
    assert!(line.iter_mut().all(|waiting| poll(waiting).is_pending()));
    table.leave(places[2], higher);
    assert!(line.iter_mut().all(|waiting| poll(waiting).is_ready()));
}

#[test]
fn keys_without_a_place_are_not_counted() {
    let table = InFlight::new(1);
    let all = Bounds { max: 1, queue: 0 };
    let outcomes: Vec<Enter> = (0..100)
        .map(|number| table.enter(key(&table, number), all))
        .collect();
    let counted = outcomes
        .iter()
        .filter(|enter| matches!(enter, Enter::In(_)))
        .count();
    assert_eq!(counted, 8);
    assert!(outcomes.contains(&Enter::Uncounted));
}

/// Threads that enter, wait, give up and leave: never more inside than there is room for, and in the
/// end nothing is left behind.
#[test]
fn threads_share_the_bound() {
    let table = table();
    let bounds = Bounds { max: 2, queue: 3 };
    let inside: [AtomicU32; 2] = Default::default();
    let (most, waited) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for seed in 0..4 {
            let (table, inside, most, waited) = (&table, &inside, &most, &waited);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                for _ in 0..3_000 {
                    let which = random.usize(..2);
                    let one = key(table, which as u64);
                    let enter = match table.enter(one, bounds) {
                        Enter::Wait => {
                            waited.fetch_add(1, SeqCst);
                            let patience = random.u32(..20);
                            runtime.block_on(patient(table, one, bounds, patience))
                        }
                        enter => Some(enter),
                    };
                    if let Some(Enter::In(place)) = enter {
                        most.fetch_max(inside[which].fetch_add(1, SeqCst) + 1, SeqCst);
                        if random.bool() {
                            thread::yield_now();
                        }
                        inside[which].fetch_sub(1, SeqCst);
                        table.leave(place, bounds);
                    }
                }
            });
        }
    });
    assert!((1..=2).contains(&most.into_inner()));
    for number in 0..2 {
        assert_eq!(table.look(key(&table, number)), (0, 0));
    }
}

/// Waits for so many turns of the runtime at most.
async fn patient(table: &InFlight, key: Key, bounds: Bounds, patience: u32) -> Option<Enter> {
    let mut waiting = pin!(table.wait(key, bounds));
    for _ in 0..patience {
        let ready = std::future::poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx))).await;
        if let Poll::Ready(enter) = ready {
            return Some(enter);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Whoever waits without an end is served in the end, whatever thread frees the place.
#[test]
fn nobody_is_forgotten() {
    let table = table();
    let bounds = Bounds { max: 1, queue: 100 };
    let served = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            let (table, served) = (&table, &served);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                for _ in 0..2_000 {
                    let one = key(table, 7);
                    let place = entered(runtime.block_on(table.wait(one, bounds)));
                    served.fetch_add(1, SeqCst);
                    table.leave(place, bounds);
                }
            });
        }
    });
    assert_eq!(served.into_inner(), 8_000);
    assert_eq!(table.look(key(&table, 7)), (0, 0));
}

proptest! {
    /// What is told of a count adds up, whatever happens in whatever order.
    #[test]
    fn counts_add_up(max in 1u32..5, queue in 0u32..4, turns in proptest::collection::vec(0u8..4, 0..200)) {
        let bounds = Bounds { max, queue };
        let (mut count, mut inside, mut waiting) = (Count::default(), 0, 0);
        for turn in turns {
            match turn {
                0 => match count.arrive(bounds) {
                    Room::Place(next) => { count = next; inside += 1; }
                    Room::Line(next) => { count = next; waiting += 1; }
                    Room::None => prop_assert!(count.taken >= max),
                },
                1 if inside > 0 => { count = count.leave(bounds).0; inside -= 1; }
                2 if waiting > 0 => if let Some(next) = count.claim() { count = next; inside += 1; waiting -= 1; },
                3 if waiting > 0 => { count = count.give_up(); waiting -= 1; }
                _ => {}
            }
            prop_assert_eq!(Count::read(count.word()), count);
            prop_assert_eq!(count.waiting, waiting);
            prop_assert_eq!(count.taken, inside + count.granted);
            prop_assert!(count.taken <= max && count.granted <= waiting);
            // Nobody waits while there is a free place.
            prop_assert!(count.waiting == count.granted || count.taken == max);
        }
    }
}
