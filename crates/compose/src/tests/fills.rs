//! What legs send, and what becomes of answers of GraphQL.

use bytes::Bytes;
use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::fake::{Comes, Fake, get, plan, text};
use crate::{Body, CallEnd, Does, Fill, Leg, Reads, Reason, Sends, graphql, value};

fn sending(value: &Value) -> Leg {
    let mut leg = get("b", "/").after(&[0]);
    if let Does::Ask(ask) = &mut leg.does {
        ask.method = Method::POST;
        ask.harmless = false;
        ask.sends = Some(Sends::Fill(Fill::parse(value).unwrap()));
    }
    leg
}

/// What a leg sends after one that has brought an object, where the client has sent something.
fn sent(value: &Value, target: &str, body: &'static str) -> Result<String, Reason> {
    let plan = plan(vec![get("a", "/"), sending(value).or_else("0")], Some(".b"));
    let answer = Comes::Answer(
        200,
        "{\"id\":\"u\\\"7\",\"n\":3,\"list\":[1,null],\"none\":null}",
    );
    let mut fake = Fake::new(vec![answer, Comes::Body]);
    fake.sent = Bytes::from_static(body.as_bytes());
    let results = fake.finish(&plan, target);
    match results.outcome(1).unwrap().error {
        None => Ok(text(&results)),
        Some(reason) => Err(reason),
    }
}

#[test]
fn places_are_filled_with_the_type_of_the_value() {
    let client = "{\"items\":[{\"id\":1}],\"note\":\"a\\\"b\",\"zero\":null}";
    for (value, expected) in [
        (
            json!({"a": 1, "b": [true, null, "x$$y"]}),
            "{\"a\":1,\"b\":[true,null,\"x$y\"]}",
        ),
        (
            json!({"id": "${legs.a.body.id}", "n": "${legs.a.body.n}"}),
            "{\"id\":\"u\\\"7\",\"n\":3}",
        ),
        (
            json!({"all": "${legs.a.body}"}),
            "{\"all\":{\"id\":\"u\\\"7\",\"n\":3,\"list\":[1,null],\"none\":null}}",
        ),
        (
            json!(["x-${legs.a.body.n}", "${legs.a.status}"]),
            "[\"x-3\",200]",
        ),
        (
            json!({"n": "${int(request.query[\"n\"]) + 1}"}),
            "{\"n\":8}",
        ),
        (json!({"n": "${request.query[\"n\"]}"}), "{\"n\":\"7\"}"),
        (
            json!({"items": "${request.body.items}", "note": "${request.body.note}"}),
            "{\"items\":[{\"id\":1}],\"note\":\"a\\\"b\"}",
        ),
        (
            json!({"first": "${request.body.items[0].id}"}),
            "{\"first\":1}",
        ),
        (json!("${request.body}"), client),
        // What the client may leave out is left out.
        (
            json!({"a": "${request.query[\"page\"]}", "b": 1, "c": "x${request.body.none}"}),
            "{\"b\":1}",
        ),
        (
            json!(["${request.cookies[\"a\"]}", 1, {"x": "${request.body.zero}"}]),
            "[1,{}]",
        ),
        (json!("${request.headers[\"x-none\"]}"), "null"),
    ] {
        assert_eq!(
            sent(&value, "/?n=7", client).as_deref(),
            Ok(expected),
            "{value}"
        );
    }
}

#[test]
fn what_must_be_there_lets_the_leg_fail_where_it_is_not() {
    for value in [
        json!({"id": "${claims.sub}"}),
        json!({"id": "${legs.a.body.none}"}),
        json!(["${legs.a.body.id.x}"]),
        json!("u-${request.query[\"n\"]}-${claims.sub}"),
        json!({"id": "${int(claims.sub)}"}),
    ] {
        assert_eq!(
            sent(&value, "/?n=7", "null"),
            Err(Reason::NoValue),
            "{value}"
        );
    }
}

#[test]
fn a_text_that_does_not_compile_is_found() {
    let fault = Fill::parse(&json!({"a": [1, {"b": "x ${client.op}"}]})).unwrap_err();
    assert_eq!(fault.path, ["a", "1", "b"]);
    assert_eq!(fault.error.offset, 4);
}

#[test]
fn filters_read_what_the_client_sent() {
    for (filter, plain, expected) in [
        ("$request.body", true, "{\"items\":[{\"id\":1}]}"),
        (
            "{ all: $request.body.items, a: .a }",
            true,
            "{\"all\":[{\"id\":1}],\"a\":7}",
        ),
        ("[$request.body.items[].id]", false, "[1]"),
        ("$request.body.none.more", true, "null"),
        ("{ n: $request.bodyguard }", false, "{\"n\":null}"),
    ] {
        let plan = plan(vec![get("a", "/")], Some(filter));
        assert_eq!(plan.body().is_plain(), plain, "{filter}");
        assert!(plan.body().reads_sent(), "{filter}");
        let mut fake = Fake::new(vec![Comes::Answer(200, "7")]);
        fake.sent = Bytes::from_static(b"{\"items\":[{\"id\":1}]}");
        assert_eq!(text(&fake.finish(&plan, "/")), expected, "{filter}");
    }
    let plan = Body::parse("{ a: .a, b: [.a[]?] }", &["a"]).unwrap();
    assert!(!plan.reads_sent());
}

#[test]
fn the_data_of_a_response_is_taken_as_it_came() {
    let data = |text: &'static str, partial| {
        graphql::data(&Bytes::from_static(text.as_bytes()), partial)
            .map(|data| String::from_utf8(data.to_vec()).unwrap())
    };
    let big = "{ \"errors\" : [] , \"data\" : { \"n\": 123456789012345678901234567890, \"s\": \"}\\\"{\" } }";
    assert_eq!(
        data(big, false).unwrap(),
        "{ \"n\": 123456789012345678901234567890, \"s\": \"}\\\"{\" }"
    );
    let part = "{\"data\":{\"a\":null},\"errors\":[{\"message\":\"no\\n a\"},{}]}";
    assert_eq!(data(part, true).unwrap(), "{\"a\":null}");
    let cause = "the answer has 2 errors, the first: no a".to_owned();
    assert_eq!(data(part, false), Err((Reason::GraphqlErrors, cause)));
    for text in [
        "{\"data\":null,\"errors\":[{\"message\":\"x\"}]}",
        "{\"errors\":[{\"message\":\"x\"}]}",
        "{\"errors\":\"x\"}",
        "{\"data\":null}",
        "{}",
        "[]",
        "7",
    ] {
        for partial in [false, true] {
            assert_eq!(
                data(text, partial).unwrap_err().0,
                Reason::GraphqlErrors,
                "{text}"
            );
        }
    }
}

#[test]
fn codes_of_calls_are_expected_by_name_or_by_what_they_stand_for() {
    use http::StatusCode;
    use lintel_kernel::GrpcCode;

    use crate::{Ask, Expected, Instead, Reply, Statuses};

    let judged = |status: u16, code, name, expect: Vec<Expected>| {
        let mut leg = get("a", "/t.T/M");
        let Does::Ask(ask) = &mut leg.does else {
            panic!("a value")
        };
        ask.expect = expect;
        let ask: &Ask = ask;
        ask.judge(&Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            body: Bytes::new(),
            call: Some(CallEnd { code, name }),
            endpoint: None,
            attempts: 1,
        })
    };
    let null = |statuses| Expected {
        statuses,
        instead: Instead::Value(Bytes::from_static(b"null")),
    };
    let missing = || judged(404, GrpcCode::NotFound, "not_found", Vec::new());
    let cause = "the call ended with not_found".to_owned();
    assert_eq!(missing(), Err((Reason::Status, cause)));
    for statuses in [
        Statuses::Grpc(GrpcCode::NotFound),
        Statuses::Http(404..=404),
    ] {
        let judged = judged(404, GrpcCode::NotFound, "not_found", vec![null(statuses)]);
        assert_eq!(judged.unwrap(), "null");
    }
    // Both stand for 409.
    let other = vec![null(Statuses::Grpc(GrpcCode::Aborted))];
    let judged_other = judged(409, GrpcCode::AlreadyExists, "already_exists", other);
    assert_eq!(judged_other.unwrap_err().0, Reason::Status);
    let late = judged(
        504,
        GrpcCode::DeadlineExceeded,
        "deadline_exceeded",
        Vec::new(),
    );
    assert_eq!(late.unwrap_err().0, Reason::Timeout);
}

#[test]
fn queries_bring_their_data() {
    let mut leg = get("a", "/graphql");
    if let Does::Ask(ask) = &mut leg.does {
        ask.reads = Reads::Graphql { partial: false };
    }
    let plan = plan(vec![leg.or_else("0")], Some(".a.user"));
    let well = Fake::new(vec![Comes::Answer(200, "{\"data\":{\"user\":{\"id\":1}}}")]);
    assert_eq!(text(&well.finish(&plan, "/")), "{\"id\":1}");
    let broken = Fake::new(vec![Comes::Answer(200, "{\"data\":")]);
    let results = broken.finish(&plan, "/");
    assert_eq!(results.outcome(0).unwrap().error, Some(Reason::NotJson));
}

proptest! {
    /// The members of any object come out as they are, however it is written.
    #[test]
    fn members_are_those_of_the_object(
        members in prop::collection::vec(("[a-z\"\\\\é]{0,4}", any_json()), 0..5),
        pretty: bool,
    ) {
        let object: serde_json::Map<String, Value> = members.into_iter().collect();
        let text = match pretty {
            true => serde_json::to_string_pretty(&object).unwrap(),
            false => serde_json::to_string(&object).unwrap(),
        };
        let found: Vec<(String, Value)> = value::members(text.as_bytes())
            .map(|(name, value)| {
                let name = [b"\"", name, b"\""].concat();
                (serde_json::from_slice(&name).unwrap(), serde_json::from_slice(value).unwrap())
            })
            .collect();
        let expected: Vec<(String, Value)> = object.into_iter().collect();
        prop_assert_eq!(found, expected);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z{}\\[\\],:\"\\\\ ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,3}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
