#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    collections::HashMap,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;
/// A time as it is in earnest: late in 2026.
const NOW: u64 = 1_795_000_000 * SECOND;

fn bucket(count: u64, per: Duration, burst: u64) -> Rule {
    Rule::TokenBucket(TokenBucket::new(count, per, burst).unwrap())
}

fn sliding(limit: u64, per: Duration) -> Rule {
    Rule::SlidingWindow(SlidingWindow::new(limit, per).unwrap())
}

fn fixed(limit: u64, per: Duration) -> Rule {
    Rule::FixedWindow(FixedWindow::new(limit, per).unwrap())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap()
}

/// Steps in time, and what is asked for.
fn steps() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let pause = prop_oneof![Just(0u64), 0..1_000_000u64, 0..3 * SECOND, 0..400 * SECOND];
    prop::collection::vec((pause, 1..6u64), 1..200)
}

proptest! {
    /// Against a bucket computed with fractions: the same but for a nanosecond.
    #[test]
    fn a_bucket_is_what_it_should_be(
        count in 1..20_000u64, per in 1..4_000u64, burst in 1..50u64, steps in steps(),
    ) {
        let (rule, per) = (bucket(count, Duration::from_millis(per), burst), per * 1_000_000);
        let (count, per, full) = (i128::from(count), i128::from(per), i128::from(burst) * i128::from(per));
        let (mut state, mut now, mut level) = (0, NOW, full);
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (pause, cost) in steps {
            now += pause;
            level = full.min(level + i128::from(pause) * count);
            let need = i128::from(cost) * per;
            let found = rule.spend(state, now, cost);
            match found {
                Ok((next, left)) => {
                    prop_assert!(level + 2 * count >= need, "too much");
                    state = next;
                    level -= need;
                    prop_assert!(i128::from(left.remaining) * per <= level + 2 * count);
                    prop_assert!((i128::from(left.remaining) + 1) * per >= level - 2 * count);
                    admitted.push((now, cost));
                }
                Err(refused) => {
                    prop_assert!(level - 2 * count < need, "too little");
                    match refused.after {
                        None => prop_assert!(cost > burst),
                        Some(after) => {
                            let after = nanos(after);
                            prop_assert!(rule.spend(state, now + after, cost).is_ok());
                            prop_assert!(after < 8 || rule.spend(state, now + after - 8, cost).is_err());
                        }
                    }
                }
            }
        }
        // In no stretch of time more than the rate and a burst.
        for (at, (begin, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (end, cost) in &admitted[at..] {
                sum += i128::from(*cost);
                let most = i128::from(end - begin + 2) * count + full;
                prop_assert!(sum * per <= most);
            }
        }
    }

    /// Windows against counts that are kept apart.
    #[test]
    fn windows_are_what_they_should_be(limit in 1..40u64, per in 1..90u64, steps in steps()) {
        let length = Duration::from_secs(per);
        let per = per * SECOND;
        for rule in [sliding(limit, length), fixed(limit, length)] {
            let (mut state, mut now) = (0, NOW);
            let mut counts: HashMap<u64, u64> = HashMap::new();
            for (pause, cost) in &steps {
                now += pause;
                let (window, passed) = (now / per, now % per);
                let here = counts.get(&window).copied().unwrap_or(0);
                let before = counts.get(&(window - 1)).copied().unwrap_or(0);
                let covered = match rule {
                    Rule::SlidingWindow(_) => u128::from(before) * u128::from(per - passed),
                    _ => 0,
                };
                let used = covered + u128::from(here + cost) * u128::from(per);
                let fits = used <= u128::from(limit) * u128::from(per);
                match rule.spend(state, now, *cost) {
                    Ok((next, _)) => {
                        prop_assert!(fits);
                        state = next;
                        *counts.entry(window).or_default() += cost;
                    }
                    Err(refused) => {
                        prop_assert!(!fits);
                        match refused.after {
                            None => prop_assert!(*cost > limit),
                            Some(after) => {
                                let then = now + nanos(after);
                                prop_assert!(rule.spend(state, then, *cost).is_ok());
                                prop_assert!(rule.spend(state, then - 1, *cost).is_err());
                            }
                        }
                    }
                }
            }
            prop_assert!(counts.values().all(|count| *count <= limit));
        }
    }

    /// A clock that goes back gives nothing: whatever the order of times, no more is admitted than
    /// in all the time from the first to the last.
    #[test]
    fn going_back_in_time_gains_nothing(times in prop::collection::vec(0..20 * SECOND, 1..300)) {
        let length = Duration::from_secs(5);
        let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
        for (rule, most) in [
            (bucket(10, length, 7), 7 + (last - first) * 10 / (5 * SECOND) + 1),
            (sliding(10, length), 10 * (last / (5 * SECOND) - first / (5 * SECOND) + 1)),
            (fixed(10, length), 10 * (last / (5 * SECOND) - first / (5 * SECOND) + 1)),
        ] {
            let (mut state, mut sum) = (0, 0);
            for time in &times {
                if let Ok((next, _)) = rule.spend(state, NOW + time, 1) {
                    (state, sum) = (next, sum + 1);
                }
            }
            prop_assert!(sum <= most, "{sum} of {most}: {rule:?}");
        }
    }

    /// Nothing overflows, whatever is asked for and whenever.
    #[test]
    fn any_number_will_do(count in any::<u64>(), per in any::<u64>(), burst in any::<u64>(), state in any::<u64>(), now in any::<u64>(), cost in any::<u64>()) {
        let per = Duration::from_nanos(per);
        let rules = [
            TokenBucket::new(count, per, burst).map(Rule::TokenBucket),
            SlidingWindow::new(count % (1 << 20), per).map(Rule::SlidingWindow),
            FixedWindow::new(count % (1 << 32), per).map(Rule::FixedWindow),
        ];
        for rule in rules.into_iter().flatten() {
            if let Ok((next, left)) = rule.spend(state, now, cost) {
                prop_assert!(left.remaining <= rule.most() && cost <= rule.most());
                rule.refund(next, now, cost);
                rule.idle_from(next, now);
            }
            rule.refund(state, now, cost);
        }
    }

    /// Replicas that share a limit admit no more together than it says, and no less: whatever is asked
    /// of which, while they come and go.
    #[test]
    fn shares_add_up(
        rule in 0..3usize, most in 1..60u64, fleet in 1..9usize,
        steps in prop::collection::vec((0..9usize, 1..4u64, 0..SECOND, 0..60u8), 1..400),
    ) {
        let length = Duration::from_secs(10);
        let rule = [bucket(most, length, most), sliding(most, length), fixed(most, length)][rule];
        let start = NOW - NOW % (10 * SECOND);
        let (mut states, mut now) = (vec![0; fleet], start);
        let (mut admitted, mut dearest, mut added) = (0, 1, 0);
        for (turn, cost, pause, change) in steps {
            now += pause;
            let replicas = states.len() as u64;
            match change {
                0 if states.len() < 12 => {
                    states.push(0);
                    added += most / (replicas + 1) + 1;
                }
                1 if states.len() > 1 => {
                    states.pop();
                    added += most / replicas + 1;
                }
                _ => {}
            }
            let replicas = u32::try_from(states.len()).unwrap();
            let (shared, weight) = rule.share(replicas, cost);
            let state = &mut states[turn % replicas as usize];
            if let Ok((next, _)) = shared.spend(*state, now, weight) {
                *state = next;
                admitted += cost;
                dearest = dearest.max(cost);
            } else if cost == 1 && replicas == 1 && added == 0 {
                // One alone is held to the limit itself.
                prop_assert!(rule.spend(*state, now, cost).is_err());
            }
        }
        let windows = (now - start) / (10 * SECOND) + 1;
        let burst = most.max(12 * dearest) + added;
        let all = match rule {
            Rule::TokenBucket(_) => most * (now - start) / (10 * SECOND) + 1 + burst,
            _ => windows * burst,
        };
        prop_assert!(admitted <= all, "{admitted} of {all}");
    }

    /// What is given back is there again.
    #[test]
    fn a_refund_undoes(before in 0..8u64, cost in 1..8u64, pause in 0..SECOND) {
        for rule in [bucket(1, Duration::from_secs(9), 20), sliding(20, Duration::from_secs(9)), fixed(20, Duration::from_secs(9))] {
            let now = NOW - NOW % (9 * SECOND);
            let (state, left) = rule.spend(0, now, before).unwrap();
            let (spent, _) = rule.spend(state, now + pause, cost).unwrap();
            let undone = rule.refund(spent, now + pause, cost);
            let (_, again) = rule.spend(undone, now + pause, 0).unwrap();
            prop_assert!(again.remaining == left.remaining || again.remaining == left.remaining + 1);
        }
    }
}

/// Whole shares of a fleet that is asked as much as one likes: exactly the limit; and one each where
/// the limit is smaller than the fleet.
#[test]
fn a_fleet_admits_the_limit() {
    let hour = Duration::from_secs(3_600);
    for (most, fleet, all) in [(90, 3, 90), (90, 10, 90), (91, 3, 90), (2, 5, 5), (1, 1, 1)] {
        for rule in [
            bucket(most, hour, most),
            sliding(most, hour),
            fixed(most, hour),
        ] {
            let (shared, weight) = rule.share(fleet, 1);
            let one = |_| {
                let mut state = 0;
                let spends = std::iter::from_fn(|| {
                    let (next, _) = shared.spend(state, NOW, weight).ok()?;
                    state = next;
                    Some(())
                });
                spends.count()
            };
            assert_eq!(
                (0..fleet).map(one).sum::<usize>(),
                all,
                "{rule:?} of {fleet}"
            );
        }
    }
    let dear = bucket(1, hour, 10).share(4, 11);
    assert!(dear.0.spend(0, NOW, dear.1).unwrap_err().after.is_none());
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    let second = Duration::from_secs(1);
    assert_eq!(TokenBucket::new(0, second, 1), Err(Invalid::Zero));
    assert_eq!(TokenBucket::new(1, second, 0), Err(Invalid::Zero));
    assert_eq!(TokenBucket::new(1, Duration::ZERO, 1), Err(Invalid::Period));
    assert_eq!(TokenBucket::new(1, Duration::MAX, 1), Err(Invalid::Period));
    let too_fast = TokenBucket::new(1_000_000_001, second, 1);
    assert_eq!(too_fast, Err(Invalid::TooMany(1_000_000_000)));
    assert!(TokenBucket::new(1_000_000_000, second, 1_000_000_000).is_ok());
    assert!(SlidingWindow::new(1 << 20, second).is_err());
    assert!(FixedWindow::new(1 << 32, second).is_err());
    assert_eq!(FixedWindow::new(1, second / 2), Err(Invalid::Period));
}

#[test]
fn a_window_of_a_minute_is_the_minute_of_the_clock() {
    let rule = fixed(1, Duration::from_secs(60));
    let minute = NOW - NOW % (60 * SECOND);
    let (state, left) = rule.spend(0, minute + 59 * SECOND, 1).unwrap();
    assert_eq!((left.remaining, left.reset), (0, Duration::from_secs(1)));
    assert!(rule.spend(state, minute + 60 * SECOND - 1, 1).is_err());
    assert!(rule.spend(state, minute + 60 * SECOND, 1).is_ok());
}

#[test]
fn each_key_has_its_own() {
    let (table, rule) = (Table::new(100), fixed(2, Duration::from_secs(60)));
    let now = table.now();
    let key = |text: &str| table.key().number(1).bytes(text.as_bytes()).finish();
    let spend = |text: &str| table.spend(key(text), &rule, now, 1);
    assert_eq!((spend("a").added, spend("a").added), (1, 0));
    assert!(spend("a").outcome.is_err());
    assert_eq!(spend("b").outcome.unwrap().remaining, 1);
    assert_eq!(table.look(key("b"), &rule, now, 1).unwrap().remaining, 0);
    assert_eq!(table.look(key("b"), &rule, now, 1).unwrap().remaining, 0);
    table.refund(key("a"), &rule, now, 1);
    assert!(spend("a").outcome.is_ok());
    let parts = |one: &str, two: &str| {
        table
            .key()
            .bytes(one.as_bytes())
            .bytes(two.as_bytes())
            .finish()
    };
    assert_ne!(parts("a", "bc"), parts("ab", "c"));
}

/// However many keys come, memory stays; those that somebody spends much of are not displaced.
#[test]
fn a_flood_of_keys_displaces_its_own() {
    let (table, rule) = (Table::new(1_000), bucket(1, Duration::from_secs(1), 100));
    let now = table.now();
    let key = |number: u64| table.key().number(number).finish();
    for user in 0..200 {
        for _ in 0..100 {
            table.spend(key(user), &rule, now, 1);
        }
    }
    let (mut added, mut displaced) = (0, 0);
    for number in 1_000..200_000 {
        let spent = table.spend(key(number), &rule, now, 1);
        assert!(spent.outcome.is_ok());
        added += i64::from(spent.added);
        displaced += u64::from(spent.displaced);
    }
    let places = (table.bytes() / 24) as i64;
    assert!(
        added <= places && table.bytes() <= 100 * 1_000,
        "{added} of {places}"
    );
    assert!(displaced > 190_000, "{displaced}");
    for user in 0..200 {
        assert!(
            table.spend(key(user), &rule, now, 1).outcome.is_err(),
            "{user}"
        );
    }
}

#[test]
fn idle_keys_make_room() {
    let (table, rule) = (Table::new(1_000), bucket(1, Duration::from_secs(1), 100));
    let mut displaced = 0;
    for round in 0..100 {
        let now = table.now() + round * 10 * SECOND;
        for number in 0..500 {
            let key = table.key().number(round * 1_000 + number).finish();
            displaced += u32::from(table.spend(key, &rule, now, 1).displaced);
        }
    }
    // Groups that nine of 500 keys fall into: one in 4,000 (Poisson), so about 6 of the 50,000.
    assert!(displaced < 60, "{displaced}");
}

/// Threads that share keys admit exactly what one would.
#[test]
fn threads_count_together() {
    let rules = [
        bucket(1, Duration::from_secs(3_600), 500),
        sliding(500, Duration::from_secs(3_600)),
        fixed(500, Duration::from_secs(3_600)),
    ];
    for rule in rules {
        let (table, now, admitted) = (Table::new(100), NOW, AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for turn in 0..1_000 {
                        let key = table.key().number(turn % 3).finish();
                        let admit = table.spend(key, &rule, now, 1).outcome.is_ok();
                        admitted.fetch_add(u64::from(admit), Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 3 * 500, "{rule:?}");
    }
}

/// Keys that all threads meet for the first time at once, in groups that fill up meanwhile.
#[test]
fn a_new_key_is_made_once() {
    const KEYS: usize = 20_000;
    let rule = bucket(1, Duration::from_secs(3_600), 1);
    let table = Table::new(2 * KEYS);
    let admitted: Vec<AtomicU64> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
    let (barrier, displaced) = (Barrier::new(4), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                barrier.wait();
                for (number, admitted) in admitted.iter().enumerate() {
                    let key = table.key().number(number as u64).finish();
                    let spent = table.spend(key, &rule, NOW, 1);
                    admitted.fetch_add(u64::from(spent.outcome.is_ok()), Relaxed);
                    displaced.fetch_add(u64::from(spent.displaced), Relaxed);
                }
            });
        }
    });
    let twice = admitted
        .iter()
        .filter(|count| count.load(Relaxed) > 1)
        .count() as u64;
    assert!(admitted.iter().all(|count| count.load(Relaxed) > 0));
    assert!(twice <= displaced.into_inner(), "{twice} admitted twice");
}
