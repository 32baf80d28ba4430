use bytes::Bytes;

use super::fake::{Comes, Event, Fake, exchange, fixed, get, plan, text};
use crate::{Body, Does, Each, Leg, Reason, Sends};

fn each(mut leg: Leg, over: &str, change: impl FnOnce(&mut Each)) -> Leg {
    if let Does::Ask(ask) = &mut leg.does {
        let mut each = Each {
            over: Body::parse(over, &["a", "b"]).unwrap(),
            max: 5,
            parallel: 2,
            batch: None,
            missing: None,
        };
        change(&mut each);
        ask.each = Some(each);
    }
    leg.after(&[0])
}

/// The targets of the calls of the second leg.
fn targets(fake: &Fake) -> Vec<String> {
    let events = fake.events.borrow();
    let called = events.iter().filter_map(|event| match event {
        Event::Called(1, target) => Some(target.clone()),
        _ => None,
    });
    called.collect()
}

fn run(list: &'static str, leg: Leg, comes: Comes) -> (Fake, Result<String, Reason>) {
    let plan = plan(vec![fixed("a", list), leg], Some(".b"));
    let fake = Fake::new(vec![Comes::Answer(200, "1"), comes]);
    let results = fake.finish(&plan, "/");
    let told = match results.outcome(1).unwrap().error {
        Some(reason) => Err(reason),
        None => Ok(text(&results)),
    };
    (fake, told)
}

#[test]
fn a_leg_is_made_for_every_element() {
    let leg = each(get("b", "/p/${item.id}?n=${item.n}"), ".a", |_| {});
    let list = "[{\"id\":\"x/y\",\"n\":1},{\"id\":2,\"n\":0},{\"id\":\"x/y\",\"n\":1}]";
    let (fake, told) = run(list, leg, Comes::Echo);
    // What is asked twice is asked once.
    assert_eq!(targets(&fake), ["/p/x%2Fy?n=1", "/p/2?n=0"]);
    let expected = "[\"/p/x%2Fy?n=1\",\"/p/2?n=0\",\"/p/x%2Fy?n=1\"]";
    assert_eq!(told.as_deref(), Ok(expected));
    for nothing in ["[]", "null"] {
        let leg = each(get("b", "/p/${item}"), ".a", |_| {});
        let (fake, told) = run(nothing, leg, Comes::Echo);
        assert_eq!((targets(&fake).len(), told.as_deref()), (0, Ok("[]")));
    }
}

#[test]
fn only_so_many_are_under_way() {
    let leg = each(get("b", "/p/${item}"), ".a", |_| {});
    let plan = plan(vec![fixed("a", "[1,2,3,4,5]"), leg], None);
    let fake = Fake::new(vec![Comes::Echo, Comes::Echo]);
    assert!(fake.run(&plan, &exchange("/"), &[]).is_none());
    assert_eq!(targets(&fake), ["/p/1", "/p/2"]);
    let dropped = fake.events.borrow();
    let dropped = dropped.iter().filter(|event| **event == Event::Dropped(1));
    assert_eq!(dropped.count(), 2);
}

#[test]
fn a_list_is_bounded() {
    for (list, reason) in [
        ("[1,2,3,4,5,6]", Reason::TooMany),
        ("{\"x\":1}", Reason::Filter),
        ("[1,null]", Reason::NoValue),
    ] {
        let leg = each(get("b", "/p/${item}"), ".a", |_| {}).or_else("0");
        let (fake, told) = run(list, leg, Comes::Echo);
        assert_eq!((targets(&fake).len(), told), (0, Err(reason)), "{list}");
    }
}

#[test]
fn calls_do_not_fill_the_memory_before_they_are_made() {
    let list = format!("[\"{}\",1,2,3,4]", "x".repeat(15 << 20));
    let mut leg = each(get("b", "/p"), ".a", |_| {}).or_else("0");
    if let Does::Ask(ask) = &mut leg.does {
        ask.harmless = false;
        let filter = Body::parse("{ all: .a }", &["a", "b"]).unwrap();
        ask.sends = Some(Sends::Filter(filter));
    }
    let (fake, told) = run(list.leak(), leg, Comes::Echo);
    assert_eq!((targets(&fake).len(), told), (0, Err(Reason::TooMany)));
}

#[test]
fn what_is_the_same_for_all_elements_is_so() {
    let target = "/p/${item}?s=${legs.a.body.s}&n=${legs.a.body.none}";
    let leg = each(get("b", "/p/${item}?s=${legs.a.body.s}"), ".a.l", |_| {});
    let (fake, _) = run("{\"l\":[1,2],\"s\":\"t&u\"}", leg, Comes::Echo);
    assert_eq!(targets(&fake), ["/p/1?s=t%26u", "/p/2?s=t%26u"]);
    let leg = each(get("b", target), ".a.l", |_| {}).or_else("0");
    let (_, told) = run("{\"l\":[1,2],\"s\":1}", leg, Comes::Echo);
    assert_eq!(told, Err(Reason::NoValue));
}

#[test]
fn an_element_that_fails_can_be_stood_in_for() {
    let failing = || Comes::Answer(500, "no");
    let leg = each(get("b", "/p/${item}"), ".a", |_| {}).or_else("0");
    assert_eq!(run("[1,2]", leg, failing()).1, Err(Reason::Status));
    let missing = |each: &mut Each| each.missing = Some(Bytes::from_static(b"\"none\""));
    let leg = each(get("b", "/p/${item}"), ".a", missing);
    let (_, told) = run("[1,2]", leg, failing());
    assert_eq!(told.as_deref(), Ok("[\"none\",\"none\"]"));
    let leg = each(get("b", "/p/${item}"), ".a", missing);
    let (fake, told) = run("[null,2]", leg, Comes::Echo);
    assert_eq!(told.as_deref(), Ok("[\"none\",\"/p/2\"]"));
    assert_eq!(targets(&fake), ["/p/2"]);
}

#[test]
fn several_go_into_one_call() {
    let batch = |each: &mut Each| each.batch = Some(2);
    let leg = each(get("b", "/p?ids=${item}"), "[.a[].p]", batch);
    let list = "[{\"p\":1},{\"p\":null},{\"p\":2},{\"p\":1},{\"p\":3}]";
    let (fake, told) = run(list, leg, Comes::Answer(200, " [ 7 , 8 ] "));
    assert_eq!(targets(&fake), ["/p?ids=1%2C2", "/p?ids=3"]);
    assert_eq!(told.as_deref(), Ok("[7 , 8,7 , 8]"));
    let leg = each(get("b", "/p?ids=${item}"), ".a", batch);
    let (_, told) = run("[1,2,3]", leg, Comes::Answer(200, "{\"x\":1}"));
    assert_eq!(told.as_deref(), Ok("{\"x\":1,\"x\":1}"));
    let leg = each(get("b", "/p?ids=${item}"), ".a", batch);
    let (_, told) = run("[1,2,3]", leg, Comes::Answer(200, "[]"));
    assert_eq!(told.as_deref(), Ok("[]"));
}

#[test]
fn filters_see_the_element() {
    let mut leg = each(get("b", "/p"), ".a", |each| each.batch = Some(9)).or_else("0");
    if let Does::Ask(ask) = &mut leg.does {
        ask.method = http::Method::POST;
        ask.harmless = false;
        let filter = Body::parse("{ ids: $item, first: $item[0] }", &["a", "b"]).unwrap();
        ask.sends = Some(Sends::Filter(filter));
    }
    let plan = plan(vec![fixed("a", "[3,4]"), leg], Some(".b"));
    let fake = Fake::new(vec![Comes::Echo, Comes::Body]);
    let results = fake.finish(&plan, "/");
    assert_eq!(text(&results), "{\"ids\":[3,4],\"first\":3}");
}
