use bytes::Bytes;
use http::Method;
use lintel_kernel::expr::{Legs as _, Template};
use proptest::prelude::*;

use super::fake::{Comes, Event, Fake, exchange, fixed, get, plan, text};
use crate::{Body, Does, Expected, Instead, Leg, Reason, Sends, Statuses};

const WELL: Comes = Comes::Answer(200, "{\"id\":\"u 7/..\",\"n\":3}");

fn ask(leg: &mut Leg) -> &mut crate::Ask {
    match &mut leg.does {
        Does::Ask(ask) => ask,
        Does::Value(_) => panic!("a value"),
    }
}

#[test]
fn what_a_leg_brings_goes_into_others() {
    let legs = vec![
        get("a", "/users/7"),
        get("b", "/orders/${legs.a.body.id}?n=${legs.a.body.n}").after(&[0]),
        get("c", "/x?s=${legs.b.status}").after(&[1]),
    ];
    let plan = plan(legs, None);
    let fake = Fake::new(vec![
        WELL,
        Comes::Answer(203, "[]"),
        Comes::Answer(200, "1"),
    ]);
    let results = fake.finish(&plan, "/");
    assert_eq!(fake.called(1).as_deref(), Some("/orders/u%207%2F..?n=3"));
    assert_eq!(fake.called(2).as_deref(), Some("/x?s=203"));
    let expected = "{\"a\":{\"id\":\"u 7/..\",\"n\":3},\"b\":[],\"c\":1}";
    assert_eq!(text(&results), expected);
    assert_eq!((results.status("b"), results.error("b")), (Some(203), None));
}

#[test]
fn legs_run_side_by_side() {
    let plan = plan(
        vec![get("a", "/"), get("b", "/"), get("c", "/").after(&[0, 1])],
        None,
    );
    let fake = Fake::new(vec![WELL, WELL, WELL]);
    assert!(fake.run(&plan, &exchange("/"), &[]).is_none());
    let events = fake.events.borrow();
    let called = |leg| Event::Called(leg, "/".to_owned());
    assert_eq!(&events[..2], [called(0), called(1)]);
    // And given up together.
    assert_eq!(&events[2..], [Event::Dropped(0), Event::Dropped(1)]);
}

#[test]
fn a_required_leg_that_fails_ends_the_others() {
    let plan = plan(
        vec![get("a", "/"), get("b", "/"), get("c", "/").after(&[1])],
        None,
    );
    let fake = Fake::new(vec![WELL, Comes::Answer(500, "{}"), WELL]);
    // The second of the open ones is answered.
    let results = fake.run(&plan, &exchange("/"), &[1]).unwrap();
    assert_eq!(results.failed(), Some(1));
    assert!(results.given_up(0).is_some() && results.given_up(2).is_none());
    assert_eq!(fake.called(2), None);
    assert!(fake.events.borrow().contains(&Event::Dropped(0)));
    let cause = results.outcome(1).unwrap().cause.as_deref();
    assert_eq!(cause, Some("the status 500 is not expected"));
}

#[test]
fn an_optional_leg_that_fails_is_stood_in_for() {
    for (comes, reason) in [
        (Comes::Lost(Reason::Timeout), Reason::Timeout),
        (Comes::Answer(404, "{}"), Reason::Status),
        (Comes::Answer(200, "<html>"), Reason::NotJson),
        (Comes::Answer(200, ""), Reason::NotJson),
    ] {
        let plan = plan(vec![get("a", "/").or_else("[]"), get("b", "/")], None);
        let results = Fake::new(vec![comes, WELL]).finish(&plan, "/");
        assert_eq!(results.failed(), None);
        assert_eq!(results.errors().collect::<Vec<_>>(), [("a", reason)]);
        assert!(text(&results).starts_with("{\"a\":[],"));
    }
}

#[test]
fn statuses_can_be_expected() {
    let mut leg = get("a", "/");
    ask(&mut leg).expect = vec![
        Expected {
            statuses: Statuses::Http(404..=404),
            instead: Instead::Value(Bytes::from_static(b"null")),
        },
        Expected {
            statuses: Statuses::Http(409..=410),
            instead: Instead::Body,
        },
    ];
    let plan = plan(vec![leg], None);
    for (status, body, expected) in [
        (200, "1", Some("{\"a\":1}")),
        (404, "<gone>", Some("{\"a\":null}")),
        (410, "{}", Some("{\"a\":{}}")),
        (204, "", Some("{\"a\":null}")),
        (403, "1", None),
    ] {
        let results = Fake::new(vec![Comes::Answer(status, body)]).finish(&plan, "/");
        assert_eq!(results.failed().is_none(), expected.is_some(), "{status}");
        if let Some(expected) = expected {
            assert_eq!(text(&results), expected, "{status}");
        }
    }
}

#[test]
fn a_condition_skips_a_leg() {
    let legs = || {
        vec![
            get("a", "/")
                .when("request.query[\"full\"] == \"1\"")
                .or_else("0"),
            get("b", "/").when("legs.a.status == 200").after(&[0]),
            get("c", "/${legs.b.body.n}").after(&[1]).or_else("null"),
        ]
    };
    let plan = plan(legs(), None);
    let fake = Fake::new(vec![WELL, WELL, WELL]);
    let results = fake.finish(&plan, "/?full=0");
    assert_eq!(text(&results), "{\"a\":0,\"b\":null,\"c\":null}");
    assert_eq!(fake.called(0), None);
    // One that is skipped has not failed; one that can't be asked for want of it has.
    assert_eq!(
        results.errors().collect::<Vec<_>>(),
        [("c", Reason::Dependency)]
    );
    let fake = Fake::new(vec![WELL, WELL, WELL]);
    let _ = fake.finish(&plan, "/?full=1");
    assert_eq!(fake.called(2).as_deref(), Some("/3"));
}

#[test]
fn a_value_stays_in_its_place() {
    let target = "/users/${request.query[\"id\"]}/x?q=${request.query[\"q\"]}";
    for (request, expected) in [
        (
            "/?id=a%2Fb%3Fc%23&q=1%262",
            Some("/users/a%2Fb%3Fc%23/x?q=1%262"),
        ),
        ("/?id=7&q=", Some("/users/7/x?q=")),
        ("/?id=%0d%0aHost&q=1", Some("/users/%0D%0AHost/x?q=1")),
        ("/?id=..&q=1", None),
        ("/?id=.&q=1", None),
        ("/?id=&q=1", None),
        ("/?q=1", None),
    ] {
        let plan = plan(vec![get("a", target).or_else("null")], None);
        let fake = Fake::new(vec![WELL]);
        let results = fake.finish(&plan, request);
        assert_eq!(fake.called(0).as_deref(), expected, "{request}");
        let reason = results.outcome(0).unwrap().error;
        assert_eq!(reason.is_none(), expected.is_some(), "{request}");
        assert!(reason.is_none_or(|reason| reason == Reason::NoValue));
    }
}

#[test]
fn parameters_without_a_value_are_left_out() {
    let mut leg = get("a", "/x?y=1");
    let parameter = |name: &str, text| (name.to_owned(), Template::parse_among(text).unwrap());
    ask(&mut leg).query = vec![
        parameter("n&", "${request.query[\"n\"]}"),
        parameter("m", "${request.query[\"m\"]}!"),
    ];
    let plan = plan(vec![leg], None);
    let fake = Fake::new(vec![WELL]);
    let _ = fake.finish(&plan, "/?m=%C3%A9");
    assert_eq!(fake.called(0).as_deref(), Some("/x?y=1&m=%C3%A9%21"));
}

#[test]
fn bodies_are_made_of_other_legs() {
    let mut leg = get("b", "/").after(&[0]).or_else("null");
    let filter = Body::parse("{ ids: [.a.n, .a.n + 1] }", &["a", "b"]).unwrap();
    ask(&mut leg).sends = Some(Sends::Filter(filter));
    ask(&mut leg).harmless = false;
    ask(&mut leg).method = Method::POST;
    let plan = plan(vec![get("a", "/"), leg], None);
    let fake = Fake::new(vec![WELL, WELL]);
    let results = fake.finish(&plan, "/");
    assert_eq!(results.errors().count(), 0);
    let text = Fake::new(vec![Comes::Answer(200, "[]"), WELL]);
    let results = text.finish(&plan, "/");
    assert_eq!(
        results.errors().collect::<Vec<_>>(),
        [("b", Reason::Filter)]
    );
}

#[test]
fn all_legs_together_are_bounded() {
    let legs = vec![get("a", "/"), get("b", "/").or_else("null")];
    let plan = crate::Plan::new(legs, Body::all(["a", "b"].into_iter()), 6).unwrap();
    let five = || Comes::Answer(200, "12345");
    let results = Fake::new(vec![five(), five()]).finish(&plan, "/");
    assert_eq!(
        results.errors().collect::<Vec<_>>(),
        [("b", Reason::TooLarge)]
    );
}

#[test]
fn fixed_values_need_no_call() {
    let plan = plan(
        vec![
            fixed("a", "{\"id\":1}"),
            get("b", "/${legs.a.body.id}").after(&[0]),
        ],
        None,
    );
    let fake = Fake::new(vec![WELL, Comes::Answer(200, "2")]);
    assert_eq!(text(&fake.finish(&plan, "/")), "{\"a\":{\"id\":1},\"b\":2}");
    assert_eq!(fake.called(1).as_deref(), Some("/1"));
}

#[test]
fn what_is_asked_twice_is_asked_once() {
    let alike = |name, target, kin| Leg {
        kin,
        ..get(name, target).or_else("null")
    };
    let legs = || {
        vec![
            alike("a", "/x", Some(0)),
            alike("b", "/x", Some(0)),
            alike("c", "/x", None),
            alike("d", "/y", Some(0)),
            alike("e", "/x", Some(0)).after(&[0]),
        ]
    };
    for comes in [Comes::Echo, Comes::Lost(Reason::Timeout)] {
        let plan = plan(legs(), None);
        let fake = Fake::new(vec![comes; 5]);
        let results = fake.finish(&plan, "/");
        let called: Vec<bool> = (0..5).map(|leg| fake.called(leg).is_some()).collect();
        assert_eq!(called, [true, false, true, true, false]);
        assert_eq!(results.text(1), results.text(0));
        assert_eq!(results.text(4), results.text(0));
        let errors = results.errors().count();
        assert!(matches!(errors, 0 | 5), "{errors}");
    }
}

fn outcomes() -> impl Strategy<Value = Comes> {
    prop_oneof![
        3 => Just(WELL),
        1 => Just(Comes::Answer(500, "{}")),
        1 => Just(Comes::Lost(Reason::Timeout)),
        1 => Just(Comes::Answer(200, "no")),
    ]
}

const LEGS: usize = 6;

proptest! {
    /// Whatever the graph, the answers and their order: a leg is called at most once and after all
    /// that it waits for, and none is left behind.
    #[test]
    fn order_holds_and_nothing_leaks(
        after in prop::collection::vec(prop::collection::vec(0usize..LEGS, 0..3), LEGS),
        comes in prop::collection::vec(outcomes(), LEGS),
        optional in prop::collection::vec(any::<bool>(), LEGS),
        order in prop::collection::vec(0usize..LEGS, 0..12),
    ) {
        let legs = (0..LEGS).map(|leg| {
            // Those before it only: never a circle.
            let after: Vec<usize> = after[leg].iter().copied().filter(|other| *other < leg).collect();
            let made = get(["a", "b", "c", "d", "e", "f"][leg], "/").after(&after);
            if optional[leg] { made.or_else("null") } else { made }
        });
        let plan = plan(legs.collect(), None);
        let fake = Fake::new(comes.clone());
        let results = fake.run(&plan, &exchange("/"), &order);
        let events = fake.events.borrow();
        let mut open = Vec::new();
        let mut done: Vec<usize> = Vec::new();
        for event in events.iter() {
            match event {
                Event::Called(leg, _) => {
                    prop_assert!(!open.contains(leg) && !done.contains(leg), "{leg} twice");
                    for other in &plan.legs()[*leg].after {
                        prop_assert!(done.contains(other), "{leg} before {other}");
                    }
                    open.push(*leg);
                }
                Event::Done(leg) => { open.retain(|other| other != leg); done.push(*leg); }
                Event::Dropped(leg) => open.retain(|other| other != leg),
            }
        }
        prop_assert!(open.is_empty() && fake.open.borrow().is_empty(), "{open:?} leaked");
        if let Some(results) = results {
            let bad = |leg: usize| !matches!(comes[leg], Comes::Answer(200, body) if body != "no");
            match results.failed() {
                Some(leg) => prop_assert!(bad(leg) && !optional[leg]),
                None => {
                    prop_assert_eq!(done.len(), LEGS);
                    prop_assert!((0..LEGS).all(|leg| optional[leg] || !bad(leg)));
                    prop_assert!(results.body().is_ok());
                }
            }
        }
    }
}
