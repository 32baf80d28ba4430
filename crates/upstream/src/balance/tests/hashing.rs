//! Consistent hashing: shares, stability, bounds.

use super::*;
use crate::service::{Hashing, Key, TableKind};

const KEYS: u64 = 20_000;

fn ids(count: u64) -> Vec<u64> {
    (0..count)
        .map(|nth| hash(format!("http://10.0.0.{nth}:8080").as_bytes()))
        .collect()
}

fn key(nth: u64) -> u64 {
    hash(format!("user-{nth}").as_bytes())
}

fn weighted(weights: &[u32]) -> Vec<(u64, u32)> {
    let ids = ids(weights.len() as u64);
    ids.into_iter().zip(weights.iter().copied()).collect()
}

fn tables(endpoints: &[(u64, u32)]) -> [Table; 2] {
    [
        Table::Maglev(Maglev::new(endpoints)),
        Table::Ring(Ring::new(endpoints)),
    ]
}

fn from(weights: &[u32], table: Table) -> Fixed {
    Fixed {
        table: Some(table),
        ..Fixed::new(weights)
    }
}

fn balancer(headroom: Option<f64>) -> Balancer {
    let hashing = Hashing {
        key: Key::new(lintel_kernel::expr::Expr::parse("client.ip").unwrap()),
        table: TableKind::Maglev,
        headroom,
    };
    seeded(&Balance::Hash(hashing), 1)
}

/// Where every key goes.
fn placed(from: &Fixed) -> Vec<usize> {
    let mut balancer = balancer(None);
    (0..KEYS)
        .map(|nth| balancer.pick(from, Some(key(nth))).unwrap())
        .collect()
}

fn moved(before: &[usize], after: &[usize]) -> usize {
    before.iter().zip(after).filter(|(a, b)| a != b).count()
}

#[test]
fn keys_are_shared_by_weight() {
    for (table, tolerance) in tables(&weighted(&[1, 1, 2])).into_iter().zip([0.02, 0.2]) {
        let counts = counts(&placed(&from(&[1, 1, 2], table)), 3);
        for (count, share) in counts.iter().zip([0.25, 0.25, 0.5]) {
            let got = *count as f64 / KEYS as f64;
            assert!((got / share - 1.0).abs() < tolerance + 0.03, "{counts:?}");
        }
    }
}

#[test]
fn the_same_key_meets_the_same_endpoint_everywhere() {
    // The order in which endpoints are configured makes no difference.
    let forward = weighted(&[1; 7]);
    let backward: Vec<_> = forward.iter().rev().copied().collect();
    for (one, other) in tables(&forward).into_iter().zip(tables(&backward)) {
        let (one, other) = (from(&[1; 7], one), from(&[1; 7], other));
        let mirrored: Vec<usize> = placed(&other).iter().map(|index| 6 - index).collect();
        assert_eq!(placed(&one), mirrored);
    }
}

#[test]
fn removing_one_of_n_moves_little_more_than_its_keys() {
    let all = weighted(&[1; 10]);
    let mut fewer = all.clone();
    fewer[3].1 = 0;
    // Maglev moves a few keys more than those of the endpoint that went (§5.3 of the paper).
    let extra = [KEYS as usize / 20, 0];
    for ((before, after), extra) in tables(&all).into_iter().zip(tables(&fewer)).zip(extra) {
        let before = placed(&from(&[1; 10], before));
        let after = placed(&from(&[1, 1, 1, 0, 1, 1, 1, 1, 1, 1], after));
        let gone = before.iter().filter(|index| **index == 3).count();
        assert!(!after.contains(&3));
        let moved = moved(&before, &after);
        assert!(moved <= gone + extra, "{moved} moved, {gone} had to");
    }
}

#[test]
fn an_unhealthy_endpoint_moves_its_own_keys_alone() {
    for table in tables(&weighted(&[1; 10])) {
        let mut all = from(&[1; 10], table);
        let before = placed(&all);
        // Health changes the plan and leaves the table.
        all.plan = Plan::flat(&[1, 1, 1, 0, 1, 1, 1, 1, 1, 1]);
        let after = placed(&all);
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == 3);
        }
        // They spread over all the others.
        let counts = counts(&after, 10);
        assert_eq!(counts[3], 0);
        assert!(
            counts
                .iter()
                .enumerate()
                .all(|(i, count)| i == 3 || *count > 1_500),
            "{counts:?}"
        );
    }
}

#[test]
fn another_try_goes_to_the_next_in_the_keys_order() {
    for table in tables(&weighted(&[1; 5])) {
        let mut all = from(&[1; 5], table);
        let mut balancer = balancer(None);
        let first = balancer.pick(&all, Some(7)).unwrap();
        all.usable[first] = false;
        let second = balancer.pick_other(&all, Some(7)).unwrap();
        assert_ne!(first, second);
        assert_eq!(balancer.pick_other(&all, Some(7)), Some(second));
        all.usable = vec![false; 5];
        assert_eq!(balancer.pick_other(&all, Some(7)), None);
    }
}

#[test]
fn without_a_key_the_less_busy_of_two_is_taken() {
    let [table, _] = tables(&weighted(&[1, 1]));
    let mut all = from(&[1, 1], table);
    all.loads = vec![3, 0];
    assert_eq!(picks(&mut balancer(None), &all, 20), [1; 20]);
}

#[test]
fn a_hot_key_spills_over_and_nobody_is_overfull() {
    for table in tables(&weighted(&[1; 4])) {
        let mut all = from(&[1; 4], table);
        let mut balancer = balancer(Some(0.25));
        for placed in 1..=400_u32 {
            // Half of the requests have the same key.
            let key = if placed % 2 == 0 {
                42
            } else {
                key(placed.into())
            };
            let index = balancer.pick(&all, Some(key)).unwrap();
            all.loads[index] += 1;
            let bound = (1.25 * f64::from(placed) / 4.0).ceil();
            assert!(f64::from(all.loads[index]) <= bound, "{:?}", all.loads);
        }
    }
}

#[test]
fn the_hash_is_the_same_for_ever() {
    // Replicas of different versions must agree: these values may not change.
    assert_eq!(hash(b""), 0xefd0_1f60_ba99_2926);
    assert_eq!(hash(b"a"), 0x82a2_a958_a9be_ce5b);
    assert_ne!(hash(b"user-1") >> 32, hash(b"user-2") >> 32);
}

#[test]
fn a_session_stays_where_it_is() {
    let sticky = crate::service::Sticky {
        cookie: "s".into(),
        ttl: None,
        path: "/".into(),
        secure: None,
        http_only: true,
        same_site: crate::service::SameSite::Lax,
        secret: None,
    };
    let mut balancer = seeded(&Balance::Sticky(sticky), 1);
    let mut from = Fixed::new(&[1, 1, 1]);
    from.loads = vec![0, 0, 9];
    assert_eq!(balancer.pick(&from, Some(2)), Some(2));
    from.usable[2] = false;
    assert_ne!(balancer.pick(&from, Some(2)), Some(2));
    assert_ne!(balancer.pick(&from, None), Some(2));
    let sessions = Sessions::new([70, 50, 60]);
    assert_eq!(sessions.find(60), Some(2));
    assert_eq!(sessions.find(61), None);
    assert_eq!(sessions.number(1), Some(50));
}

proptest! {
    #[test]
    fn some_endpoint_is_always_below_its_bound(
        loads in proptest::collection::vec(0..50_u32, 1..10),
        headroom in 0.0..2.0_f64,
    ) {
        let total = loads.iter().map(|load| u64::from(*load)).sum();
        let bound = Bound::new(headroom, total, loads.len() as u64);
        prop_assert!(loads.iter().any(|load| bound.allows(*load, 1)));
    }

    #[test]
    fn tables_know_every_endpoint_of_weight(weights in proptest::collection::vec(0..8_u32, 1..12)) {
        for table in tables(&weighted(&weights)) {
            let mut seen: Vec<usize> = match &table {
                Table::Maglev(table) => table.walk(key(1)).collect(),
                Table::Ring(ring) => ring.walk(key(1)).collect(),
            };
            seen.sort_unstable();
            seen.dedup();
            let expected: Vec<usize> = (0..weights.len()).filter(|index| weights[*index] > 0).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
