//! What a leg brought last stands in its place where its service has no answer.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use bytes::Bytes;

use super::fake::{Comes, Fake, get, plan, text};
use crate::{Leg, Reason};

fn remembering(mut leg: Leg) -> Leg {
    leg.last_good = true;
    leg
}

/// Runs `a`, which is remembered, once for each of what comes.
fn runs(leg: impl Fn() -> Leg, target: &str, all: Vec<Comes>) -> Vec<Result<String, Reason>> {
    let kept: RefCell<HashMap<Vec<u8>, Bytes>> = RefCell::default();
    let run = |comes| {
        let mut fake = Fake::new(vec![comes]);
        fake.kept = Some(RefCell::new(kept.take()));
        let plan = plan(vec![remembering(leg())], Some(".a"));
        let told = {
            let results = fake.finish(&plan, target);
            match results.failed() {
                Some(leg) => Err(results.outcome(leg).unwrap().error.unwrap()),
                None => Ok(text(&results)),
            }
        };
        kept.replace(fake.kept.take().unwrap().into_inner());
        told
    };
    all.into_iter().map(run).collect()
}

#[test]
fn what_a_leg_brought_last_stands_in_its_place() {
    let required = || get("a", "/");
    let good = || Comes::Answer(200, "7");
    for lost in [
        Comes::Lost(Reason::Timeout),
        Comes::Lost(Reason::Unreachable),
        Comes::Lost(Reason::Unavailable),
        Comes::Answer(500, "{}"),
        Comes::Answer(429, "{}"),
        Comes::Answer(200, "<html>"),
    ] {
        let told = runs(required, "/", vec![good(), lost.clone()]);
        assert_eq!(told, [Ok("7".to_owned()), Ok("7".to_owned())], "{lost:?}");
        // Without one it is lost, or its fallback stands in.
        assert!(runs(required, "/", vec![lost.clone()])[0].is_err());
        let optional = || get("a", "/").or_else("0");
        assert_eq!(runs(optional, "/", vec![lost])[0].as_deref(), Ok("0"));
    }
}

#[test]
fn a_service_that_says_no_is_believed() {
    let required = || get("a", "/");
    for no in [401, 403, 404, 410] {
        let told = runs(
            required,
            "/",
            vec![
                Comes::Answer(200, "7"),
                Comes::Answer(no, "{}"),
                Comes::Lost(Reason::Timeout),
            ],
        );
        let expected = [
            Ok("7".to_owned()),
            Err(Reason::Status),
            Err(Reason::Timeout),
        ];
        assert_eq!(told, expected, "{no}");
    }
}

#[test]
fn an_answer_is_marked() {
    let mut fake = Fake::new(vec![Comes::Lost(Reason::Timeout)]);
    let copy = Bytes::from_static(b"{\"n\":1}");
    fake.kept = Some(HashMap::from([(b"/x".to_vec(), copy)]).into());
    let legs = vec![remembering(get("a", "/x"))];
    let plan = plan(legs, Some(".a")).with_errors(Some("_errors".into()));
    let results = fake.finish(&plan, "/");
    let errors = "[{\"leg\":\"a\",\"code\":\"timeout\",\"last_good\":42}]";
    assert_eq!(text(&results), format!("{{\"n\":1,\"_errors\":{errors}}}"));
    assert_eq!(results.last_good("a"), Some(Duration::from_secs(42)));
    // What reads it goes on with it, and knows that it is none of now.
    assert_eq!(results.outcome(0).unwrap().status, None);
}
