#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use http::{HeaderMap, StatusCode};
use lintel_upstream::client::Answer;
use tokio::{
    sync::oneshot,
    time::{self, Instant},
};

use std::time::Duration;

use super::{answer::Outcome, *};

fn refused(code: &str) -> Outcome {
    Err(Failure::Refused {
        code: code.into(),
        detail: "".into(),
    })
}

fn read(status: u16, body: &'static str) -> Result<Granted, Failure> {
    answer::read(&Answer {
        status: StatusCode::from_u16(status).unwrap(),
        fields: HeaderMap::new(),
        body: body.into(),
    })
}

#[tokio::test(start_paused = true)]
async fn equal_questions_are_asked_once() {
    let mut flights = flights::Flights::default();
    let (one, other) = ([1; 32], [2; 32]);
    let ask = |flights: &mut flights::Flights, number| {
        let (tell, told) = oneshot::channel();
        (flights.join(number, tell, Instant::now()), told)
    };
    let (first, told_first) = ask(&mut flights, one);
    let (second, told_second) = ask(&mut flights, one);
    let (third, _told_third) = ask(&mut flights, other);
    assert_eq!((first, second, third), (true, false, true));
    let until = Instant::now() + flights::KEPT;
    for tell in flights.land(one, &refused("invalid_grant"), until) {
        tell.send(refused("invalid_grant")).unwrap();
    }
    for told in [told_first, told_second, ask(&mut flights, one).1] {
        assert!(matches!(told.await, Ok(Err(Failure::Refused { .. }))));
    }
    time::advance(Duration::from_secs(31)).await;
    assert!(ask(&mut flights, one).0, "it is asked anew");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_away_is_asked_again_soon_but_not_at_once() {
    let mut flights = flights::Flights::default();
    let away: Outcome = Err(Failure::Unavailable("".into()));
    let (tell, _told) = oneshot::channel();
    assert!(flights.join([1; 32], tell, Instant::now()));
    flights.land([1; 32], &away, Instant::now() + flights::KEPT_FAILURE);
    for (after, asked) in [(2, false), (2, true)] {
        time::advance(Duration::from_secs(after)).await;
        let (tell, _told) = oneshot::channel();
        assert_eq!(flights.join([1; 32], tell, Instant::now()), asked);
    }
}

#[test]
fn outcomes_are_kept_within_a_bound() {
    let mut flights = flights::Flights::default();
    let now = Instant::now();
    let number = |at: usize| {
        let mut number = [0; 32];
        number[..8].copy_from_slice(&at.to_le_bytes());
        number
    };
    for at in 0..10_000 {
        let (tell, _told) = oneshot::channel();
        assert!(flights.join(number(at), tell, now));
        flights.land(number(at), &refused("invalid_grant"), now + flights::KEPT);
    }
    let kept = |flights: &mut flights::Flights, at| {
        let (tell, _told) = oneshot::channel();
        !flights.join(number(at), tell, now)
    };
    assert!(kept(&mut flights, 9_999));
    assert!(!kept(&mut flights, 100));
}

#[test]
fn answers_are_told_apart() {
    let good = read(
        200,
        r#"{"access_token": "a", "token_type": "bearer", "expires_in": "60"}"#,
    );
    assert_eq!(good.unwrap().expires_in, Some(60));
    let refused = read(
        400,
        r#"{"error": "invalid_grant", "error_description": "used\u0007"}"#,
    );
    assert_eq!(refused.unwrap_err().to_string(), "invalid_grant: used");
    for (status, body) in [
        (200, "<html>"),
        (200, r#"{"access_token": "a", "token_type": "mac"}"#),
        (302, ""),
        (401, "no"),
        (429, r#"{"error": "slow_down"}"#),
        (500, r#"{"error": "server_error"}"#),
        (503, r#"{"error": "temporarily_unavailable"}"#),
    ] {
        let failure = read(status, body).unwrap_err();
        assert!(
            matches!(failure, Failure::Unavailable(_)),
            "{status} {body}"
        );
    }
}
