#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod outlier;
mod supervise;
mod tally;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::service::{EndpointSpec, Service, ServiceSpec};

fn service(endpoints: u16) -> Arc<Service> {
    let endpoints = (1..=endpoints)
        .map(|port| EndpointSpec::http(SocketAddr::from(([10, 0, 0, 1], port))))
        .collect();
    Service::build(ServiceSpec::new("orders", endpoints), None).unwrap()
}

fn rules() -> Eject {
    Eject {
        consecutive_failures: 3,
        consecutive_gateway_errors: 4,
        consecutive_5xx: 5,
        base: Duration::from_secs(10),
        max: Duration::from_secs(25),
        trial: 2,
        ..Eject::default()
    }
}

/// Tries of these kinds until one is too many; which one, counted from 1.
fn too_many(health: &Health, tries: &[Verdict]) -> Option<(usize, Reason)> {
    tries.iter().enumerate().find_map(|(index, verdict)| {
        match health.count(*verdict, Some(&rules())) {
            Counted::TooMany(reason) => Some((index + 1, reason)),
            _ => None,
        }
    })
}

#[test]
fn failures_in_a_row_are_too_many() {
    use Verdict::{Failure, GatewayError, Good, ServerError};
    for (tries, outcome) in [
        (&[Failure; 3][..], Some((3, Reason::Failures(3)))),
        (&[Failure, Failure, Good, Failure, Failure][..], None),
        (&[GatewayError; 4][..], Some((4, Reason::GatewayErrors(4)))),
        // No answer is a gateway error as well.
        (
            &[GatewayError, Failure, GatewayError, Failure][..],
            Some((4, Reason::GatewayErrors(4))),
        ),
        // An answer with 500 ends a row without answers, and goes on with one of 5xx.
        (
            &[Failure, Failure, ServerError, GatewayError, GatewayError][..],
            Some((5, Reason::ServerErrors(5))),
        ),
        (&[ServerError; 4][..], None),
        (&[ServerError; 5][..], Some((5, Reason::ServerErrors(5)))),
    ] {
        assert_eq!(too_many(&Health::new(false), tries), outcome, "{tries:?}");
    }
}

#[test]
fn rules_of_zero_never_apply() {
    let off = Eject {
        consecutive_failures: 0,
        consecutive_gateway_errors: 0,
        consecutive_5xx: 0,
        ..Eject::default()
    };
    let health = Health::new(false);
    for _ in 0..1_000 {
        assert_eq!(health.count(Verdict::Failure, Some(&off)), Counted::Nothing);
    }
}

#[test]
fn ejections_grow_and_are_forgotten() {
    let (service, rules) = (service(3), rules());
    let set = service.endpoints();
    let endpoint = &set.endpoints()[0];
    let mut lasted = Vec::new();
    for _ in 0..4 {
        let lasts = eject(endpoint, &set, Moment(0), &rules).unwrap();
        assert!(!endpoint.health.is_available());
        assert_eq!(
            endpoint.health.ejected_until(),
            Some(Moment(0).after(lasts))
        );
        assert_eq!(
            eject(endpoint, &set, Moment(0), &rules),
            None,
            "ejected already"
        );
        endpoint.health.begin_trial(Moment(0), 0);
        assert!(endpoint.health.is_available());
        lasted.push(lasts.as_secs());
    }
    assert_eq!(lasted, [10, 20, 25, 25]);
    let mut intervals = 1;
    while endpoint.health.forgive() {
        intervals += 1;
    }
    assert_eq!((intervals, endpoint.health.has_record()), (4, false));
    assert_eq!(
        eject(endpoint, &set, Moment(0), &rules),
        Some(Duration::from_secs(10))
    );
}

#[test]
fn on_trial_one_failure_is_enough_and_a_few_good_answers_are() {
    let health = Health::new(false);
    health.begin_trial(Moment(0), 2);
    assert!(health.is_available() && health.is_on_trial());
    assert_eq!(
        health.count(Verdict::Failure, Some(&rules())),
        Counted::TooMany(Reason::Trial)
    );
    health.begin_trial(Moment(0), 2);
    assert_eq!(
        health.count(Verdict::Good, Some(&rules())),
        Counted::Nothing
    );
    assert_eq!(
        health.count(Verdict::Good, Some(&rules())),
        Counted::Trusted
    );
    assert!(!health.is_on_trial());
    assert_eq!(
        health.count(Verdict::Failure, Some(&rules())),
        Counted::Nothing
    );
}

#[test]
fn slow_start_counts_from_the_return() {
    let health = Health::new(false);
    health.begin_trial(Moment(5_000), 1);
    assert_eq!(health.age(Moment(7_000)), Duration::from_secs(2));
    assert!(health.fails() && !health.fails());
    assert!(health.passes(Moment(9_000)) && !health.passes(Moment(9_500)));
    assert_eq!(health.age(Moment(9_500)), Duration::from_millis(500));
}

#[test]
fn statuses_and_grpc_codes_say_how_a_try_went() {
    let kinds = [200, 404, 499, 500, 501, 502, 503, 504, 505].map(Verdict::of_status);
    use Verdict::{GatewayError, Good, ServerError};
    assert_eq!(
        kinds,
        [
            Good,
            Good,
            Good,
            ServerError,
            ServerError,
            GatewayError,
            GatewayError,
            GatewayError,
            ServerError
        ]
    );
    assert_eq!(
        [0, 5, 14, 13].map(Verdict::of_grpc),
        [Good, Good, GatewayError, ServerError]
    );
}

#[test]
fn the_story_keeps_what_happened_last() {
    let health = Health::new(false);
    for weight in 0..30 {
        health.note(Turn::Weight(weight));
    }
    let story = health.story();
    assert_eq!(story.len(), 20);
    assert_eq!(story[19].turn, Turn::Weight(29));
    assert_eq!(Turn::Weight(0).to_string(), "drained by the operator");
}

proptest! {
    #[test]
    fn never_too_many_are_ejected(
        endpoints in 1..12_u16,
        max_ejected in 0.0..1.0_f64,
        wanted in proptest::collection::vec(0..12_usize, 1..30),
    ) {
        let service = service(endpoints);
        let set = service.endpoints();
        let rules = Eject { max_ejected, ..rules() };
        for index in wanted {
            if let Some(endpoint) = set.endpoints().get(index) {
                let _ = eject(endpoint, &set, Moment(0), &rules);
            }
            let out = set.endpoints().iter().filter(|one| one.health.is_ejected()).count();
            let share = (f64::from(endpoints) * max_ejected).floor() as usize;
            prop_assert!(out <= share.max(1));
            prop_assert!(out < usize::from(endpoints), "somebody is always left");
        }
    }
}
