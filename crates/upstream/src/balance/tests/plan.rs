//! Priorities, zones, panic, slow start.

use std::time::Duration;

use super::*;

fn standing(priority: u8, local: bool, available: bool) -> Standing {
    Standing {
        weight: 1,
        priority,
        local,
        available,
        probing: false,
        ramp: 1.0,
    }
}

/// So many endpoints of a priority, the first of them healthy.
fn level(priority: u8, healthy: usize, count: usize) -> Vec<Standing> {
    (0..count)
        .map(|index| standing(priority, false, index < healthy))
        .collect()
}

fn plan(levels: &[Vec<Standing>]) -> Plan {
    Plan::new(&levels.concat(), &Rules::default())
}

/// What goes to endpoints of an interval, in per cent.
fn percent(plan: &Plan, range: std::ops::Range<usize>) -> u32 {
    let share: f64 = range.map(|index| plan.share(index)).sum();
    (share * 100.0).round() as u32
}

#[test]
fn the_next_priority_takes_over_what_the_first_cant_carry() {
    // Envoy's table for an overprovisioning factor of 1.4 ("Priority levels").
    for (healthy, first) in [(100, 100), (72, 100), (71, 99), (50, 70), (25, 35), (0, 0)] {
        let plan = plan(&[level(0, healthy, 100), level(1, 100, 100)]);
        assert_eq!(percent(&plan, 0..100), first, "{healthy} healthy");
        assert_eq!(percent(&plan, 100..200), 100 - first, "{healthy} healthy");
        assert!(!plan.is_panic());
    }
}

#[test]
fn what_both_cant_carry_is_shared_by_what_they_can() {
    // Envoy: 20 % and 20 % healthy are 28 and 28, normalised to half each; both panic.
    let both = plan(&[level(0, 20, 100), level(1, 20, 100)]);
    assert_eq!(percent(&both, 0..100), 50);
    assert!(both.is_panic());
    assert!(both.share(99) > 0.0, "a level in panic uses all it has");
    // 60 % and 5 %: 84 of 91, and only the second panics.
    let one = plan(&[level(0, 60, 100), level(1, 5, 100)]);
    assert_eq!(percent(&one, 0..100), 92);
    assert_eq!(one.share(99), 0.0);
    assert!(one.share(199) > 0.0);
}

#[test]
fn with_too_few_healthy_all_are_used() {
    let all = |healthy| plan(&[level(0, healthy, 4)]);
    assert_eq!(all(2).weights().each(), [1, 1, 0, 0]);
    assert_eq!(all(1).weights().each(), [1, 1, 1, 1]);
    assert_eq!(all(0).weights().each(), [1, 1, 1, 1]);
    let never = Rules {
        panic_below: 0.0,
        ..Rules::default()
    };
    assert_eq!(
        Plan::new(&level(0, 1, 4), &never).weights().each(),
        [1, 0, 0, 0]
    );
    assert_eq!(Plan::new(&level(0, 0, 4), &never).weights().total(), 0);
}

#[test]
fn drained_endpoints_get_nothing_even_in_panic() {
    let mut standings = level(0, 0, 3);
    standings[1].weight = 0;
    let plan = Plan::new(&standings, &Rules::default());
    assert_eq!(plan.weights().each(), [1, 0, 1]);
}

#[test]
fn the_own_zone_is_preferred_as_far_as_it_can_carry() {
    let zones = |local_healthy: usize| {
        let local = (0..10).map(|index| standing(0, true, index < local_healthy));
        let other = (0..10).map(|_| standing(0, false, true));
        Plan::new(&local.chain(other).collect::<Vec<_>>(), &Rules::default())
    };
    assert_eq!(percent(&zones(10), 0..10), 100);
    assert_eq!(percent(&zones(8), 0..10), 100);
    assert_eq!(percent(&zones(5), 0..10), 70);
    assert_eq!(percent(&zones(0), 0..10), 0);
    assert_eq!(percent(&zones(0), 10..20), 100);
}

#[test]
fn a_small_zone_is_no_preference() {
    let standings: Vec<_> = (0..10).map(|index| standing(0, index == 0, true)).collect();
    let rules = |prefer_zone| Rules {
        prefer_zone,
        ..Rules::default()
    };
    assert_eq!(percent(&Plan::new(&standings, &rules(Some(2))), 0..1), 10);
    assert_eq!(percent(&Plan::new(&standings, &rules(Some(1))), 0..1), 100);
    assert_eq!(percent(&Plan::new(&standings, &rules(None)), 0..1), 10);
}

#[test]
fn keys_choose_groups_by_share() {
    let plan = plan(&[level(0, 50, 100), level(1, 100, 100)]);
    let first = (0..10_000_u64)
        .filter(|nth| plan.tier_at(mix(*nth)) == 0)
        .count();
    assert!((6_800..7_200).contains(&first), "{first}");
    assert!(plan.is_in(0, 0) && !plan.is_in(0, 1) && plan.is_in(100, 1) && !plan.is_in(60, 0));
}

#[test]
fn a_new_endpoint_starts_slowly() {
    let window = Duration::from_secs(100);
    for (seconds, part) in [
        (0, 0.1),
        (5, 0.1),
        (30, 0.3),
        (99, 0.99),
        (100, 1.0),
        (500, 1.0),
    ] {
        assert_eq!(
            ramp(Duration::from_secs(seconds), window),
            part,
            "{seconds}"
        );
    }
    let mut standings = level(0, 2, 2);
    standings[1].ramp = 0.25;
    let plan = Plan::new(&standings, &Rules::default());
    assert!(plan.is_ramping());
    assert_eq!(percent(&plan, 1..2), 20);
}

#[test]
fn turns_survive_changing_weights() {
    // Weights that change all the time, as in slow start: what is owed stays owed.
    let mut balancer = round_robin(0);
    let mut second = 0;
    for turn in 0..1_000_u32 {
        let mut standings = level(0, 2, 2);
        standings[1].ramp = 0.1 + f64::from(turn % 7) / 1_000.0;
        let mut from = Fixed::new(&[1, 1]);
        from.plan = Plan::new(&standings, &Rules::default());
        second += balancer.pick(&from, None).unwrap();
    }
    assert!((85..100).contains(&second), "{second}");
}

fn any_standing() -> impl Strategy<Value = Standing> {
    (
        0..4_u32,
        0..3_u8,
        any::<bool>(),
        any::<bool>(),
        0.1..1.0_f64,
    )
        .prop_map(|(weight, priority, local, available, ramp)| Standing {
            weight,
            priority,
            local,
            available,
            probing: false,
            ramp: if ramp > 0.7 { 1.0 } else { ramp },
        })
}

proptest! {
    #[test]
    fn there_is_a_plan_whenever_there_is_an_endpoint(
        standings in proptest::collection::vec(any_standing(), 0..12),
        panic_below in 0.0..1.0_f64,
    ) {
        let rules = Rules { panic_below, ..Rules::default() };
        let plan = Plan::new(&standings, &rules);
        prop_assert_eq!(plan.len(), standings.len());
        let usable = standings.iter().any(|one| one.weight > 0 && one.available);
        prop_assert!(plan.weights().total() > 0 || !usable);
        for (index, one) in standings.iter().enumerate() {
            prop_assert!(plan.share(index) == 0.0 || one.weight > 0);
            prop_assert!(plan.is_panic() || plan.share(index) == 0.0 || one.available);
        }
        let sum: f64 = (0..plan.len()).map(|index| plan.share(index)).sum();
        prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-6);
        // Every key has a group with somebody in it.
        for point in [0, u64::MAX / 3, u64::MAX] {
            let tier = plan.tier_at(point);
            prop_assert!(sum == 0.0 || (0..plan.len()).any(|index| plan.is_in(index, tier)));
        }
    }
}
