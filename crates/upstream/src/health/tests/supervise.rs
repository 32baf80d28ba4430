//! The control side, with the clock in hand.

use std::{rc::Rc, sync::Arc, time::Duration};

use lintel_telemetry::Catalogue;
use tokio::{
    task::{JoinHandle, LocalSet},
    time::{Instant, sleep},
};

use super::*;
use crate::{
    health::supervise::supervise,
    service::{EndpointState, Load},
};

/// Runs a test while a service is supervised, in time that passes when everybody waits.
fn supervised<T>(service: &Arc<Service>, test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (own, catalogue) = (Arc::clone(service), Catalogue::new());
        let task: JoinHandle<()> =
            tokio::task::spawn_local(async move { supervise(&own, &catalogue).await });
        sleep(Duration::from_millis(1)).await;
        let result = test.await;
        task.abort();
        result
    })
}

fn with_rules(endpoints: u16, rules: Eject) -> Arc<Service> {
    let spec = ServiceSpec {
        eject: Some(rules),
        ..service(endpoints).spec().clone()
    };
    Service::build(spec, None).unwrap()
}

/// What a worker does about one failure too many.
fn ejected(service: &Arc<Service>, index: usize) -> Duration {
    let set = service.endpoints();
    let endpoint = &set.endpoints()[index];
    let rules = service.spec().eject.as_ref().unwrap();
    let lasts = eject(endpoint, &set, Moment::now(), rules).unwrap();
    service.members.news.tell(Event::Ejected {
        endpoint: Arc::clone(endpoint),
        reason: Reason::Failures(3),
        lasts,
    });
    lasts
}

fn turns(service: &Service, index: usize) -> Vec<Turn> {
    let history = service.status()[index].history.clone();
    history.into_iter().map(|one| one.turn).collect()
}

#[test]
fn an_ejection_ends_in_a_trial_and_is_on_record() {
    let service = with_rules(3, rules());
    supervised(&service, async {
        let version = service.members.version();
        assert_eq!(ejected(&service, 0), Duration::from_secs(10));
        sleep(Duration::from_secs(9)).await;
        assert!(matches!(
            service.status()[0].state,
            EndpointState::Ejected(_)
        ));
        assert_eq!(service.status()[0].share, 0.0);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(service.status()[0].state, EndpointState::OnTrial);
        assert!(service.members.version() > version, "workers are told");
        assert_eq!(
            turns(&service, 0),
            [
                Turn::Ejected {
                    reason: Reason::Failures(3),
                    seconds: 10
                },
                Turn::OnTrial
            ]
        );
        // It fails again: out for longer.
        assert_eq!(ejected(&service, 0), Duration::from_secs(20));
        sleep(Duration::from_secs(21)).await;
        assert_eq!(service.status()[0].state, EndpointState::OnTrial);
    });
}

#[test]
fn good_conduct_is_remembered() {
    let service = with_rules(3, rules());
    supervised(&service, async {
        ejected(&service, 0);
        let endpoint = Arc::clone(&service.endpoints().endpoints()[0]);
        sleep(Duration::from_secs(11)).await;
        assert!(endpoint.health.has_record());
        sleep(Duration::from_secs(20)).await;
        assert!(!endpoint.health.has_record());
        assert_eq!(ejected(&service, 0), Duration::from_secs(10));
    });
}

#[test]
fn an_idle_service_is_left_alone() {
    let service = with_rules(3, rules());
    supervised(&service, async {
        let before = Instant::now();
        // Time jumps to the next timer of anybody: there is none but this.
        sleep(Duration::from_secs(100_000)).await;
        assert_eq!(before.elapsed(), Duration::from_secs(100_000));
        assert_eq!(turns(&service, 0), []);
    });
}

#[test]
fn who_does_much_worse_than_the_others_is_ejected() {
    let service = with_rules(
        5,
        Eject {
            success_rate: Some(SuccessRate::default()),
            latency: Some(LatencyOutlier::default()),
            ..rules()
        },
    );
    let set = service.endpoints();
    let loads: Vec<Arc<Load>> = set
        .endpoints()
        .iter()
        .map(|endpoint| {
            let load = Arc::new(Load::default());
            endpoint.register(&load);
            load
        })
        .collect();
    let loads = Rc::new(loads);
    supervised(&service, async {
        let round = |sick: Option<usize>, slow: Option<usize>| {
            for (index, load) in loads.iter().enumerate() {
                for nth in 0..200 {
                    let took = if slow == Some(index) { 900 } else { 100 };
                    let good = sick != Some(index) || nth % 2 == 0;
                    let took = Duration::from_millis(took);
                    load.results.count(good);
                    load.results.time(took, took, Moment::now());
                }
            }
        };
        round(None, None);
        sleep(Duration::from_secs(10)).await;
        assert!(set.endpoints().iter().all(|one| one.health.is_available()));
        round(Some(1), None);
        sleep(Duration::from_secs(10)).await;
        assert!(matches!(
            turns(&service, 1)[..],
            [Turn::Ejected {
                reason: Reason::SuccessRate(500),
                ..
            }]
        ));
        round(None, Some(3));
        sleep(Duration::from_secs(10)).await;
        assert!(matches!(
            turns(&service, 3)[..],
            [Turn::Ejected {
                reason: Reason::Latency(900),
                ..
            }]
        ));
        // What is counted is what came since; the past does not come back.
        sleep(Duration::from_secs(60)).await;
        assert_eq!(turns(&service, 1).len(), 2);
    });
}

#[test]
fn a_configuration_without_rules_lets_everybody_go() {
    let first = with_rules(3, rules());
    let endpoint = Arc::clone(&first.endpoints().endpoints()[0]);
    ejected(&first, 0);
    endpoint.health.fails();
    let second = ServiceSpec {
        eject: None,
        ..first.spec().clone()
    };
    let second = Service::build(second, Some(&first)).unwrap();
    assert!(!endpoint.health.is_available(), "building changes nothing");
    supervised(&second, async {
        assert!(Arc::ptr_eq(&endpoint, &second.endpoints().endpoints()[0]));
        assert!(endpoint.health.is_available());
    });
}
