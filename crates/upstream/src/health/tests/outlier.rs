//! Outliers.

use std::time::Duration;

use proptest::prelude::*;

use crate::{
    health::{LatencyOutlier, SuccessRate, outlier},
    service::Tally,
};

fn rates(good: &[u64]) -> Vec<Tally> {
    let tally = |good: &u64| Tally {
        good: *good,
        bad: 1_000 - good,
        timed: 1_000,
        micros: 0,
    };
    good.iter().map(tally).collect()
}

fn latencies(millis: &[u64]) -> Vec<Tally> {
    let tally = |millis: &u64| Tally {
        good: 100,
        bad: 0,
        timed: 100,
        micros: millis * 100_000,
    };
    millis.iter().map(tally).collect()
}

#[test]
fn one_that_fails_far_more_often_stands_out() {
    let rule = SuccessRate::default();
    assert_eq!(
        outlier::by_success(&rates(&[990, 995, 992, 991, 600]), &rule),
        [(4, 600)]
    );
    assert_eq!(
        outlier::by_success(&rates(&[990, 995, 992, 991, 985]), &rule),
        []
    );
    // All fail alike: nobody stands out.
    assert_eq!(outlier::by_success(&rates(&[500; 6]), &rule), []);
    // Too few endpoints to say.
    assert_eq!(outlier::by_success(&rates(&[990, 995, 992, 0]), &rule), []);
    // One without enough requests does not count.
    let mut some = rates(&[990, 995, 992, 991, 0]);
    some[4].bad = 99;
    assert_eq!(outlier::by_success(&some, &rule), []);
}

#[test]
fn one_that_is_far_slower_stands_out() {
    let rule = LatencyOutlier::default();
    assert_eq!(
        outlier::by_latency(&latencies(&[100, 110, 90, 400]), &rule),
        [(3, 400)]
    );
    assert_eq!(
        outlier::by_latency(&latencies(&[100, 110, 90, 250]), &rule),
        []
    );
    // Two slow ones don't hide each other.
    assert_eq!(
        outlier::by_latency(&latencies(&[100, 5_000, 90, 9_000, 100]), &rule),
        [(1, 5_000), (3, 9_000)]
    );
    // Fast ones are never slow.
    let quick = LatencyOutlier {
        at_least: Duration::from_millis(500),
        ..rule
    };
    assert_eq!(
        outlier::by_latency(&latencies(&[100, 110, 90, 400]), &quick),
        []
    );
}

proptest! {
    #[test]
    fn never_all_stand_out(good in proptest::collection::vec(0..=1_000_u64, 2..12), factor in 0.5..4.0_f64) {
        let rule = SuccessRate { factor, min_endpoints: 2, min_requests: 1 };
        let out = outlier::by_success(&rates(&good), &rule);
        prop_assert!(out.len() < good.len());
    }
}
